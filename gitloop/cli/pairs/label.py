"""`gitloop pairs label`: two answers on a local page, or in the terminal one key at a time."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.label import Announcer
from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.errors import ConfigError

if TYPE_CHECKING:
    from gitloop.core.label import Given
    from gitloop.steps.label import LabelReport
    from gitloop.steps.pairs.label import PairQuestion

WIDTH = 80
LONGEST_FIELD = 4000
KEYS = {"1": "first", "2": "second", "t": "tie", "s": "skip", "q": "quit"}
INTERRUPT = {"\x03", "\x04", ""}
"""Ctrl-C, Ctrl-D, and the end of a piped input."""


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
    console.show(asdict(report), lambda: _lines(report))


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
        _tell(console, line)
    while True:
        keys = style("better: [1]  [2]  [t]ie  [s]kip  [q]uit ", bold=True)
        _tell(console, keys, is_line=False)
        key = _key()
        if key in INTERRUPT:
            _tell(console)
            return "quit"
        choice = KEYS.get(key.lower(), "")
        _tell(console, choice or f"{key!r} is none of 1, 2, t, s, q")
        if choice in {"skip", "quit"}:
            return choice
        if choice:
            _tell(console, "why? (enter: say nothing) ", is_line=False)
            return Given(choice, sys.stdin.readline().strip() or None)


def _tell(console: Console, line: str = "", *, is_line: bool = True) -> None:
    """Print for the person who labels: on stderr, so that --format json stays whole."""
    click.echo(line, err=True, nl=is_line, color=False if console.is_plain else None)


def _key() -> str:
    """The next key, or the first letter of the next line where input is no terminal."""
    if sys.stdin.isatty():
        return click.getchar()
    line = sys.stdin.readline()
    return line.strip()[:1] or "?" if line else ""


def _case(question: PairQuestion) -> list[str]:
    case = question.item.case
    head = style(f"{question.number}/{question.n_questions}  which is better?", bold=True)
    lines = ["", head + (f"  {case.route}" if case.route else ""), style("─" * WIDTH, dim=True)]
    for passage in case.passages:
        lines += _field(passage.name, passage.text)
    return lines + _field("answer 1", question.first) + _field("answer 2", question.second)


def _field(name: str, text: str) -> list[str]:
    """A named block of text, wrapped; very long text is cut, and says so."""
    shown = (
        text
        if len(text) <= LONGEST_FIELD
        else (f"{text[:LONGEST_FIELD]} … ({len(text) - LONGEST_FIELD:,} more characters)")
    )
    lines = [style(f"{name}:", bold=True)]
    for paragraph in _printable(shown).splitlines():
        lines += textwrap.wrap(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ") or [
            ""
        ]
    return lines


def _printable(text: str) -> str:
    """The text without control characters: an answer must not steer the annotator's terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def _lines(report: LabelReport) -> list[str]:
    counts = (
        f"{report.n_labelled} labelled, {report.n_skipped} skipped,"
        f" {report.n_left} left, {report.n_done} done before"
    )
    lines = [f"{report.annotator}: {counts}"]
    committed = report.committed
    if committed.commit:
        lines.append(f"{report.path} committed as {committed.commit[:10]}, by {committed.author}")
    elif report.n_labelled:
        lines.append(f"saved in {report.path}, not committed: {committed.reason or '--no-commit'}")
    if not report.n_left:
        lines.append("nothing is left to compare; next: gitloop pairs agree")
    return lines
