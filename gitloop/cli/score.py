"""`gitloop score`: the target's outputs on the golden rows, judged."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.core.score import RubricScores
    from gitloop.evaluation import PlannedCalls
    from gitloop.steps.score import HistoryReport, PlanReport, ScoreReport, TracesReport


@click.command(cls=Verb)
@click.option(
    "--calls",
    type=click.Choice(["record", "replay", "refresh", "off"]),
    help="In place of calls.mode: refresh asks again what is known, and reports the drift.",
)
@click.option("--dry-run", is_flag=True, help="Tell which calls would be made, and their cost.")
@click.option("--traces", is_flag=True, help="Judge the recorded outputs in data/traces instead.")
@click.option("--history", is_flag=True, help="Show scores over commits, with change points.")
@click.option("--rubric", "rubrics", multiple=True, help="With --traces or --history: only these.")
@pass_console
def score(
    console: Console,
    calls: str | None,
    dry_run: bool,
    traces: bool,
    history: bool,
    rubrics: tuple[str, ...],
) -> None:
    """Run the application on every golden row, and judge what it says.

    \b
    gitloop score --dry-run
    gitloop score && gitloop gate --check
    """  # noqa: D301 -- \b is click's mark for a verbatim block
    if dry_run + traces + history > 1:
        raise click.UsageError("--dry-run, --traces and --history exclude each other")
    if rubrics and not (traces or history):
        raise click.UsageError("--rubric goes with --traces or --history")
    if calls and history:
        raise click.UsageError("--history makes no calls")
    from gitloop.steps import score as steps

    if dry_run:
        plan = steps.plan_score(console.directory, calls=calls)
        console.show(asdict(plan), lambda: _plan(plan))
    elif history:
        moved = steps.score_history(console.directory, rubrics=rubrics)
        console.show(asdict(moved), lambda: _history(moved))
    elif traces:
        judged = steps.score_traces(
            console.directory, console.progress, rubrics=rubrics, calls=calls
        )
        console.show(asdict(judged), lambda: _traces(judged))
    else:
        report = steps.score(console.directory, console.progress, calls=calls)
        console.show(asdict(report), lambda: _lines(report))


def _lines(report: ScoreReport) -> list[str]:
    lines = []
    for found in report.sets:
        failed = f", {found.n_output_errors} without an output" if found.n_output_errors else ""
        lines.append(f"golden/{found.set}  {found.version}  {found.n_rows} rows{failed}")
    lines += _rubrics(report.rubrics)
    lines += _drift(report, "loop/score/drift.json; commit dvc.lock to keep the new answers")
    return [*lines, *_torn(report), f"{_calls(report)}; next: gitloop gate"]


def _drift(report: ScoreReport | TracesReport, where: str) -> list[str]:
    """How a refresh drifted, and where that stands; nothing in every other mode."""
    if report.drift is None:
        return []
    from gitloop.cli.calls import drift_lines

    return [*drift_lines(report.drift), f"the report is {where}"]


def _rubrics(rubrics: tuple[RubricScores, ...]) -> list[str]:
    lines = []
    width = max((len(found.rubric) for found in rubrics), default=0)
    for rubric in rubrics:
        mean = "no score" if rubric.mean is None else f"mean {rubric.mean:.3f}"
        counts = ", ".join(f"{n} {name}" for name, n in rubric.statuses.items() if name != "ok")
        told = style(f"  {counts}", fg="yellow") if counts else ""
        lines.append(
            f"  {style(rubric.rubric.ljust(width), bold=True)}  {mean} of {rubric.n}{told}"
        )
    return lines


def _calls(report: ScoreReport | TracesReport) -> str:
    spent = f" for ${report.spent_usd:,.4f}" if report.spent_usd else ""
    return f"{report.n_called} calls made{spent}, {report.n_recorded} from the call store"


def _torn(report: ScoreReport | TracesReport) -> list[str]:
    """How many damaged lines the call store has; nothing where it has none."""
    if not report.n_torn:
        return []
    noun = "line" if report.n_torn == 1 else "lines"
    told = f"{report.n_torn} damaged {noun} of the call store passed over; see: gitloop calls stats"
    return [style(told, fg="yellow")]


def _traces(report: TracesReport) -> list[str]:
    quiet = f", {report.n_silent} without an output" if report.n_silent else ""
    head = f"data/traces  {report.n_traces} traces{quiet}"
    drift = _drift(report, report.path.replace("scores.parquet", "drift.json"))
    calls = f"{_calls(report)}; see {report.path}"
    return [head, *_rubrics(report.rubrics), *drift, *_torn(report), calls]


def _plan(report: PlanReport) -> list[str]:
    width = max(len(one.what) for one in report.calls)
    lines = [
        f"  {style(one.what.ljust(width), bold=True)}  {_planned(one)}" for one in report.calls
    ]
    total = f"{report.n_calls:,} calls would be made"
    if report.cost_usd:
        total += f", ${report.cost_usd:,.4f} at most"
    elif report.cost_usd is None:
        total += "; no price is pinned (judge.parameters.price), so their cost is not known"
    lines.append(total)
    if report.n_unknown:
        cost = _about(report.unknown_usd)
        lines.append(f"up to {report.n_unknown:,} more wait for outputs{cost}")
    return lines


def _planned(one: PlannedCalls) -> str:
    told = f"{one.n_calls:,} of {one.n_asked:,} calls"
    if one.is_free:
        told += ", free"
    else:
        told += (
            f", about {one.n_input_tokens:,} tokens read, {one.n_output_tokens:,} written at most"
        )
        told += "" if one.cost_usd is None else f", ${one.cost_usd:,.4f}"
    if one.n_unknown and not one.n_asked:
        return f"up to {one.n_unknown:,} calls, once there are outputs{_about(one.unknown_usd)}"
    return told + (
        f"; up to {one.n_unknown:,} more{_about(one.unknown_usd)}" if one.n_unknown else ""
    )


def _about(usd: float | None) -> str:
    return f", about ${usd:,.4f}" if usd else ""


def _history(report: HistoryReport) -> list[str]:
    lines = []
    for rubric, points in report.rubrics.items():
        lines.append(style(rubric, bold=True))
        for point in points:
            if point.change_point:
                told = f"  ── change point: {point.change_point}; not comparable across it"
                lines.append(style(told, fg="yellow"))
            mean = "no score" if point.mean is None else f"{point.mean:.3f}"
            delta = "" if point.delta is None else f" {point.delta:+.3f}"
            errors = f", {point.n_errors} without a score" if point.n_errors else ""
            head = f"  {point.commit[:9]} {point.committed_at[:10]}  {mean}{delta} of {point.n}"
            lines.append(f"{head}{errors}  {point.subject[:40]}")
    lines += [f"! {sha[:9]}: {why}" for sha, why in report.unreadable.items()]
    return lines
