"""`gitloop blame`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console
from gitloop.cli.terminal import WIDTH

if TYPE_CHECKING:
    from gitloop.steps.log import BlameLine


@click.command(cls=Verb)
@click.argument("name")
@click.argument("row", default="")
@click.option("--rev", "revision", metavar="REV", help="As that commit holds it.")
@pass_console
def blame(console: Console, *, name: str, row: str, revision: str | None) -> None:
    """Show which version last changed each row of a golden set, and who labelled it."""
    from gitloop.steps.log import blame as step

    lines = step(console.directory, name, row, revision)
    console.show(
        {"set": name, "rows": [asdict(line) for line in lines]},
        lambda: [told for line in lines for told in _told(line)],
    )


def _told(line: BlameLine) -> list[str]:
    """One line of the terminal, or two where the labels are many."""
    head = (
        f"{line.row_id}  {(line.commit or '–')[:10]:<10} {line.created_at[:10]}"
        f" {line.kind:<8} {(line.author or '–')[:16]:<16}"
    )
    labels = ", ".join(line.labels)
    fits = len(head) + 1 + len(labels) <= WIDTH
    return [f"{head} {labels}"] if fits else [head.rstrip(), f"    {labels}"]
