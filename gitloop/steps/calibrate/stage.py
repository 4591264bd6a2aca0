"""Hold every judge against the labels of people, and find its threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core import calibrate as core
from gitloop.core.calibrate import Abstention, Calibration, Finding, Pins
from gitloop.core.calls import Drift
from gitloop.errors import DataError
from gitloop.evaluation import (
    call_store,
    judge_name,
    judge_selected,
    keep_calls,
    open_judge,
    open_judges,
    require_dependencies,
)
from gitloop.protocols import Progress, silent
from gitloop.records import HoldoutCheck, Interval
from gitloop.steps.calibrate.inputs import (
    FOLDER,
    cases,
    fit_policy,
    gather,
    read_traces,
    some_labels,
)
from gitloop.storage.calls import CallStore
from gitloop.storage.files import write_json, write_text
from gitloop.tables import SCORES
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class CalibratedRubric:
    """One rubric's line in the report.

    Attributes:
        rubric: The rubric.
        judge: Its judge, as in the scores table.
        status: "calibrated", "warned" or "uncalibrated".
        threshold: Score from which an output passes, or None.
        comparison: ">=" or ">".
        interval: Of the threshold, or None.
        plateau: First and last of the neighbouring thresholds that do as well, or None.
        objective: What was maximised.
        objective_value: On the rows that chose the threshold: optimistic.
        objective_interval: Of it, or None.
        cross_fitted_value: On rows that did not choose it, or None.
        optimism: `objective_value` minus `cross_fitted_value`, or None.
        n: Items with a verdict and a score.
        n_positive: Items that people pass.
        reason: Why there is no threshold; "" when there is one.
        findings: What a reader must know.
        routes: Route → its own threshold, or None where it has none; {} unless params.yaml asks.
        abstention: How near the line the judge should not decide, or None when nobody asked.
        holdout: The judge on labels that nothing learned from, or None.
    """

    rubric: str
    judge: str
    status: str
    threshold: float | None
    comparison: str
    interval: Interval | None
    plateau: tuple[float, float] | None
    objective: str
    objective_value: float | None
    objective_interval: Interval | None
    cross_fitted_value: float | None
    optimism: float | None
    n: int
    n_positive: int
    reason: str
    findings: tuple[Finding, ...]
    routes: dict[str, float | None]
    abstention: Abstention | None
    holdout: HoldoutCheck | None


@dataclass(frozen=True, slots=True)
class CalibrateReport:
    """What `gitloop calibrate` found and wrote.

    Attributes:
        rubrics: One per rubric that params.yaml pins, by name.
        n_labels: Labels in force.
        torn: "file:line" of each half-written last line of a label file.
        path: Where the gate reads the thresholds, relative to the root.
        drift: In mode refresh, how the judges' new answers differ; otherwise None.
    """

    rubrics: tuple[CalibratedRubric, ...]
    n_labels: int
    torn: tuple[str, ...]
    path: str
    drift: Drift | None = None


def calibrate(directory: Path, progress: Progress = silent) -> CalibrateReport:
    """Find the threshold of every pinned rubric and write `loop/calibrate/`.

    Args:
        directory: A directory in the repository.
        progress: Is told how far the judges and the fits are.

    Raises:
        ConfigError: No rubric is pinned, or a rubric or its judge is misconfigured.
        DataError: There are no labels, or no rubric could be calibrated; nothing was written.
        ApiError: More judge calls failed than `score.max_error_rate` allows.
    """
    workspace = Workspace(directory)
    policy = fit_policy(workspace)
    scan = some_labels(workspace)
    gathered = gather(workspace, scan.labels, read_traces(workspace))
    judges = open_judges(workspace, [found.rubric for found in gathered])
    require_dependencies(workspace, "gitloop calibrate", judges)
    store = call_store(workspace, f"{FOLDER}/calls.parquet")
    shown = {found.rubric: cases(found.items) for found in gathered if found.items.height}
    scores = judge_selected(workspace, shown, store, progress) if shown else SCORES.empty()
    calibrations = []
    for done, evidence in enumerate(gathered):
        progress("calibrating", done, len(gathered))
        calibrations.append(core.fit(evidence, scores, policy))
    progress("calibrating", len(gathered), len(gathered))
    _refuse_nothing(calibrations)
    drift = _write(workspace, calibrations, scores, store)
    return CalibrateReport(
        rubrics=tuple(_line(workspace, found) for found in calibrations),
        n_labels=scan.labels.height,
        torn=scan.torn,
        path=f"{FOLDER}/thresholds.json",
        drift=drift,
    )


def _refuse_nothing(calibrations: list[Calibration]) -> None:
    """Refuse when not one rubric has a threshold."""
    if any(found.threshold is not None for found in calibrations):
        return
    reasons = "\n".join(f"  {found.rubric}: {found.reason}" for found in calibrations)
    raise DataError(f"no rubric could be calibrated:\n{reasons}", hint="run: gitloop label")


def _write(
    workspace: Workspace, calibrations: list[Calibration], scores: pl.DataFrame, store: CallStore
) -> Drift | None:
    pins = {found.rubric: _pins(workspace, found.rubric) for found in calibrations}
    workspace.write(f"{FOLDER}/scores.parquet", SCORES, scores)
    drift = keep_calls(workspace, f"{FOLDER}/calls.parquet", store)
    root = workspace.root
    write_text(root / FOLDER / "curve.csv", core.curve_csv(calibrations))
    write_json(root / FOLDER / "metrics.json", core.metrics(calibrations))
    content = core.thresholds(calibrations, pins, _echo(workspace))
    write_json(root / FOLDER / "thresholds.json", content)
    return drift


def _pins(workspace: Workspace, rubric: str) -> Pins:
    bound = open_judge(workspace, rubric)
    return Pins(bound.rubric.version, bound.rubric.sha256, bound.name, bound.sha256)


def _echo(workspace: Workspace) -> Mapping[str, Any]:
    """The parameters that decided the result."""
    params = workspace.params
    return {
        "calibrate": params.calibrate.model_dump(mode="json"),
        "labels": {
            "guidance_version": params.labels.guidance_version,
            "min_agreement": params.labels.min_agreement,
        },
        "seed": params.seed,
    }


def _line(workspace: Workspace, found: Calibration) -> CalibratedRubric:
    return CalibratedRubric(
        rubric=found.rubric,
        judge=judge_name(workspace.params.rubrics[found.rubric].judge),
        status=found.status,
        threshold=found.threshold,
        comparison=found.comparison,
        interval=found.interval,
        plateau=found.plateau,
        objective=found.objective,
        objective_value=found.objective_value,
        objective_interval=found.objective_interval,
        cross_fitted_value=found.cross_fitted_value,
        optimism=found.optimism,
        n=found.n,
        n_positive=found.n_positive,
        reason=found.reason,
        findings=found.findings,
        routes={route: part.threshold for route, part in sorted(found.routes.items())},
        abstention=found.abstention,
        holdout=found.holdout,
    )
