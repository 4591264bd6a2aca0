"""A person at the terminal: what they are shown, and the keys and words that they answer with."""

from __future__ import annotations

import signal
import sys
import textwrap
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, style

if TYPE_CHECKING:
    from gitloop.steps.label import LabelReport

WIDTH = 80
LONGEST_FIELD = 4000


def tell(console: Console, line: str = "", *, is_line: bool = True) -> None:
    """Print for the person who labels: on stderr, so that --format json stays whole."""
    click.echo(line, err=True, nl=is_line, color=False if console.is_plain else None)


def key() -> str:
    """The next key, or the first letter of the next line where input is no terminal.

    "" at the end: Ctrl-C, Ctrl-D, or the end of a piped input.
    """
    if sys.stdin.isatty():
        try:
            return click.getchar()
        except (KeyboardInterrupt, EOFError):  # how click tells these two keys
            return ""
    answer = read_line()
    return answer.strip()[:1] or "?" if answer else ""


def read_line() -> str:
    """The next line of the input, "" at its end; Ctrl-C ends the wait for it.

    polars has a handler of its own for Ctrl-C, under which the system goes on with a read that was
    interrupted: without the call nothing would happen until Enter.
    """
    signal.siginterrupt(signal.SIGINT, True)
    return sys.stdin.readline()


def words(console: Console, prompt: str) -> str | None:
    """What the person writes, or None."""
    tell(console, prompt, is_line=False)
    try:
        return read_line().strip() or None
    except KeyboardInterrupt:
        tell(console)
        raise


def field(name: str, text: str | None) -> list[str]:
    """A named block of text, wrapped; very long text is cut, and says so."""
    if not text:
        return []
    more = len(text) - LONGEST_FIELD
    shown = text if more <= 0 else f"{text[:LONGEST_FIELD]} … ({more:,} more characters)"
    lines = [style(f"{name}:", bold=True)]
    for paragraph in printable(shown).splitlines():
        wrapped = textwrap.wrap(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ")
        lines += wrapped or [""]
    return lines


def printable(text: str) -> str:
    """The text without control characters: a trace must not steer the annotator's terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def session_lines(report: LabelReport, *, when_done: str) -> list[str]:
    """How a session went; `when_done` is told where nothing is left."""
    counts = (
        f"{report.n_labelled} labelled, {report.n_skipped} skipped,"
        f" {report.n_left} left, {report.n_done} done before"
    )
    lines = [f"{report.annotator}: {counts}"]
    if report.gone:
        lines.append(f"{len(report.gone)} cases are gone, first {report.gone[0]}")
    committed = report.committed
    if committed.commit:
        lines.append(f"{report.path} committed as {committed.commit[:10]}, by {committed.author}")
    elif report.n_labelled:
        lines.append(f"saved in {report.path}, not committed: {committed.reason or '--no-commit'}")
    return lines if report.n_left else [*lines, when_done]
