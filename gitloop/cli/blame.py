"""`gitloop blame`."""

from __future__ import annotations

from dataclasses import asdict

import click

from gitloop.cli.options import Console, Verb, pass_console


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
        lambda: [
            f"{line.row_id}  {(line.commit or '–')[:10]:<10} {line.created_at[:10]}"
            f" {line.kind:<8} {(line.author or '–')[:16]:<16} {', '.join(line.labels)}"
            for line in lines
        ],
    )
