"""`gitloop init`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.init import InitReport


@click.command(cls=Verb)
@click.option(
    "--set",
    "set_name",
    default="regressions",
    show_default=True,
    metavar="NAME",
    help="Name of the first golden set.",
)
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab", "none"]),
    default="github",
    show_default=True,
    help="Workflow to write.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@pass_console
def init(console: Console, set_name: str, ci: str, force: bool) -> None:
    """Turn this Git repository into a gitloop repository.

    Writes dvc.yaml, params.yaml, a rubric, a prompt and the Git drivers. Never overwrites a file
    without --force.
    """
    from gitloop.steps.init import init as step

    report = step(console.directory, set_name=set_name, ci=ci, is_forced=force)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: InitReport) -> list[str]:
    lines = ["DVC is set up, its analytics off"] if report.was_dvc_initialised else []
    lines += [f"{style('new', fg='green')}      {path}" for path in report.created]
    lines += [f"{style('replaced', fg='yellow')} {path}" for path in report.replaced]
    lines += [f"extended {path} ({n} rules)" for path, n in report.extended.items()]
    lines += [f"kept     {len(report.kept)} files as they are"] if report.kept else []
    changed = report.created or report.replaced or report.extended or report.was_dvc_initialised
    head = f"{report.root} is a gitloop repository" + ("" if changed else "; nothing to do")
    return [*lines, "", style(head, bold=True), *(f"  → {command}" for command in report.next)]
