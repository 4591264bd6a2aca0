"""`gitloop demo`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.demo import Event

# What a command prints may take all 80 columns: nothing is indented.
_LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "title": ("\n", {"bold": True, "fg": "cyan"}),
    "line": ("", {}),
    "note": ("· ", {"dim": True}),
    "command": ("\n$ ", {"bold": True}),
    "output": ("", {"dim": False}),
}


@click.command(cls=Verb)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=7,
    show_default=True,
    help="Seed of the generated scenario.",
)
@click.option(
    "--traces",
    "n_traces",
    type=click.IntRange(min=400),
    default=1200,
    show_default=True,
    help="Traces of the scenario.",
)
@pass_console
def demo(console: Console, directory: Path | None, seed: int, n_traces: int) -> None:
    """Walk the whole loop in a new repository, in under a minute.

    Builds a real Git and DVC repository in DIRECTORY (default: gitloop-demo) from a generated
    support assistant, and runs every stage in front of you. Needs no key, model or network.
    """
    from gitloop.steps.demo import demo as step

    place = console.directory / (directory or Path("gitloop-demo"))
    report = step(place, seed=seed, n_traces=n_traces, tell=lambda event: _tell(console, event))
    console.show(asdict(report), lambda: _where_to_look(report.directory))


def _tell(console: Console, event: Event) -> None:
    lead, look = _LOOKS[event.kind]
    console.say(lead + style(event.text, **look))


def _where_to_look(directory: str) -> list[str]:
    return [
        "",
        style("Where to look", bold=True, fg="cyan"),
        f"cd {directory}",
        "git log --graph --oneline              how the repository got here",
        "git diff main~1 main -- prompts        what the last pull request changed",
        "dvc metrics diff main~1 main           what that did to the numbers",
        "gitloop gate --check                   the verdict, again",
        "loop/gate/report.html                  the report, in a browser",
        "loop/optimize/report.md                what the optimizer tried",
    ]
