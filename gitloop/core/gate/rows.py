"""Rows as people look at them: lost, won, failing; and each rubric in one summary."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from gitloop.core.gate.inputs import GateInputs
from gitloop.core.gate.levels import LEVEL
from gitloop.errors import ExitCode
from gitloop.records import Check, RowTrail, RubricSummary, Threshold
from gitloop.stats.corrected import CorrectedRate, rogan_gladen

_PASSES = pl.col("verdict") >= 0.5
_LOST = (pl.col("state") == "must_pass") & ~_PASSES
_WON = (pl.col("state") == "known_failing") & (pl.col("newest") < 0.5) & _PASSES
_FAILING_NEW = (pl.col("state") == "new") & ~_PASSES


def trails(cells: pl.DataFrame) -> dict[str, tuple[RowTrail, ...]]:
    """The rows that were lost and won, and the new ones that fail: largest change first."""
    asked = {"lost": _LOST, "won": _WON, "failing": _FAILING_NEW}
    return {
        change: tuple(_trail(row, change) for row in _ranked(cells.filter(wanted)))
        for change, wanted in asked.items()
    }


def _ranked(rows: pl.DataFrame) -> list[dict[str, object]]:
    size = (pl.col("verdict") - pl.col("baseline").fill_null(0.0)).abs()
    return (
        rows.with_columns(size=size)
        .sort("size", "rubric", "row_id", descending=[True, False, False])
        .to_dicts()
    )


def _trail(row: Mapping[str, object], change: str) -> RowTrail:
    def text(name: str) -> str | None:
        value = row[name]
        return None if value is None else str(value)

    def number(name: str) -> float:
        return float(str(row[name]))

    return RowTrail(
        row_id=str(row["row_id"]),
        set=str(row["set"]),
        rubric=str(row["rubric"]),
        state=str(row["state"]),
        change=change,
        route=text("route"),
        user_cohort=text("user_cohort"),
        cluster_id=text("cluster_id"),
        source_trace_id=str(row["source_trace_id"]),
        baseline=None if row["baseline"] is None else number("baseline"),
        observed=number("verdict"),
        score=number("score"),
    )


def ratchet_checks(inputs: GateInputs, cells: pl.DataFrame) -> list[Check]:
    """One check over every row that the newest baseline run passes; none without such a row."""
    mode = inputs.policy.ratchet
    judged = cells.filter(pl.col("verdict").is_not_null())
    n = judged.filter(pl.col("state") == "must_pass").height
    if mode == "off" or n == 0:
        return []
    lost = judged.filter(_LOST)
    n_lost = lost.height
    if not n_lost:
        outcome, code = "pass", ExitCode.OK
        message = f"all {n} results that passed on the main line still pass"
    else:
        outcome = mode
        code = ExitCode.GATE_FAILED if mode == "fail" else ExitCode.WARNINGS
        ids = list(dict.fromkeys(lost["row_id"].to_list()))
        named = ", ".join(ids[:3]) + (" …" if len(ids) > 3 else "")
        message = f"{n_lost} of {n} results that passed on the main line fail now: {named}"
    return [
        Check(
            "ratchet",
            None,
            None,
            outcome,
            int(code),
            message,
            n=n,
            n_discordant=n_lost,
            observed=(n - n_lost) / n,
            baseline=1.0,
            bound=1.0,
            effect=-n_lost / n,
            method="count",
        )
    ]


def summaries(
    inputs: GateInputs, cells: pl.DataFrame, thresholds: Mapping[str, tuple[float, str]]
) -> tuple[RubricSummary, ...]:
    """One summary per pinned rubric that golden rows are labelled for, by name."""
    found = []
    for (name,), rows in cells.group_by(["rubric"], maintain_order=True):
        if str(name) in inputs.rubrics:
            found.append(_summary(inputs, str(name), rows, thresholds.get(str(name))))
    return tuple(sorted(found, key=lambda summary: summary.name))


def _summary(
    inputs: GateInputs, name: str, rows: pl.DataFrame, threshold: tuple[float, str] | None
) -> RubricSummary:
    rubric = inputs.rubrics[name]
    judged = rows.filter(pl.col("verdict").is_not_null())
    paired = judged.filter(pl.col("baseline").is_not_null())
    states = dict(judged["state"].value_counts().iter_rows())
    n_passed = judged.filter(_PASSES).height
    corrected = _corrected(rubric.calibrated, n_passed, judged.height)
    return RubricSummary(
        name=name,
        version=rubric.version,
        judge=rubric.judge,
        threshold=threshold[0] if threshold else None,
        comparison=threshold[1] if threshold else "",
        n_rows=rows.height,
        n_passed=n_passed,
        n_failed=judged.height - n_passed,
        n_errors=rows.filter(pl.col("n_ok") == 0).height,
        pass_rate=_mean(judged, "verdict"),
        mean_score=_mean(judged, "score"),
        n_must_pass=int(states.get("must_pass", 0)),
        n_known_failing=int(states.get("known_failing", 0)),
        n_new=int(states.get("new", 0)),
        n_lost=judged.filter(_LOST).height,
        n_won=judged.filter(_WON).height,
        baseline_pass_rate=_mean(paired, "baseline"),
        noise_floor=rubric.noise_floor,
        corrected_pass_rate=corrected.value if corrected else None,
        corrected_interval=corrected.interval if corrected else None,
    )


def _corrected(calibrated: Threshold | None, n_passed: int, n: int) -> CorrectedRate | None:
    """The pass rate that people would give; None where it is unknown or claims certainty.

    At the edge the interval can be cut down to a point: that says more than the labels do.
    """
    if not n or calibrated is None or not calibrated.sensitivity or not calibrated.specificity:
        return None
    found = rogan_gladen((n_passed, n), calibrated.sensitivity, calibrated.specificity, level=LEVEL)
    is_wide = found.interval is not None and found.interval.high - found.interval.low > 1e-6
    return found if is_wide else None


def _mean(rows: pl.DataFrame, name: str) -> float | None:
    return float(rows[name].to_numpy().mean()) if rows.height else None
