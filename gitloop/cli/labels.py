"""`gitloop labels`: labels from and to other tools' files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, Verbs, pass_console

if TYPE_CHECKING:
    from gitloop.steps.labels import ExportReport, ImportReport

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PERSON = click.option(
    "--person",
    "people",
    multiple=True,
    metavar="ID=NAME",
    help="Another tool's id of a person, and our name for them.",
)


@click.group(cls=Verbs)
def labels() -> None:
    """Bring labels in from files of other tools, and take them out."""


@labels.command("import", cls=Verb)
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option(
    "--from",
    "file_format",
    type=click.Choice(["jsonl", "csv", "label-studio", "argilla"]),
    help="The files' format; default: by their names.",
)
@click.option("--as", "annotator", metavar="NAME", help="Who labelled, where no label says so.")
@click.option(
    "--role",
    type=click.Choice(["annotator", "senior"]),
    help="What their word weighs, where no label says so; default: as before, or annotator.",
)
@click.option(
    "--guidance",
    metavar="VERSION",
    help="What they followed, where no label says so.",
)
@PERSON
@click.option(
    "--grades",
    default="1:5",
    show_default=True,
    metavar="WORST:BEST",
    help="The scale of another tool's ratings.",
)
@pass_console
def import_(  # noqa: PLR0917 -- one per option
    console: Console,
    files: tuple[Path, ...],
    file_format: str | None,
    annotator: str | None,
    role: str | None,
    guidance: str | None,
    people: tuple[str, ...],
    grades: str,
) -> None:
    """Append the labels in FILES to labels/; all of them, or none when one is faulty.

    \b
    gitloop labels import ratings.csv --as amara
    gitloop labels import tasks.json --from label-studio --person 3=amara
    """  # noqa: D301 -- \b is click's mark for a verbatim block
    from gitloop.core.labels import Dialect
    from gitloop.steps.labels import ImportPlan, import_labels

    dialect = Dialect(_people(people), *_grades(grades))
    plan = ImportPlan(file_format, annotator, role, dialect, guidance)
    report = import_labels(console.directory, files, plan)
    console.show(asdict(report), lambda: _import_lines(report))


@labels.command("export", cls=Verb)
@click.option(
    "--to",
    "file_format",
    type=click.Choice(["jsonl", "csv", "label-studio", "label-studio-config", "argilla"]),
    default="jsonl",
    show_default=True,
    help="The format to write.",
)
@click.option("--rubric", "rubrics", multiple=True, metavar="NAME", help="Only this rubric.")
@click.option("--wanted", is_flag=True, help="Send unlabelled representatives along.")
@PERSON
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
@pass_console
def export(
    console: Console,
    file_format: str,
    rubrics: tuple[str, ...],
    wanted: bool,
    people: tuple[str, ...],
    output: Path | None,
) -> None:
    """Print the labels in force, each person's last word on each trace and rubric.

    \b
    gitloop labels export --to label-studio --person amara@example.org=amara
    """  # noqa: D301 -- \b is click's mark for a verbatim block
    from gitloop.steps.labels import ExportPlan, export_labels

    plan = ExportPlan(file_format, rubrics, wanted, output, _people(people))
    report = export_labels(console.directory, plan)
    if report.strangers:
        click.echo(f"gitloop: {file_format} knows no {', '.join(report.strangers)}", err=True)
        click.echo(f"  → say who they are there: --person ID={report.strangers[0]}", err=True)
    if output is None and console.form == "text":
        click.echo(report.text, nl=False)
    else:
        console.show(asdict(report), lambda: _export_lines(report))


def _people(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        theirs, sign, ours = pair.partition("=")
        if not (theirs and sign and ours):
            raise click.BadParameter(f"{pair!r} is not ID=NAME", param_hint="--person")
        found[theirs] = ours
    return found


def _grades(scale: str) -> tuple[float, float]:
    try:
        worst, best = (float(end) for end in scale.split(":"))
    except ValueError:
        worst = best = 0.0
    if worst == best:
        raise click.BadParameter(f"{scale!r} is not WORST:BEST", param_hint="--grades")
    return worst, best


def _import_lines(report: ImportReport) -> list[str]:
    new = f"{report.n_new} new ({report.n_replaced} replace older ones)"
    lines = [f"{report.n_read} labels read: {new}, {report.n_unchanged} there already"]
    lines += [f"  {path}: {n} lines" for path, n in report.files.items()]
    if report.no_verdicts:
        told = ", ".join(repr(said) for said in sorted(set(report.no_verdicts))[:3])
        lines.append(f"{len(report.no_verdicts)} are no verdict, and abstain: {told}")
    if report.n_without_trace:
        lines.append(f"{report.n_without_trace} speak of traces that are not in data/traces")
    if report.files:
        lines.append("next: git add labels, then gitloop agree")
    return lines


def _export_lines(report: ExportReport) -> list[str]:
    people = ", ".join(f"{name} {n}" for name, n in report.annotators.items())
    lines = [f"{report.n_labels} labels in {report.path} ({people or 'nobody'})"]
    if report.n_left_out:
        lines.append(f"{report.n_left_out} labels of spans, sessions and the like stayed here")
    return lines
