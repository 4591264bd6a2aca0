"""`gitloop pairs constitution`."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from gitloop.cli.options import Console, Verb, pass_console, style


@click.command(cls=Verb)
@pass_console
def constitution(console: Console) -> None:
    """Print a clause per rubric, for a model that criticises and revises its own answers.

    Principle, critique request and revision request; an export holds the same in
    constitution.json.
    """
    from gitloop.steps.pairs.constitution import read_constitution

    found = read_constitution(console.directory)
    console.show({"clauses": found}, lambda: _lines(found))


def _lines(clauses: list[dict[str, Any]]) -> list[str]:
    lines = []
    for clause in clauses:
        lines.append(style(f"{clause['rubric']} {clause['version']}", bold=True))
        lines += textwrap.wrap(clause["principle"], 80, initial_indent="  ", subsequent_indent="  ")
    return lines or ["no rubric says in words what it wants; add guidance to rubrics/<name>.yaml"]
