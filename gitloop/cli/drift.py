"""`gitloop judge drift` and `judge bias`: labelled rows, judged again."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.errors import ExitCode

if TYPE_CHECKING:
    from gitloop.core.calibrate import Drift
    from gitloop.records import Interval
    from gitloop.steps.calibrate import DriftReport, OrderReport

SHOWN = 5
"""Flipped anchors that are named."""


@click.command(cls=Verb)
@click.option("--rubric", "rubrics", multiple=True, metavar="NAME", help="Only this rubric.")
@click.option(
    "--anchors",
    type=click.IntRange(min=2),
    default=50,
    show_default=True,
    metavar="N",
    help="Labelled rows to judge again; the same ones every time.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="Chance of calling an unchanged judge changed.",
)
@click.option("--check", is_flag=True, help="Exit 2 where a judge has changed.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Write nothing.")
@pass_console
def drift(
    console: Console,
    *,
    rubrics: tuple[str, ...],
    anchors: int,
    alpha: float,
    check: bool,
    is_dry_run: bool,
) -> int | None:
    """Judge labelled rows again, and say whether the judge has changed since.

    A changed judge gets a change point in loop/drift/changes/ and a new span in params.yaml: its
    threshold is stale until it is calibrated again. Run it every week.
    """
    from gitloop.steps.calibrate import DriftPlan
    from gitloop.steps.calibrate import drift as step

    report = step(
        console.directory, DriftPlan(rubrics, anchors, alpha, is_dry_run), console.progress
    )
    console.show(asdict(report), lambda: _lines(report))
    return int(ExitCode.GATE_FAILED) if check and report.spans else None


@click.command(cls=Verb)
@click.option("--rubric", "rubrics", multiple=True, metavar="NAME", help="Only this rubric.")
@click.option(
    "--rows",
    type=click.IntRange(min=2),
    default=50,
    show_default=True,
    metavar="N",
    help="Labelled rows to judge in the opposite order.",
)
@pass_console
def bias(console: Console, *, rubrics: tuple[str, ...], rows: int) -> None:
    """Judge labelled rows with what the judge sees in the opposite order: does that decide?

    What is found is written to loop/order/ and stands on the judge card.
    """
    from gitloop.steps.calibrate import order

    report = order(console.directory, rubrics=rubrics, n_rows=rows, progress=console.progress)
    console.show(asdict(report), lambda: _order_lines(report))


def _order_lines(report: OrderReport) -> list[str]:
    lines = []
    for found in report.rubrics:
        told = style("biased", fg="yellow") if found.is_biased else style("no bias", fg="green")
        lines.append(f"{style(found.rubric, bold=True)}  {told}  {found.n} rows, {found.judge}")
        flips = f"{found.n_flips} of {found.n} verdicts turn with the order"
        lines += _wrapped(flips + _bounds(found.flip_interval), "  ")
        passes = f"{found.pass_as_shown:.2f} pass as shown, {found.pass_reversed:.2f} reversed"
        lines += _wrapped(f"{passes}, p {found.p:.2g}", "  ")
        if found.n_failed:
            lines += _wrapped(f"{found.n_failed} rows could not be judged in that order", "  ! ")
    for name, why in report.skipped.items():
        lines += _wrapped(f"{name}: {why}", "· ")
    return lines + [f"wrote {path}" for path in report.written]


def _lines(report: DriftReport) -> list[str]:
    lines = []
    for found in report.rubrics:
        lines += _rubric(found)
    for name, why in report.skipped.items():
        lines += _wrapped(f"{name}: {why}", "· ")
    for path in report.written:
        lines.append(f"wrote {path}")
    for name, span in report.spans.items():
        told = f"{name}: the change point begins span {span}; next: dvc repro calibrate"
        lines += _wrapped(told, "! ")
    return lines


def _rubric(found: Drift) -> list[str]:
    from gitloop.core.calibrate.drift import FEW_ANCHORS

    status = style("changed", fg="red") if found.has_changed else style("unchanged", fg="green")
    draws = "once" if found.n_noise is None else "twice"
    judged = f"{found.n} anchors, judged again {draws} by {found.judge}"
    lines = [f"{style(found.rubric, bold=True)}  {status}  {judged}"]
    noise = f"; two draws of now differ on {found.n_noise}" if found.n_noise is not None else ""
    flips = f"{len(found.flips)} of {found.n} verdicts flipped{_bounds(found.flip_interval)}{noise}"
    lines += _wrapped(flips, "  ")
    kappa = found.kappa.value
    agreed = found.kappa.reason if kappa is None else f"{kappa:.2f}{_bounds(found.kappa.interval)}"
    lines += _wrapped(f"kappa of then and now: {agreed}", "  ")
    shift = found.shift
    passes = f"{found.pass_before:.2f} passed then, {found.pass_now:.2f} pass now"
    lines += _wrapped(f"{passes}; Stuart-Maxwell {shift.statistic:.2f}, p {shift.p:.2g}", "  ")
    scores = f"mean score {found.mean_before:.3f} then, {found.mean_now:.3f} now"
    lines += _wrapped(f"{scores}, p {found.p_scores:.2g}", "  ")
    if found.odd:
        told = f"the recorded verdict stands alone on {found.odd.n_first} of {found.odd.n_split}"
        lines += _wrapped(f"{told} split anchors, p {found.odd.p:.2g}", "  ")
    for flip in found.flips[:SHOWN]:
        told = f"{flip.trace_id}: {flip.before:.2f} → {flip.now:.2f}"
        lines += _wrapped(told + (f", {flip.reason}" if flip.reason else ""), "    ")
    if found.n_failed:
        lines += _wrapped(f"{found.n_failed} anchors could not be judged again", "  ! ")
    if found.n < FEW_ANCHORS:
        lines += _wrapped(f"{found.n} anchors show only a very different judge", "  ! ")
    return lines


def _bounds(interval: Interval | None) -> str:
    return f" [{interval.low:.2f}, {interval.high:.2f}]" if interval else ""


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=first, subsequent_indent=" " * len(first))
