"""What share of production passes, once the judge's known errors are taken out.

The share that a judge passes is biased by its sensitivity and specificity. Rogan-Gladen undoes the
bias; PPI++ needs no model of it. Both assume that the judge errs alike on the labelled rows and on
the others: rows labelled because they failed are no sample, which `gitloop label --sample` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import polars as pl

from gitloop.records import Interval
from gitloop.stats.corrected import (
    CorrectedRate,
    DifferentialErrors,
    PoweredMean,
    differential_errors,
    ppi_mean,
    rogan_gladen,
)
from gitloop.stats.distributions import BoolArray
from gitloop.stats.intervals import wilson_interval
from gitloop.stats.thresholds import passes


@dataclass(frozen=True, slots=True)
class Line:
    """Where a score passes.

    Attributes:
        threshold: In [0, 1].
        comparison: ">=" or ">".
        routes: Route → its own threshold.
    """

    threshold: float
    comparison: str
    routes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The pass rate of some rows, as judged and as corrected.

    Attributes:
        arm: "column=value", or "" for all rows.
        n_judged: Rows that were judged.
        n_labelled: Rows among the labelled ones that belong to the arm.
        judged_rate: Share that the judge passes: biased.
        judged_interval: Wilson's, of it.
        rogan_gladen: Corrected by the judge's errors on all labelled rows.
        ppi: The mean of people's verdicts, helped by the judge's; from the arm's labelled rows.
    """

    arm: str
    n_judged: int
    n_labelled: int
    judged_rate: float
    judged_interval: Interval
    rogan_gladen: CorrectedRate
    ppi: PoweredMean


@dataclass(frozen=True, slots=True)
class ArmErrors:
    """Whether the judge errs alike on two arms: else their corrected rates do not compare.

    Attributes:
        arms: The two values.
        errors: The test.
    """

    arms: tuple[str, str]
    errors: DifferentialErrors


def estimate_rates(
    labelled: pl.DataFrame, judged: pl.DataFrame, line: Line, by: str | None = None
) -> tuple[list[Estimate], list[ArmErrors]]:
    """The pass rate of the judged rows, whole and per arm, and tests of the arms' errors.

    Args:
        labelled: Columns trace_id, score, route, verdict ("pass" or "fail"), and `by`.
        judged: Columns trace_id, score, route, and `by`: a random sample, or all rows.
        line: Where a score passes.
        by: The column whose values are the arms, or None.
    """
    errors = _counts(labelled, line)
    found = [_estimate("", labelled, judged, line, errors)] if judged.height else []
    if by is None:
        return found, []
    arms = sorted(judged[by].drop_nulls().unique().to_list())
    counts = {}
    for arm in arms:
        own, there = labelled.filter(pl.col(by) == arm), judged.filter(pl.col(by) == arm)
        found.append(_estimate(f"{by}={arm}", own, there, line, errors))
        counts[arm] = _counts(own, line)
    pairs = combinations(arms, 2)
    return found, [
        ArmErrors((one, other), differential_errors(counts[one], counts[other]))
        for one, other in pairs
    ]


def _estimate(
    arm: str,
    labelled: pl.DataFrame,
    judged: pl.DataFrame,
    line: Line,
    errors: tuple[tuple[int, int], tuple[int, int]],
) -> Estimate:
    verdicts = _judge(judged, line)
    n, n_passed = verdicts.size, int(verdicts.sum())
    others = judged.join(labelled.select("trace_id"), on="trace_id", how="anti")
    return Estimate(
        arm=arm,
        n_judged=n,
        n_labelled=labelled.height,
        judged_rate=n_passed / n,
        judged_interval=wilson_interval(n_passed, n),
        rogan_gladen=rogan_gladen((n_passed, n), *errors),
        ppi=ppi_mean(
            _people(labelled).astype(np.float64),
            _judge(labelled, line).astype(np.float64),
            _judge(others, line).astype(np.float64),
        ),
    )


def _counts(labelled: pl.DataFrame, line: Line) -> tuple[tuple[int, int], tuple[int, int]]:
    """((judge passes, rows people pass), (judge fails, rows people fail))."""
    judge, people = _judge(labelled, line), _people(labelled)
    return (
        (int((judge & people).sum()), int(people.sum())),
        (int((~judge & ~people).sum()), int((~people).sum())),
    )


def _judge(rows: pl.DataFrame, line: Line) -> BoolArray:
    own = [line.routes.get(route, line.threshold) for route in rows["route"]]
    gaps = np.round(rows["score"].to_numpy() - np.array(own, dtype=np.float64), 12)
    return passes(gaps, 0.0, strict=line.comparison == ">")


def _people(rows: pl.DataFrame) -> BoolArray:
    return (rows["verdict"] == "pass").to_numpy().astype(np.bool_)
