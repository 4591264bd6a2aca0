"""`gitloop golden`: look at golden sets, correct them, bring sets in and out."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, Verbs, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.golden import ChangeReport, MigrateReport, SetReport, TagReport

_WHY = click.option("--why", required=True, metavar="TEXT", help="The reason; kept for ever.")
_ONTO = click.option("--onto", metavar="BRANCH", help="Commit on BRANCH instead of a new one.")
_DRY = click.option("--dry-run", "is_dry_run", is_flag=True, help="Write nothing.")
_REV = click.option("--rev", "revision", metavar="REV", help="As that commit holds it.")


@click.group(cls=Verbs)
def golden() -> None:
    """Look at golden sets, correct them, and bring sets in and out.

    A set may be named NAME, or NAME@VERSION for an older version.
    """


@golden.command("list")
@_REV
@pass_console
def list_(console: Console, *, revision: str | None) -> None:
    """List the golden sets."""
    from gitloop.steps.golden import list_sets

    sets = list_sets(console.directory, revision)
    console.show({"sets": [asdict(found) for found in sets]}, lambda: _table(sets))


@golden.command()
@click.argument("name")
@click.argument("row", required=False)
@_REV
@pass_console
def show(console: Console, *, name: str, row: str | None, revision: str | None) -> None:
    """Show a golden set, or one of its rows."""
    from gitloop.steps.golden import show as step
    from gitloop.steps.golden import show_row

    if row is not None:
        value = show_row(console.directory, name, row, revision)
        console.show(value, lambda: [f"{key:<20} {_cell(cell)}" for key, cell in value.items()])
        return
    report = step(console.directory, name, revision)
    console.show(asdict(report), lambda: _summary(report))


@golden.command(cls=Verb, forms=("parquet", "jsonl", "csv", "hf"))
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A file; a directory for hf.")
@_REV
@pass_console
def export(console: Console, *, name: str, output: Path | None, revision: str | None) -> None:
    """Write a golden set as Parquet, JSON lines, CSV, or a Hugging Face data set.

    Without --output to stdout; a terminal gets JSON lines only.
    """
    from gitloop.steps.golden import export as step

    default = "jsonl" if output is None else output.suffix.lstrip(".")
    form = console.form if console.form != "text" else default
    if form not in ("parquet", "jsonl", "csv", "hf"):
        raise click.UsageError(f"{output} does not say the format: add --format parquet|jsonl|csv")
    if output is None and form == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is no text: add --output FILE")
    place = None if output is None else console.directory / output
    content = step(console.directory, name, form, output=place, revision=revision)
    if output is None:
        click.echo(content, nl=False)


@golden.command()
@click.argument("name")
@click.argument("rows", nargs=-1, required=True, metavar="ROW...")
@_WHY
@_ONTO
@_DRY
@pass_console
def retire(
    console: Console,
    *,
    name: str,
    rows: tuple[str, ...],
    why: str,
    onto: str | None,
    is_dry_run: bool,
) -> None:
    """Take rows out of a set, as a commit with a record."""
    from gitloop.steps.golden import ChangeRequest
    from gitloop.steps.golden import retire as step

    report = step(console.directory, ChangeRequest(name, why, onto, is_dry_run), rows)
    console.show(asdict(report), lambda: _changed(report))


@golden.command()
@click.argument("name")
@click.argument("rows", nargs=-1, required=True, metavar="ROW...")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    required=True,
    metavar="COLUMN=VALUE",
    help="labels.RUBRIC=pass|fail, reference=TEXT, …; repeatable.",
)
@_WHY
@_ONTO
@_DRY
@pass_console
def edit(
    console: Console,
    *,
    name: str,
    rows: tuple[str, ...],
    assignments: tuple[str, ...],
    why: str,
    onto: str | None,
    is_dry_run: bool,
) -> None:
    """Correct cells of rows, as a commit with a record; their ids and splits stay.

    Example: gitloop golden edit support 3fa2 --set labels.grounded=pass --why "misread the policy"
    """
    from gitloop.steps.golden import ChangeRequest
    from gitloop.steps.golden import edit as step

    request = ChangeRequest(name, why, onto, is_dry_run)
    report = step(console.directory, request, rows, assignments)
    console.show(asdict(report), lambda: _changed(report))


@golden.command()
@click.argument("name")
@click.option("--why", default="Fewer, larger parts", show_default=True, metavar="TEXT")
@_ONTO
@_DRY
@pass_console
def compact(console: Console, *, name: str, why: str, onto: str | None, is_dry_run: bool) -> None:
    """Join small parts up to the size limit; the dataset digest stays the same."""
    from gitloop.steps.golden import ChangeRequest
    from gitloop.steps.golden import compact as step

    report = step(console.directory, ChangeRequest(name, why, onto, is_dry_run))
    console.show(asdict(report), lambda: _changed(report))


@golden.command()
@click.argument("source")
@click.option("--set", "set_name", required=True, metavar="NAME", help="The new golden set.")
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="OURS=THEIRS",
    help="Our column from theirs, or from =CONSTANT; labels.RUBRIC takes a column of verdicts.",
)
@_ONTO
@pass_console
def migrate(
    console: Console, *, source: str, set_name: str, columns: tuple[str, ...], onto: str | None
) -> None:
    """Turn a Parquet, JSONL or CSV file of this repository into a golden set.

    Each commit that changed the file's rows becomes a version, with its date and subject.

    Example: gitloop golden migrate cases.csv --set cases --map labels.grounded=verdict
    """
    from gitloop.steps.golden import migrate as step

    mapping = dict(_pair(word) for word in columns)
    report = step(console.directory, source, set_name=set_name, columns=mapping, onto=onto)
    console.show(asdict(report), lambda: _migrated(report))


def _migrated(report: MigrateReport) -> list[str]:
    lines = [
        f"golden set {report.set}: {_n(report.n_rows, 'row')} of {report.source}",
        f"  {_n(len(report.versions), 'version')}, the newest {report.versions[-1]}",
    ]
    if report.masked:
        lines.append(f"  masked {_listed(report.masked)}")
    if report.passed_over:
        lines.append(f"passed over {_n(len(report.passed_over), 'older version')} of the file:")
        shown = [f"  {p.commit[:10]} {p.subject}: {p.reason}"[:96] for p in report.passed_over[-3:]]
        lines += shown
    lines.append(style(f"on branch {report.branch}", bold=True))
    return [*lines, f"  → git merge {report.branch}"]


@golden.command()
@click.argument("name", metavar="NAME[@VERSION]")
@click.option("--off", is_flag=True, help="Let the gate follow the newest version again.")
@pass_console
def pin(console: Console, *, name: str, off: bool) -> None:
    """Pin a set's version in params.yaml, for a gate that must not move."""
    from gitloop.steps.golden import pin as step

    report = step(console.directory, name, unpins=off)
    told = report.after or "the newest version"
    lines = [
        f"params.yaml: golden.sets.{report.set} is {told} (was {report.before or 'not pinned'})"
    ]
    if not report.is_here:
        lines.append("the gate reads that version, whatever the work tree holds")
    console.show(asdict(report), lambda: lines)


@golden.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_REV
@click.option("--push", "pushes", is_flag=True, help="Push the tags to the first remote.")
@pass_console
def tag(console: Console, *, names: tuple[str, ...], revision: str | None, pushes: bool) -> None:
    """Tag the version that each set has at HEAD, so that DVC and GTO find it.

    The tag is NAME@vYEAR.MONTH.N+DIGEST, N being the number of versions that month. Run it on the
    main line, after a merge; a version that has its tag keeps it.

    Example: gitloop golden tag && dvc artifacts get . support
    """
    from gitloop.steps.golden import tag as step

    reports = step(console.directory, names, revision=revision, pushes=pushes)
    console.show({"tags": [asdict(report) for report in reports]}, lambda: _tagged(reports))


def _tagged(reports: list[TagReport]) -> list[str]:
    lines = []
    for report in reports:
        told = "tagged" if report.is_new else "has its tag"
        lines.append(f"{report.tag:<36} {report.version} {told} at {report.commit[:10]}")
    return lines or ["no golden set has a version yet"]


def _pair(word: str) -> tuple[str, str]:
    ours, sign, theirs = word.partition("=")
    if not sign or not theirs:
        raise click.BadParameter(f"{word!r} is not OURS=THEIRS", param_hint="--map")
    return ours, theirs


def _table(sets: list[SetReport]) -> list[str]:
    if not sets:
        return ["no golden sets yet", "  → gitloop promote CLUSTER --set NAME"]
    lines = [style(f"{'set':<20} {'version':<30} {'rows':>7} {'parts':>6}  in the gate", bold=True)]
    for found in sets:
        gate = f"pinned at {found.pin}" if found.pin else "yes" if found.is_in_gate else "no"
        lines.append(
            f"{found.name:<20} {found.version or '–':<30} {found.n_rows:>7,}"
            f" {found.n_parts:>6}  {gate}"
        )
    return lines


def _summary(report: SetReport) -> list[str]:
    held = f"{_n(report.n_groups, 'group')}, in {_n(report.n_parts, 'part')}"
    return [
        style(f"{report.name} {report.version or '(empty)'}", bold=True),
        f"  rows      {report.n_rows:,} from {held}",
        f"  splits    {_listed(report.splits)}",
        f"  routes    {_listed(report.routes)}",
        f"  labels    {_listed(report.labels)}",
        f"  records   {report.n_records}",
        f"  digest    {report.sha256}",
        f"  → gitloop log {report.name}",
    ]


def _changed(report: ChangeReport) -> list[str]:
    done = {"edit": "corrected", "retire": "retired", "compact": "joined"}[report.kind]
    what = _n(len(report.row_ids), "row")
    if report.kind == "compact":
        what = _n(len(report.removed_parts), "part")
    told = f"{done} {what} of {report.set}: {report.version}, {_n(report.n_rows, 'row')}"
    lines = [style(told, bold=True)]
    if report.branch is None:
        return [*lines, "nothing was written (--dry-run)"]
    return [*lines, f"on branch {report.branch}", f"  → git merge {report.branch}"]


def _n(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _listed(counts: dict[str, int]) -> str:
    shown = [f"{name} {n:,}" for name, n in list(counts.items())[:5]]
    return ", ".join(shown) + (f", … {len(counts) - 5} more" if len(counts) > 5 else "")


def _cell(value: object) -> str:
    if isinstance(value, str):
        return "".join(letter if letter.isprintable() else " " for letter in value)
    return "–" if value is None else json.dumps(value, ensure_ascii=False)
