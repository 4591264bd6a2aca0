"""`gitloop pairs label`: two answers on a local page, or in the terminal one key at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.cli.sitting import Announcer, Sitting, asks_people, sit
from gitloop.cli.terminal import WIDTH, field, key, tell, words

if TYPE_CHECKING:
    from gitloop.core.label import Given, Rules
    from gitloop.steps.label import LabelReport
    from gitloop.steps.pairs.label import PairQuestion

KEYS = {"1": "first", "2": "second", "t": "tie", "s": "skip", "q": "quit"}
DONE = "nothing is left to compare; next: gitloop pairs agree"


@click.command(cls=Verb)
@click.option("--senior", is_flag=True, help="Settle pairs: your word decides.")
@click.option("--review", is_flag=True, help="Go through the review queue, not the sample.")
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Pairs to label, not pairs.sample."
)
@asks_people
@pass_console
def label(
    console: Console,
    *,
    sitting: Sitting,
    senior: bool,
    review: bool,
    sample: int | None,
) -> None:
    """Say which of two answers is better; every word is saved at once in labels/.

    Blind: which one is "chosen" and what others said is not shown, and sides and order are drawn
    for each annotator.
    """
    from gitloop.steps.pairs.label import PairLabelPlan, label_pairs

    plan = PairLabelPlan(sitting.annotator, senior, review, sample, sitting.is_committed)

    def on_page() -> Callable[[Announcer], LabelReport]:
        from gitloop.steps.pairs.page import label_pairs_page as serve

        return lambda announce: serve(console.directory, plan, announce, port=sitting.port)

    sit(
        console,
        sitting,
        "gitloop pairs label",
        in_terminal=lambda: label_pairs(
            console.directory, lambda question: _ask(console, question), plan
        ),
        on_page=on_page,
        when_done=lambda _: DONE,
    )


def _ask(console: Console, question: PairQuestion) -> Given | str:
    """Show prompt and answers, take a key, and for a preference the words that go with it."""
    from gitloop.core.label import Given

    for line in _case(question):
        tell(console, line)
    while True:
        keys = style("better: [1]  [2]  [t]ie  [s]kip  [q]uit ", bold=True)
        tell(console, keys, is_line=False)
        pressed = key()
        if not pressed:
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
