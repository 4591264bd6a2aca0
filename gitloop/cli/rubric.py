"""`gitloop rubric`: what is scored, and how."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, Verbs, pass_console, style
from gitloop.errors import ExitCode

if TYPE_CHECKING:
    from gitloop.steps.rubric import (
        AddReport,
        LintReport,
        RubricDetail,
        RubricDiff,
        RubricLine,
        ShelfLine,
    )


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


@rubric.command("diff", cls=Verb)
@click.argument("name")
@click.argument("before", default="HEAD")
@click.argument("after", required=False)
@pass_console
def diff(console: Console, name: str, before: str, after: str | None) -> None:
    """How rubric NAME changed between BEFORE and AFTER, by default HEAD and the work tree.

    Says whether scores of the two may be compared.
    """
    from gitloop.steps.rubric import diff_rubric

    found = diff_rubric(console.directory, name, before, after)
    console.show(asdict(found), lambda: _diff(found))


@rubric.command("shelf", cls=Verb)
@pass_console
def shelf(console: Console) -> None:
    """The ready rubrics that gitloop brings along."""
    from gitloop.steps.rubric import list_shelf

    found = list_shelf()
    console.show({"rubrics": [asdict(line) for line in found]}, lambda: _shelf(found))


@rubric.command("add", cls=Verb)
@click.argument("name")
@pass_console
def add(console: Console, name: str) -> None:
    """Copy the ready rubric NAME to rubrics/, from where it is yours to change."""
    from gitloop.steps.rubric import add_rubric

    found = add_rubric(console.directory, name)
    console.show(asdict(found), lambda: _added(found))


def _diff(found: RubricDiff) -> list[str]:
    if not found.lines:
        return [f"{found.rubric} is the same, version {found.after}"]
    colours = {"+": "green", "-": "red"}
    lines = [style(line, fg=colours.get(line[:1])) for line in found.lines]
    if found.is_silent:
        told = f"version {found.after} has two texts: bump it, because scores of both would mix"
        return [*lines, f"{style('x', fg='red')} {told}"]
    if found.is_rescored:
        told = f"{found.before} → {found.after}: a change point; scores of the two do not compare"
        return [*lines, told]
    return [*lines, "nothing that changes a score; scores of the two compare"]


def _shelf(found: list[ShelfLine]) -> list[str]:
    lines = []
    for line in found:
        judges = f"local ({line.metric}), openai" if line.metric else "openai"
        lines.append(f"{style(line.rubric, bold=True)}  {judges}; needs {', '.join(line.requires)}")
        lines.append(f"  {line.description}")
    return [*lines, "next: gitloop rubric add NAME"]


def _added(found: AddReport) -> list[str]:
    return [
        f"{style(found.path, bold=True)}  for {', '.join(found.judges)}",
        "params.yaml: rubrics:",
        f"  {found.pin}",
        "next: gitloop rubric lint",
    ]


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
