"""`gitloop resolve`."""

from __future__ import annotations

from dataclasses import asdict

import click

from gitloop.cli.options import Console, Verb, pass_console


@click.command(cls=Verb)
@click.argument("row")
@click.option(
    "--with",
    "choice",
    required=True,
    metavar="CHOICE",
    help="ours, theirs, ancestor, delete, or a JSON file with the cells.",
)
@pass_console
def resolve(console: Console, *, row: str, choice: str) -> None:
    """Decide a golden row that is in conflict.

    With the last row of a part, the merged part is written and its pointer staged. Cells that
    merged without a conflict stay merged, whatever is chosen for the others.
    """
    from gitloop.cli.conflicts import lines
    from gitloop.steps.merge import resolve as step

    report = step(console.directory, row, choice)
    console.show(asdict(report), lambda: lines(report))
