"""`gitloop calibrate`: thresholds from the labels of people, and how far to trust them."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.errors import ExitCode

if TYPE_CHECKING:
    from gitloop.core.calibrate import Estimate, HistoryPoint
    from gitloop.records import Interval
    from gitloop.steps.calibrate import (
        CalibratedRubric,
        CalibrateReport,
        ChangePoint,
        EstimateReport,
        HistoryReport,
        HoldoutReport,
    )

FORMS = ("text", "json", "md", "html")
COLOURS = {"calibrated": "green", "warned": "yellow", "uncalibrated": "red"}
MARKS = {"error": "x", "warning": "!", "note": "·"}


@click.command(cls=Verb, forms=FORMS)
@click.option("--card", is_flag=True, help="Show the judge cards; --format md or html for a file.")
@click.option("--history", is_flag=True, help="Show how thresholds moved over commits.")
@click.option(
    "--holdout",
    is_flag=True,
    help="Show the pinned labels: how does the judge do, and has anything learned from them?",
)
@click.option(
    "--estimate",
    type=click.IntRange(min=1),
    metavar="N",
    help="Judge N random traces: what share of production passes?",
)
@click.option(
    "--by",
    type=click.Choice(["route", "user_cohort", "prompt_version"]),
    help="With --estimate: each value apart.",
)
@click.option(
    "--propose",
    is_flag=True,
    help="Where do rubric and people disagree? A better text goes on a branch.",
)
@click.option(
    "--rewrites",
    type=click.IntRange(min=1, max=16),
    default=1,
    show_default=True,
    metavar="N",
    help="With --propose: texts to ask the model for.",
)
@click.option(
    "--rubric",
    "rubrics",
    multiple=True,
    metavar="NAME",
    help="With --card, --history, --propose: only this.",
)
@pass_console
def calibrate(
    console: Console,
    *,
    card: bool,
    history: bool,
    holdout: bool,
    estimate: int | None,
    by: str | None,
    propose: bool,
    rewrites: int,
    rubrics: tuple[str, ...],
) -> int | None:
    """Find the score from which each judge's verdict agrees best with people.

    \b
    gitloop calibrate && dvc metrics diff
    gitloop calibrate --card --format html > card.html
    gitloop calibrate --propose
    """  # noqa: D301 -- \b is click's mark for a verbatim block
    if sum((card, history, holdout, propose, estimate is not None)) > 1:
        told = "--card, --history, --holdout, --estimate and --propose exclude each other"
        raise click.UsageError(told)
    if by and estimate is None:
        raise click.UsageError("--by goes with --estimate")
    if rubrics and not (card or history or propose):
        raise click.UsageError("--rubric goes with --card, --history or --propose")
    if console.form in {"md", "html"} and not card:
        raise click.UsageError(f"--format {console.form} goes with --card")
    if card:
        _card(console, rubrics)
    elif history:
        _history(console, rubrics)
    elif estimate is not None:
        _estimate(console, estimate, by)
    elif propose:
        _propose(console, rubrics, rewrites)
    elif holdout:
        return _holdout(console)
    else:
        from gitloop.steps.calibrate import calibrate as step

        report = step(console.directory, console.progress)
        console.show(asdict(report), lambda: _lines(report))
    return None


def _card(console: Console, rubrics: tuple[str, ...]) -> None:
    from gitloop.plugins import load
    from gitloop.steps.calibrate import judge_cards

    value = judge_cards(console.directory, rubrics)
    console.result(load("reports", console.form)().render(value).rstrip("\n"))


def _history(console: Console, rubrics: tuple[str, ...]) -> None:
    from gitloop.steps.calibrate import history

    report = history(console.directory, rubrics=rubrics)
    console.show(asdict(report), lambda: _history_lines(report))


def _estimate(console: Console, n: int, by: str | None) -> None:
    from gitloop.steps.calibrate import estimate

    report = estimate(console.directory, n=n, by=by, progress=console.progress)
    console.show(asdict(report), lambda: _estimate_lines(report))


def _propose(console: Console, rubrics: tuple[str, ...], n_rewrites: int) -> None:
    from gitloop.reports.rewrite import terminal_lines
    from gitloop.steps.calibrate import propose

    report = propose(
        console.directory, rubrics=rubrics, n_rewrites=n_rewrites, progress=console.progress
    )
    value = asdict(report)
    skipped = [f"· {name}: {why}" for name, why in report.skipped.items()]
    console.show(
        value, lambda: [line for one in value["rubrics"] for line in terminal_lines(one)] + skipped
    )


def _holdout(console: Console) -> int:
    """Print the pinned holdout; 5 where something has learned from it."""
    from gitloop.steps.calibrate import holdout

    report = holdout(console.directory)
    console.show(asdict(report), lambda: _holdout_lines(report))
    return int(ExitCode.DATA) if report.leaks else 0


def _holdout_lines(report: HoldoutReport) -> list[str]:
    lines = []
    for found in report.rubrics:
        name = style(found.rubric, bold=True)
        lines.append(f"{name}  {found.n_held_out} of {found.n_labelled} items are pinned")
        if found.check is None:
            lines += _wrapped(found.reason, "  · ")
            continue
        held, people = found.check, found.check.human_disagreement
        told = f"the judge differs from people on {held.n_disagree} of {held.n}"
        among = "nobody knows how often people differ: nothing is labelled twice"
        if people is not None:
            among = f"people from each other on {people:.0%}"
        mark = "  ! " if held.is_alarming else "  "
        lines += _wrapped(f"{told}{_bounds(held.interval)}, {among}", mark)
    for leak in report.leaks:
        lines += _wrapped(f"{leak.trace_id}: {leak.message}", "x ")
    told = "nothing that learns has seen a pinned item"
    return [*lines, f"{len(report.leaks)} pinned items were seen" if report.leaks else told]


def _lines(report: CalibrateReport) -> list[str]:
    lines = []
    for found in report.rubrics:
        lines += _rubric(found)
    lines += [style(f"! {place} was never finished", fg="yellow") for place in report.torn]
    if report.drift is not None:
        from gitloop.cli.calls import drift_lines

        lines += [*drift_lines(report.drift), "the report is loop/calibrate/drift.json"]
    return [*lines, f"from {report.n_labels} labels; the gate reads {report.path}"]


def _rubric(found: CalibratedRubric) -> list[str]:
    name = style(found.rubric, bold=True)
    counts = f"{found.n} items, {found.n_positive} pass, judged by {found.judge}"
    lines = [f"{name}  {style(found.status, fg=COLOURS[found.status])}  {counts}"]
    if found.threshold is not None:
        bounds = _bounds(found.interval)
        passes = f"score {found.comparison} {found.threshold:g}{bounds} passes"
        lines += _wrapped(passes + _plateau(found), "  ")
        lines.append(f"  {found.objective} {_value(found)}")
    lines += _routes(found) + _trust(found)
    for finding in found.findings:
        lines += _wrapped(finding.message, f"  {MARKS[finding.severity]} ")
    return lines


def _routes(found: CalibratedRubric) -> list[str]:
    """The lines that routes have of their own."""
    own = [f"{route} {line:g}" for route, line in found.routes.items() if line is not None]
    bare = [route for route, line in found.routes.items() if line is None]
    lines = _wrapped(f"on routes: {', '.join(own)}", "  ") if own else []
    if bare:
        lines += _wrapped(f"no line of their own, so the rubric's: {', '.join(bare)}", "  · ")
    return lines


def _trust(found: CalibratedRubric) -> list[str]:
    """What the pinned holdout and the promise of abstention say."""
    lines = []
    if found.holdout is not None:
        held = found.holdout
        told = f"pinned holdout: the judge differs from people on {held.n_disagree} of {held.n}"
        lines += _wrapped(told, "  ")
    kept = found.abstention
    if kept is not None and kept.confidence is not None:
        told = f"decides from confidence {kept.confidence:.2f}: {kept.coverage:.0%} of the items,"
        told += (
            f" at most {kept.max_error:.0%} of them wrong; the rest: gitloop label --abstained N"
        )
        lines += _wrapped(told, "  ")
    elif kept is not None:
        lines += _wrapped(kept.reason, "  ! ")
    return lines


def _value(found: CalibratedRubric) -> str:
    value = "–" if found.objective_value is None else f"{found.objective_value:.3f}"
    held_out = found.cross_fitted_value
    shown = "no held-out figure" if held_out is None else f"{held_out:.3f} held out"
    if found.optimism is not None and found.optimism > 0:
        shown += f" (optimism {found.optimism:.3f})"
    return f"{value}{_bounds(found.objective_interval)}, {shown}"


def _plateau(found: CalibratedRubric) -> str:
    """The neighbouring thresholds that do as well; "" where there is just the one."""
    if found.plateau is None or found.plateau[0] == found.plateau[1]:
        return ""
    return f"; all from {found.plateau[0]:g} to {found.plateau[1]:g} do as well"


def _bounds(interval: Interval | None) -> str:
    return f" [{interval.low:.3g}, {interval.high:.3g}]" if interval else ""


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=first, subsequent_indent=" " * len(first))


def _history_lines(report: HistoryReport) -> list[str]:
    lines = []
    for rubric, points in report.rubrics.items():
        lines.append(style(rubric, bold=True))
        for point in points:
            lines += _point(point)
        for change in report.changes.get(rubric, ()):
            lines += _change(change)
    for commit, reason in report.unreadable.items():
        lines += _wrapped(f"{commit[:10]}: {reason}", "! ")
    return lines


def _point(point: HistoryPoint) -> list[str]:
    shown = "none" if point.threshold is None else f"{point.threshold:g}{_bounds(point.interval)}"
    head = f"  {point.committed_at[:10]} {point.commit[:10]}  {shown}, {point.n} items"
    lines = [style(head, fg="yellow") if point.is_beyond else head]
    if point.changed:
        lines.append(f"      ↑ other {', '.join(point.changed)}: not comparable with before")
    elif point.is_beyond:
        lines.append("      ↑ beyond the interval of the commit before")
    return lines


def _change(change: ChangePoint) -> list[str]:
    passes = f"{change.pass_before:.2f} passed before, {change.pass_now:.2f} afterwards"
    told = f"the judge changed: span {change.span}, {change.n_flips} of {change.n} anchors flipped"
    head = f"  {change.committed_at[:10]} {change.commit[:10]}  "
    return [style(line, fg="yellow") for line in _wrapped(f"{told}, {passes}", head)]


def _estimate_lines(report: EstimateReport) -> list[str]:
    lines = [f"{report.n_sampled} of {report.n_traces} traces judged"]
    for found in report.rubrics:
        lines.append(style(found.rubric, bold=True))
        if found.reason:
            lines += _wrapped(found.reason, "  x ")
        for rate in found.estimates:
            lines += _rate(rate)
        for arm in found.arm_errors:
            p = arm.errors.p
            if p is not None and p < 0.05:
                told = f"the judge errs differently on {arm.arms[0]} and {arm.arms[1]} (p {p:.2g})"
                lines += _wrapped(f"{told}: their rates do not compare", "  ! ")
        if found.n_unscored:
            lines.append(f"  ! {found.n_unscored} traces without a score")
    return lines


def _rate(found: Estimate) -> list[str]:
    name = found.arm or "all"
    corrected, helped = found.rogan_gladen, found.ppi
    raw = f"{found.judged_rate:.3f}{_bounds(found.judged_interval)}"
    lines = [f"  {name}: the judge passes {raw}, n {found.n_judged}"]
    for label, value, interval, reason in (
        ("corrected", corrected.value, corrected.interval, corrected.reason),
        ("PPI++", helped.value, helped.interval, helped.reason),
    ):
        shown = "–" if value is None else f"{value:.3f}{_bounds(interval)}"
        lines += _wrapped(f"{label} {shown}" + (f" ({reason})" if reason else ""), "    ")
    return lines
