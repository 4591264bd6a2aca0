"""`gitloop conflicts`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.errors import ExitCode

if TYPE_CHECKING:
    from gitloop.steps.merge import ConflictReport


@click.command(cls=Verb)
@pass_console
def conflicts(console: Console) -> int:
    """Show the golden rows that stand in the way of the merge in progress.

    Works without the drivers too. Exit 5 while rows are open.
    """
    from gitloop.steps.merge import conflicts as step

    report = step(console.directory)
    console.show(asdict(report), lambda: lines(report))
    return ExitCode.DATA if report.rows else ExitCode.OK


def lines(report: ConflictReport) -> list[str]:
    """The open rows cell by cell, what was settled, and the next command."""
    told = []
    for row in report.rows:
        told.append(style(f"{row.row_id}  {row.path}", bold=True))
        if not row.columns:
            gone = "we" if row.ours is None else "they"
            told.append(f"  {gone} took it away, the other side changed it")
        for column in row.columns:
            sides = ("base", "ours", "theirs")
            told.append(f"  {column}")
            told += [f"    {side:<7} {_cell(getattr(row, side), column)}" for side in sides]
    told += [f"merged and staged: {path}" for path in report.settled]
    told += [f"not golden rows, settle by hand: {path}" for path in report.others]
    if report.rows:
        told.append("  → gitloop resolve ROW --with ours|theirs|ancestor|delete|FILE")
    elif report.settled:
        told.append("  → git commit" if not report.others else "  → git status")
    return told or ["no golden row is in conflict"]


def _cell(side: Mapping[str, Any] | None, column: str) -> str:
    if side is None:
        return "–"
    value = side[column]
    if column == "labels":
        text = ", ".join(f"{label['rubric']}: {label['expected']}" for label in value) or "none"
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 66 else f"{text[:65]}…"
