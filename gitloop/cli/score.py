"""`gitloop score`: the target's outputs on the golden rows, judged."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.score import ScoreReport


@click.command(cls=Verb)
@pass_console
def score(console: Console) -> None:
    """Run the application on every golden row, and judge what it says.

    \b
    gitloop score && gitloop gate --check
    """  # noqa: D301 -- \b is click's mark for a verbatim block
    from gitloop.steps.score import score as step

    report = step(console.directory, console.progress)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: ScoreReport) -> list[str]:
    lines = []
    for found in report.sets:
        failed = f", {found.n_output_errors} without an output" if found.n_output_errors else ""
        lines.append(f"golden/{found.set}  {found.version}  {found.n_rows} rows{failed}")
    width = max((len(found.rubric) for found in report.rubrics), default=0)
    for rubric in report.rubrics:
        mean = "no score" if rubric.mean is None else f"mean {rubric.mean:.3f}"
        counts = ", ".join(f"{n} {name}" for name, n in rubric.statuses.items() if name != "ok")
        told = style(f"  {counts}", fg="yellow") if counts else ""
        lines.append(
            f"  {style(rubric.rubric.ljust(width), bold=True)}  {mean} of {rubric.n}{told}"
        )
    calls = f"{report.n_called} calls made, {report.n_recorded} from the call store"
    return [*lines, f"{calls}; next: gitloop gate"]
