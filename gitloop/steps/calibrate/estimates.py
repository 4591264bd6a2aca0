"""What share of production passes, from a random sample of traces that the judges score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core import calibrate as core
from gitloop.core.calibrate import ArmErrors, Calibration, Estimate, Line
from gitloop.digests import sha256_of
from gitloop.errors import DataError
from gitloop.evaluation import call_store, judge_selected, settle_refresh
from gitloop.protocols import Progress, silent
from gitloop.steps.calibrate.inputs import (
    FOLDER,
    cases,
    fit_policy,
    gather,
    read_traces,
    some_labels,
)
from gitloop.tables import SCORES
from gitloop.workspace import Workspace

ARMS = ("route", "user_cohort", "prompt_version")


@dataclass(frozen=True, slots=True)
class RubricEstimate:
    """The pass rates under one rubric.

    Attributes:
        rubric: The rubric.
        threshold: The line that was drawn, or None.
        reason: Why there is none; "" when there is one.
        n_unscored: Sampled traces that the judge could not score.
        estimates: The whole first, then each arm.
        arm_errors: Whether the judge errs alike on each two arms.
    """

    rubric: str
    threshold: float | None
    reason: str
    n_unscored: int
    estimates: tuple[Estimate, ...]
    arm_errors: tuple[ArmErrors, ...]


@dataclass(frozen=True, slots=True)
class EstimateReport:
    """What `gitloop calibrate --estimate` found.

    Attributes:
        rubrics: One per rubric, by name.
        n_sampled: Traces in the sample.
        n_traces: Traces with an output.
    """

    rubrics: tuple[RubricEstimate, ...]
    n_sampled: int
    n_traces: int


def estimate(
    directory: Path, *, n: int, by: str | None = None, progress: Progress = silent
) -> EstimateReport:
    """Judge a random sample of the traces and correct the pass rates for the judges' errors.

    The sample depends on the seed alone and grows without changing. Nothing is written but calls.

    Args:
        directory: A directory in the repository.
        n: Traces to sample at most.
        by: One of `ARMS`, or None.
        progress: Is told how far the judges are.

    Raises:
        DataError: Nothing is calibrated yet, or no trace has an output.
    """
    workspace = Workspace(directory)
    known = workspace.read(f"{FOLDER}/scores.parquet", SCORES)
    traces = read_traces(workspace)
    answered = traces.filter(pl.col("output").is_not_null())
    if answered.is_empty():
        raise DataError("no trace has an output", hint="run: gitloop capture import")
    sample = _sample(answered, n, workspace.params.seed)
    gathered = gather(workspace, some_labels(workspace).labels, traces)
    store = call_store(workspace, f"{FOLDER}/calls.parquet")
    shown = cases(sample)
    names = [evidence.rubric for evidence in gathered]
    scores = judge_selected(workspace, dict.fromkeys(names, shown), store, progress)
    settle_refresh(workspace, FOLDER, store)
    found = []
    for evidence in gathered:
        calibration = core.fit(evidence, known, fit_policy(workspace))
        own = scores.filter((pl.col("rubric") == evidence.rubric) & (pl.col("status") == "ok"))
        judged = sample.join(
            own.select(pl.col("item_id").alias("trace_id"), "score"), on="trace_id", how="inner"
        )
        labelled = core.scored_items(evidence, known)
        rates, arms = (
            core.estimate_rates(labelled, judged, _line(calibration, calibration.threshold), by)
            if calibration.threshold is not None
            else ([], [])
        )
        found.append(
            RubricEstimate(
                rubric=evidence.rubric,
                threshold=calibration.threshold,
                reason=calibration.reason,
                n_unscored=sample.height - judged.height,
                estimates=tuple(rates),
                arm_errors=tuple(arms),
            )
        )
    return EstimateReport(tuple(found), sample.height, answered.height)


def _line(calibration: Calibration, threshold: float) -> Line:
    """Where scores pass, by the rubric's threshold and those of routes."""
    routes = {
        route: part.threshold
        for route, part in calibration.routes.items()
        if part.threshold is not None
    }
    return Line(threshold, calibration.comparison, routes)


def _sample(traces: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    ids = traces["trace_id"].to_list()
    drawn = sorted(ids, key=lambda trace_id: sha256_of({"seed": seed, "trace": trace_id}))[:n]
    return traces.filter(pl.col("trace_id").is_in(drawn))
