"""`gitloop pairs doctor`."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.pairs.doctor import DoctorReport

WIDTH = 80
_MARKS = {"ok": ("✓", "green"), "open": ("!", "yellow"), "first": ("✗", "red")}
_COLOURS = {"yes": "green", "not yet": "yellow"}


@click.command(cls=Verb)
@pass_console
def doctor(console: Console) -> None:
    """Say whether preference tuning is the right lever now, and what stands in its way.

    yes / not yet, because … / use prompt optimisation first. params.yaml: pairs.readiness.
    """
    from gitloop.steps.pairs.doctor import examine_pairs

    report = examine_pairs(console.directory)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: DoctorReport) -> list[str]:
    found = report.diagnosis
    word = found.verdict + (", because" if found.reasons and found.verdict == "not yet" else "")
    lines = [style(word, fg=_COLOURS.get(found.verdict, "red"), bold=True)]
    for reason in found.reasons:
        lines += textwrap.wrap(reason, WIDTH, initial_indent="  – ", subsequent_indent="    ")
    lines.append("")
    for one in found.findings:
        mark, colour = _MARKS[one.state]
        head = f"  {one.name:<16}"
        told = textwrap.wrap(one.fact, WIDTH - len(head)) or [""]
        lines.append(style(mark, fg=colour) + head[1:] + told[0])
        lines += [" " * len(head) + line for line in told[1:]]
        if one.next and one.state != "ok":
            lines += textwrap.wrap(
                f"→ {one.next}",
                WIDTH,
                initial_indent=" " * len(head),
                subsequent_indent=" " * (len(head) + 2),
            )
    return lines
