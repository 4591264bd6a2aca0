"""`gitloop rubric`: what is scored, and how."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, Verbs, pass_console, style
from gitloop.errors import ExitCode

if TYPE_CHECKING:
    from gitloop.steps.rubric import LintReport, RubricDetail, RubricLine


@click.group(cls=Verbs)
def rubric() -> None:
    """Look at the rubrics: what is scored, and how."""


@rubric.command("list", cls=Verb)
@pass_console
def list_(console: Console) -> None:
    """Every rubric with its version and its judge."""
    from gitloop.steps.rubric import list_rubrics

    found = list_rubrics(console.directory)
    console.show({"rubrics": [asdict(line) for line in found]}, lambda: _table(found))


@rubric.command("show", cls=Verb)
@click.argument("name")
@pass_console
def show(console: Console, name: str) -> None:
    """What rubric NAME says."""
    from gitloop.steps.rubric import show_rubric

    found = show_rubric(console.directory, name)
    console.show(asdict(found), lambda: _detail(found))


@rubric.command("lint", cls=Verb)
@click.argument("names", nargs=-1)
@pass_console
def lint(console: Console, names: tuple[str, ...]) -> int:
    """Every fault of the rubrics NAMES, or of all; exit code 4 if there is one.

    A rubric's text that changed without its version is a fault: scores would mix.
    """
    from gitloop.steps.rubric import lint_rubrics

    report = lint_rubrics(console.directory, names)
    console.show(asdict(report), lambda: _faults(report))
    return ExitCode.CONFIG if report.faults else ExitCode.OK


def _table(found: list[RubricLine]) -> list[str]:
    if not found:
        return ["there are no rubrics; next: gitloop init"]
    width = max(len(line.rubric) for line in found)
    lines = []
    for line in found:
        judge = line.judge or "not pinned in params.yaml"
        head = f"{style(line.rubric.ljust(width), bold=True)}  {line.version or '?':8}  {judge}"
        lines += [head, f"{' ' * width}  {line.description}"] if line.description else [head]
    return lines


def _detail(found: RubricDetail) -> list[str]:
    from gitloop.documents import dump

    head = f"# {found.path}, judged by {found.judge or 'nobody: not pinned in params.yaml'}"
    return [head, f"# content {found.sha256}", *dump(found.rubric).splitlines()]


def _faults(report: LintReport) -> list[str]:
    lines = [f"{style('x', fg='red')} {fault}" for fault in report.faults]
    plural = "s" if report.n_rubrics != 1 else ""
    return [*lines, f"{report.n_rubrics} rubric{plural}, {len(report.faults)} with faults"]
