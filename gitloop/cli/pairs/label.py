"""`gitloop pairs label`: two answers in the terminal, one key per preference."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.pairs.label import PairLabelReport, PairQuestion, Pick

WIDTH = 80
LONGEST_FIELD = 4000
KEYS = {"1": "first", "2": "second", "t": "tie", "s": "skip", "q": "quit"}
INTERRUPT = {"\x03", "\x04", ""}
"""Ctrl-C, Ctrl-D, and the end of a piped input."""


@click.command(cls=Verb)
@click.option("--as", "annotator", metavar="NAME", help="Who you are; default: the Git user.")
@click.option("--senior", is_flag=True, help="Settle pairs: your word decides.")
@click.option("--review", is_flag=True, help="Go through the review queue, not the sample.")
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Pairs to label, not pairs.sample."
)
@pass_console
def label(
    console: Console, *, annotator: str | None, senior: bool, review: bool, sample: int | None
) -> None:
    """Say which of two answers is better; every word is saved at once in labels/.

    Blind: which one is "chosen" and what others said is not shown, and sides and order are drawn
    for each annotator.
    """
    from gitloop.steps.pairs.label import PairLabelPlan, label_pairs

    plan = PairLabelPlan(annotator, senior, review, sample)
    report = label_pairs(console.directory, lambda question: _ask(console, question), plan)
    console.show(asdict(report), lambda: _lines(report))


def _ask(console: Console, question: PairQuestion) -> Pick | str:
    """Show prompt and answers, take a key, and for a preference the words that go with it."""
    from gitloop.steps.pairs.label import Pick

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
            return Pick(choice, sys.stdin.readline().strip() or None)


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
    item = question.item
    head = style(f"{question.number}/{question.n_questions}  which is better?", bold=True)
    lines = ["", head + (f"  {item.route}" if item.route else ""), style("─" * WIDTH, dim=True)]
    for role, content in item.history:
        lines += _field(role, content)
    lines += _field("user", item.prompt)
    return lines + _field("answer 1", item.first) + _field("answer 2", item.second)


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


def _lines(report: PairLabelReport) -> list[str]:
    counts = (
        f"{report.n_labelled} labelled, {report.n_skipped} skipped, {report.n_left} left,"
        f" {report.n_done} done before, {report.n_full} done by others"
    )
    lines = [f"{report.annotator}: {counts}"]
    if report.n_labelled:
        lines.append(f"saved in {report.path}; next: git add {report.path}")
    elif not report.n_left:
        lines.append("nothing is left to compare; next: gitloop pairs agree")
    return lines
