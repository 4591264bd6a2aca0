"""`gitloop label`: cases in the terminal, one key per verdict."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.core.label import Given, Item
    from gitloop.steps.label import LabelReport, Question

WIDTH = 80
LONGEST_FIELD = 4000
KEYS = {"p": "pass", "f": "fail", "s": "skip", "q": "quit"}
INTERRUPT = {"\x03", "\x04", ""}
"""Ctrl-C, Ctrl-D, and the end of a piped input."""


@click.command(cls=Verb)
@click.option("--as", "annotator", metavar="NAME", help="Who you are; default: the Git user.")
@click.option("--senior", is_flag=True, help="Settle what annotators disagree on; shows both.")
@click.option("--rubric", "rubrics", multiple=True, metavar="NAME", help="Only this rubric.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="A random sample of N traces, in place of clusters' representatives.",
)
@click.option(
    "--abstained",
    type=click.IntRange(min=1),
    metavar="N",
    help="Judge N random traces; label those on which a judge abstains.",
)
@click.option("--terminal", is_flag=True, help="Ask here in the terminal (the default).")
@pass_console
def label(
    console: Console,
    *,
    annotator: str | None,
    senior: bool,
    rubrics: tuple[str, ...],
    sample: int | None,
    abstained: int | None,
    terminal: bool,
) -> None:
    """Say pass or fail on cases; every answer is saved at once in labels/.

    \b
    gitloop label                 representatives of the open clusters
    gitloop label --sample 50     a random sample, to calibrate judges on
    gitloop label --abstained 200 what the judges leave to people, of 200 traces
    gitloop label --senior        what annotators disagree on
    """  # noqa: D301 -- \b is click's mark for a verbatim block
    from gitloop.steps.label import LabelPlan
    from gitloop.steps.label import label as step

    del terminal
    if sum((senior, sample is not None, abstained is not None)) > 1:
        raise click.UsageError("--senior, --sample and --abstained exclude each other")
    plan = LabelPlan(annotator, senior, rubrics, sample, abstained)
    report = step(console.directory, lambda question: _ask(console, question), plan)
    console.show(asdict(report), lambda: _lines(report))


def _ask(console: Console, question: Question) -> Given | str:
    """Show the case, take a key, and for a verdict the words that go with it."""
    from gitloop.core.label import Given

    for line in _case(question):
        _tell(console, line)
    while True:
        _tell(console, style("[p]ass  [f]ail  [s]kip  [q]uit ", bold=True), is_line=False)
        key = _key()
        if key in INTERRUPT:
            _tell(console)
            return "quit"
        verdict = KEYS.get(key.lower(), "")
        _tell(console, verdict or f"{key!r} is none of p, f, s, q")
        if verdict in {"skip", "quit"}:
            return verdict
        if verdict:
            break
    comment = _words(console, "why? (enter: say nothing) ")
    reference = (
        _words(console, "what should it have said? (enter: nothing) ")
        if (verdict == "fail")
        else None
    )
    return Given(verdict, comment, reference)


def _tell(console: Console, line: str = "", *, is_line: bool = True) -> None:
    """Print for the person who labels: on stderr, so that --format json stays whole."""
    click.echo(line, err=True, nl=is_line, color=False if console.is_plain else None)


def _key() -> str:
    """The next key, or the first letter of the next line where input is no terminal."""
    if sys.stdin.isatty():
        return click.getchar()
    line = sys.stdin.readline()
    return line.strip()[:1] or "?" if line else ""


def _words(console: Console, prompt: str) -> str | None:
    """What the person writes, or None."""
    _tell(console, prompt, is_line=False)
    return sys.stdin.readline().strip() or None


def _case(question: Question) -> list[str]:
    item = question.item
    place = " · ".join(part for part in (item.route, item.user_cohort, item.cluster_name) if part)
    lines = [
        "",
        style(f"{question.number}/{question.n_questions}  {item.rubric}", bold=True)
        + (f"  {place}" if place else ""),
        style("─" * WIDTH, dim=True),
    ]
    lines += _field("guidance", question.guidance) + _field("context", item.context)
    lines += _field("user", item.input) + _field("answer", item.output or "(no answer)")
    return lines + _opinions(item)


def _opinions(item: Item) -> list[str]:
    lines = []
    for opinion in item.opinions:
        lines += _field(
            opinion.annotator, " — ".join(filter(None, (opinion.label, opinion.comment)))
        )
        lines += _field(f"{opinion.annotator}'s reference", opinion.reference)
    return lines


def _field(name: str, text: str | None) -> list[str]:
    """A named block of text, wrapped; very long text is cut, and says so."""
    if not text:
        return []
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
    """The text without control characters: a trace must not steer the annotator's terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def _lines(report: LabelReport) -> list[str]:
    counts = (
        f"{report.n_labelled} labelled, {report.n_skipped} skipped,"
        f" {report.n_left} left, {report.n_done} done before"
    )
    lines = [f"{report.annotator}: {counts}"]
    if report.gone:
        lines.append(f"{len(report.gone)} traces are gone, first {report.gone[0]}")
    if report.n_labelled:
        lines.append(f"saved in {report.path}; next: git add {report.path}")
    elif not report.n_left:
        lines.append("nothing is left to label; next: gitloop agree")
    return lines
