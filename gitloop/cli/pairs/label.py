"""`gitloop pairs label`: two answers on a local page, or in the terminal one key at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.label import Announcer
from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.cli.terminal import INTERRUPT, WIDTH, field, key, session_lines, tell, words
from gitloop.errors import ConfigError

if TYPE_CHECKING:
    from gitloop.core.label import Given, Rules
    from gitloop.steps.label import LabelReport
    from gitloop.steps.pairs.label import PairQuestion

KEYS = {"1": "first", "2": "second", "t": "tie", "s": "skip", "q": "quit"}
DONE = "nothing is left to compare; next: gitloop pairs agree"


@click.command(cls=Verb)
@click.option(
    "--as",
    "annotator",
    metavar="NAME",
    help='Who you are, or "Name <address>"; default: the Git user.',
)
@click.option("--senior", is_flag=True, help="Settle pairs: your word decides.")
@click.option("--review", is_flag=True, help="Go through the review queue, not the sample.")
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Pairs to label, not pairs.sample."
)
@click.option("--terminal", is_flag=True, help="Ask here in the terminal: over SSH, for instance.")
@click.option("--port", type=click.IntRange(1, 65535), help="Serve the page on this port.")
@click.option("--no-browser", is_flag=True, help="Print the link; open no browser.")
@click.option("--no-commit", is_flag=True, help="Leave the labels uncommitted.")
@pass_console
def label(
    console: Console,
    *,
    annotator: str | None,
    senior: bool,
    review: bool,
    sample: int | None,
    terminal: bool,
    port: int | None,
    no_browser: bool,
    no_commit: bool,
) -> None:
    """Say which of two answers is better; every word is saved at once in labels/.

    Blind: which one is "chosen" and what others said is not shown, and sides and order are drawn
    for each annotator.
    """
    from gitloop.steps.pairs.label import PairLabelPlan, label_pairs

    plan = PairLabelPlan(annotator, senior, review, sample, not no_commit)
    if terminal:
        report = label_pairs(console.directory, lambda question: _ask(console, question), plan)
    else:
        serve = _page_step()
        announce = Announcer(console, opens=not no_browser)
        report = serve(console.directory, plan, announce, port=port or 0)
    console.show(asdict(report), lambda: session_lines(report, when_done=DONE))


def _page_step() -> Callable[..., LabelReport]:
    """The step that serves the page.

    Raises:
        ConfigError: The extra that it needs is not installed.
    """
    try:
        from gitloop.steps.pairs.page import label_pairs_page
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the page needs the extra [label]: {error.name} is not installed",
            hint="run: pip install 'gitloop[label]', or: gitloop pairs label --terminal",
        ) from error
    return label_pairs_page


def _ask(console: Console, question: PairQuestion) -> Given | str:
    """Show prompt and answers, take a key, and for a preference the words that go with it."""
    from gitloop.core.label import Given

    for line in _case(question):
        tell(console, line)
    while True:
        keys = style("better: [1]  [2]  [t]ie  [s]kip  [q]uit ", bold=True)
        tell(console, keys, is_line=False)
        pressed = key()
        if pressed in INTERRUPT:
            tell(console)
            return "quit"
        choice = KEYS.get(pressed.lower(), "")
        tell(console, choice or f"{pressed!r} is none of 1, 2, t, s, q")
        if choice in {"skip", "quit"}:
            return choice
        if choice:
            return Given(choice, words(console, "why? (enter: say nothing) "))


def _case(question: PairQuestion) -> list[str]:
    case = question.item.case
    head = style(f"{question.number}/{question.n_questions}  which is better?", bold=True)
    lines = ["", head + (f"  {case.route}" if case.route else ""), style("─" * WIDTH, dim=True)]
    if question.number == 1:
        lines += _criteria(question.rules)
    for passage in case.passages:
        lines += field(passage.name, passage.text)
    return lines + field("answer 1", question.first) + field("answer 2", question.second)


def _criteria(rules: Rules) -> list[str]:
    """By what answers are compared, told once."""
    lines = field("criteria", rules.description)
    for section in rules.sections:
        lines += field(section.title, section.text)
    return lines
