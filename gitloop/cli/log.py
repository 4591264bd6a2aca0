"""`gitloop log`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.cli.terminal import WIDTH

if TYPE_CHECKING:
    from gitloop.steps.log import LogEntry


@click.command(cls=Verb)
@click.argument("name")
@click.option("--graph", is_flag=True, help="Show which version grew out of which.")
@click.option("-n", "limit", type=click.IntRange(min=1), metavar="N", help="The newest N only.")
@click.option("--rev", "revision", metavar="REV", help="As that commit holds it.")
@pass_console
def log(
    console: Console, *, name: str, graph: bool, limit: int | None, revision: str | None
) -> None:
    """Show the versions of a golden set, the newest first.

    The records in the tree are read, so a squash or rebase loses nothing.
    """
    from gitloop.steps.log import log as step

    entries = step(console.directory, name, revision)[:limit]
    value = {"set": name, "versions": [asdict(entry) for entry in entries]}
    console.show(value, lambda: _lines(entries, is_graph=graph))


def _lines(entries: list[LogEntry], *, is_graph: bool) -> list[str]:
    lines: list[str] = []
    lanes: list[str] = []
    for entry in entries:
        lead, follow = _lanes(lanes, entry) if is_graph else ("", "")
        counts = f"+{entry.n_added} ~{entry.n_changed} -{entry.n_retired}"
        head = f"{entry.version}  {entry.kind:<8} {counts:<14} {entry.n_rows:>6} rows"
        lines.append(f"{lead}{style(head, fg='yellow')}  {entry.created_at[:10]}")
        origin = f"{entry.commit[:10]} {entry.author}" if entry.commit else "not merged yet"
        told = f"{follow}    {origin}: {entry.why or entry.subject or ''}"
        lines.append(told if len(told) <= WIDTH else f"{told[: WIDTH - 1]}…")
        if entry.clusters:
            told = f"{follow}    clusters "
            lines.append(told + _listed(entry.clusters, WIDTH - len(told)))
    return lines or ["no version yet"]


def _lanes(lanes: list[str], entry: LogEntry) -> tuple[str, str]:
    """The graph's signs before an entry's first line and before its others.

    A lane waits for the record that it leads to; an entry takes its lane, its parents follow.
    """
    if entry.record not in lanes:
        lanes.append(entry.record)
    place = lanes.index(entry.record)
    lead = "".join("* " if n == place else "| " for n in range(len(lanes)))
    parents = [parent for parent in entry.parents if parent not in lanes]
    lanes[place : place + 1] = parents
    while entry.record in lanes:
        lanes.remove(entry.record)
    return lead, "| " * len(lanes)


def _listed(names: tuple[str, ...], room: int) -> str:
    """As many names as there is room for, one at least, and how many more there are."""
    for n_shown in range(len(names), 0, -1):
        n_left = len(names) - n_shown
        told = ", ".join(names[:n_shown]) + (f" and {n_left} more" if n_left else "")
        if len(told) <= room:
            break
    return told
