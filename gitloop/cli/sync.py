"""`gitloop sync`."""

from __future__ import annotations

from dataclasses import asdict

import click

from gitloop.cli.options import Console, Verb, pass_console
from gitloop.errors import ExitCode


@click.command(cls=Verb)
@click.argument("base", required=False)
@pass_console
def sync(console: Console, *, base: str | None) -> int:
    """Merge the base branch into yours here, row by row: forges run no merge drivers.

    Exit 5 when rows are in conflict.
    """
    from gitloop.steps.merge import sync as step

    report = step(console.directory, base)
    told = [f"{report.base} is merged: {report.commit[:10]}", "  → git push"]
    if not report.is_new:
        told = [f"{report.base} is part of this branch: nothing to merge"]
    if not report.is_merged:
        told = [f"in conflict: {path}" for path in report.conflicts]
        told += ["  → gitloop conflicts"]
    console.show(asdict(report), lambda: told)
    return ExitCode.OK if report.is_merged else ExitCode.DATA
