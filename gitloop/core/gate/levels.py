"""Checks of one run on its own: failed calls, and the floor under each rubric's pass rate."""

from __future__ import annotations

import math

import polars as pl

from gitloop.core.gate.inputs import GateInputs, GateRubric
from gitloop.core.gate.measures import column, groups, rate_interval
from gitloop.errors import ExitCode
from gitloop.records import Check, Interval
from gitloop.stats.power import Plan

LEVEL = 0.95


def percent(rate: float) -> str:
    """A rate for people: "87.5 %"."""
    return f"{100 * rate:.1f} %"


def error_checks(cells: pl.DataFrame, max_error_rate: float) -> list[Check]:
    """A check for each rubric with failed calls: a warning within the budget, no verdict above it.

    Exit code 7 when most of them timed out, 5 when most rows lack what the rubric needs, else 6.
    """
    found = []
    counts = cells.group_by("rubric").agg(pl.col("^n_(ok|errors|timeouts|missing)$").sum())
    for rubric, n_ok, n_errors, n_timeouts, n_missing in counts.sort("rubric").iter_rows():
        if not n_errors:
            continue
        total = n_ok + n_errors
        rate = n_errors / total
        kinds = f"{n_timeouts} timed out" if n_timeouts else ""
        kinds += f"{', ' if kinds and n_missing else ''}{n_missing} lack a field" * bool(n_missing)
        what = f"{n_errors} of {total} results failed" + (f" ({kinds})" if kinds else "")
        if rate > max_error_rate:
            code = ExitCode.API
            if 2 * n_timeouts > n_errors:
                code = ExitCode.TIMEOUT
            elif 2 * n_missing > n_errors:
                code = ExitCode.DATA
            message = f"{what}: {percent(rate)} is above {percent(max_error_rate)}, so no verdict"
            outcome = "error"
        else:
            code, outcome = ExitCode.WARNINGS, "warn"
            message = f"{what} and count neither as passed nor as failed"
        found.append(
            Check(
                "errors",
                rubric,
                None,
                outcome,
                int(code),
                message,
                n=total,
                observed=rate,
                bound=max_error_rate,
                effect=max_error_rate - rate,
                method="count",
            )
        )
    return found


def floor_checks(inputs: GateInputs, cells: pl.DataFrame, usable: list[str]) -> list[Check]:
    """One check per rubric that has a floor.

    Args:
        inputs: What the gate reads.
        cells: As `cells.cells` gives them.
        usable: Rubrics whose scores and thresholds are valid; the others have a check already.
    """
    found = []
    known = set(cells["rubric"].unique().to_list())
    for name in sorted(inputs.rubrics):
        rubric = inputs.rubrics[name]
        floor = inputs.policy.floors.get(name, rubric.floor)
        if floor is None or (name in known and name not in usable):
            continue
        rows = cells.filter((pl.col("rubric") == name) & pl.col("verdict").is_not_null())
        found.append(_floor(inputs, rubric, floor, rows))
    return found


def _floor(inputs: GateInputs, rubric: GateRubric, floor: float, rows: pl.DataFrame) -> Check:
    """The check of one rubric's pass rate against its floor."""
    name, n = rubric.name, rows.height
    if n == 0:
        message = (
            f"{name} has a floor of {percent(floor)}, but no golden row has a verdict on it:"
            " promote rows that are labelled for it, or take the floor out"
        )
        return Check(
            "floor", name, None, "error", int(ExitCode.DATA), message, bound=floor, method="count"
        )
    verdicts, codes = column(rows, "verdict"), groups(rows)
    rate = float(verdicts.mean())
    interval = rate_interval(verdicts, codes, LEVEL)
    outcome, message = _against(floor, rate, n, interval, inputs)
    code = {"pass": ExitCode.OK, "fail": ExitCode.GATE_FAILED}.get(outcome, ExitCode.WARNINGS)
    z = Plan(alpha=inputs.policy.alpha, sides=1).z
    return Check(
        "floor",
        name,
        None,
        outcome,
        int(code),
        message,
        n=n,
        n_groups=n if codes is None else len(set(codes)),
        observed=rate,
        bound=floor,
        effect=rate - floor,
        interval=interval,
        mde=min(floor, z * math.sqrt(floor * (1.0 - floor) / n)) or None,
        method=f"{inputs.policy.floor_on}/{interval.method if interval else 'none'}",
    )


def _against(
    floor: float, rate: float, n: int, interval: Interval | None, inputs: GateInputs
) -> tuple[str, str]:
    """(outcome, message) of a pass rate against its floor."""
    policy = inputs.policy
    told = f"{percent(rate)} of {n} rows pass, floor {percent(floor)}"
    low, high = (interval.low, interval.high) if interval else (0.0, 1.0)
    if n < policy.min_rows:
        if high < floor:
            return "fail", f"{told}: even the interval's upper end, {percent(high)}, is below"
        return "inconclusive", f"{told}: {n} rows are fewer than gate.min_rows, {policy.min_rows}"
    if policy.floor_on == "lower_bound":
        if low >= floor:
            return "pass", f"{told}: the interval's lower end, {percent(low)}, is above"
        if rate >= floor:
            return "fail", f"{told}: the interval's lower end, {percent(low)}, is below"
    if rate < floor:
        return "fail", told
    return "pass", told
