"""`gitloop baseline`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console

if TYPE_CHECKING:
    from gitloop.steps.baseline import BaselineReport


@click.command(cls=Verb)
@click.option("--main", metavar="BRANCH", help="The main line. Default: the remote's, else main.")
@click.option(
    "--window-days",
    type=click.IntRange(min=1),
    metavar="N",
    help="Days before the tip. Default: gate.window_days.",
)
@pass_console
def baseline(console: Console, main: str | None, window_days: int | None) -> None:
    """Pin the main line's recent runs: what every gate compares with from now on.

    Nothing is run and nothing checked out: the commits' dvc.lock files name their scores. Commit
    loop/baseline/baseline.json afterwards.
    """
    from gitloop.steps.baseline import baseline as step

    report = step(console.directory, main=main, window_days=window_days, progress=console.progress)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: BaselineReport) -> list[str]:
    n = len(report.runs)
    what = f"pinned {n} run{'s' if n != 1 else ''} of {report.main}"
    lines = [f"{what}: what was scored in {report.n_commits} commits, {report.window_days} days"]
    for run in report.runs:
        sets = ", ".join(
            f"{name} {dataset['version'] or '(empty)'} ({dataset['n_rows']} rows)"
            for name, dataset in run["datasets"].items()
        )
        lines.append(f"  {run['commit'][:12]}  {run['committed_at'][:10]}  {sets}")
    if report.skipped:
        named = ", ".join(sha[:12] for sha in report.skipped)
        lines.append(f"  left out, their scores are nowhere to be had: {named}")
    if report.is_changed:
        lines.append(f"  → git add {report.path}, then dvc repro gate")
    else:
        lines.append(f"  {report.path} is as it was")
    return lines
