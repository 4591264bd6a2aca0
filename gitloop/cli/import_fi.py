"""`gitloop import-fi`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from gitloop.cli.options import Console, Verb, pass_console


@click.command("import-fi", cls=Verb)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the policy there instead of printing it.",
)
@pass_console
def import_fi(console: Console, file: Path, output: Path | None) -> None:
    """Turn a fi-evaluation.yaml into a gate policy for params.yaml.

    Its assertions and thresholds become gate.assertions and gate.floors; its templates become
    rubrics, which you write. What cannot be carried over is named with its line, on stderr.
    """
    from gitloop.steps.import_fi import import_fi as step

    report = step(file, output)
    console.show(asdict(report), lambda: [] if output else [report.policy.rstrip("\n")])
    if console.is_quiet or console.form != "text":
        return
    for note in report.notes:
        click.echo(f"gitloop: {note}", err=True)
    told = f"{report.n_assertions} assertions, {report.n_floors} floors"
    click.echo(
        f"gitloop: {told}; rubrics to write: {', '.join(report.rubrics) or 'none'}", err=True
    )
    place = output or "the lines above"
    click.echo(f"  → put {place} into params.yaml; for each rubric: gitloop rubric", err=True)
