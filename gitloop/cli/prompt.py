"""`gitloop prompt`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, Verbs, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.prompt import PromptDiff


@click.group(cls=Verbs)
def prompt() -> None:
    """Look at the prompt: as the application is sent it, and what a change changes."""


@prompt.command(cls=Verb)
@click.argument("row", required=False, metavar="[ROW]")
@click.option("--input", "text", metavar="TEXT", help="A text in place of a golden row.")
@click.option("--file", "candidate", metavar="PATH", help="Another prompt file than the target's.")
@pass_console
def render(console: Console, *, row: str | None, text: str | None, candidate: str | None) -> None:
    """Show the prompt for a golden row, as the application is sent it; ROW may be shortened.

    Example: gitloop prompt render 3fa2 --file loop/optimize/candidates/9460ab7d52b7.md
    """
    from gitloop.steps.prompt import render_prompt

    if row and text is not None:
        raise click.UsageError("a row and --input exclude each other")
    found = render_prompt(console.directory, row, text, candidate)
    console.show(asdict(found), lambda: found.text.rstrip("\n").split("\n"))


@prompt.command(cls=Verb)
@click.argument("before", default="HEAD", metavar="[BEFORE]")
@click.argument("after", required=False, metavar="[AFTER]")
@pass_console
def diff(console: Console, *, before: str, after: str | None) -> None:
    """Show what changed in the prompt since BEFORE (HEAD), or from BEFORE to AFTER.

    Example: gitloop prompt diff main HEAD
    """
    from gitloop.steps.prompt import diff_prompts

    found = diff_prompts(console.directory, before, after)
    console.show(asdict(found), lambda: _lines(found))


def _lines(found: PromptDiff) -> list[str]:
    if not found.diff:
        return [f"{found.before}: nothing changed"]
    lines = [style(f"{found.before} → {found.after}", bold=True), *found.diff.splitlines()]
    if found.variables_added or found.variables_removed:
        lines.append(
            f"placeholders: {' '.join(f'+{name}' for name in found.variables_added)}"
            f" {' '.join(f'-{name}' for name in found.variables_removed)}".rstrip()
        )
    if not found.is_sent:
        lines.append("the application is sent what it was sent before")
    elif not found.is_bumped:
        lines.append("the version is the same: bump it, so that traces tell the two apart")
    return lines
