"""Threshold optimisation: the calibrated curve of each rubric, and one look at held-out labels.

A labelled output belongs to the split of the golden row that it became, else to that of its group:
the same draw that a promotion would make, so an item keeps its split for life.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gitloop.core.calibrate import LabelRules, gather, scored_items
from gitloop.core.calibrate.sweeping import sweep_policy
from gitloop.core.optimize import (
    Acceptance,
    HoldoutVerdict,
    LineChoice,
    ScoredLabel,
    choose_line,
    judge_line,
)
from gitloop.core.promote import assign_splits
from gitloop.digests import sha256_of
from gitloop.errors import DataError
from gitloop.records import Threshold, as_json, parse_thresholds
from gitloop.steps.optimize.ledger import look_at
from gitloop.storage.files import read_json
from gitloop.storage.labels import scan_labels
from gitloop.storage.looks import Look
from gitloop.storage.parts import read_parts
from gitloop.tables import SCORES, TRACES
from gitloop.workspace import Workspace

_SCORES = "loop/calibrate/scores.parquet"


@dataclass(frozen=True, slots=True)
class ThresholdReport:
    """What came of a rubric's threshold.

    Attributes:
        rubric: The rubric.
        outcome: "proposed", "no improvement", "too few labels" or "uncalibrated".
        message: The fact, in a sentence.
        objective: What calibration maximises.
        choice: The line in force and the best other one; None where nothing was looked at.
        n_holdout: Labelled and scored items of the holdout.
        holdout: The one look at them, as agreement with people; None where there was none.
        look: Which look at them it was, and its level; None where there was none.
    """

    rubric: str
    outcome: str
    message: str
    objective: str
    choice: LineChoice | None = None
    n_holdout: int = 0
    holdout: HoldoutVerdict | None = None
    look: Look | None = None


def optimize_thresholds(workspace: Workspace) -> tuple[ThresholdReport, ...]:
    """What came of the threshold of every pinned rubric, by name. Nothing is called.

    Raises:
        DataError: There are no labels, or calibration has not run.
    """
    if not (workspace.root / _SCORES).is_file():
        raise DataError("no judge has scored the labels yet", hint="run: gitloop calibrate")
    calibrated = parse_thresholds(read_json(workspace.root / "loop/calibrate/thresholds.json"))
    labelled = _labelled(workspace)
    return tuple(
        _optimized(workspace, calibrated.get(rubric), labels, rubric)
        for rubric, labels in labelled.items()
    )


def _optimized(
    workspace: Workspace, calibrated: Threshold | None, labels: list[ScoredLabel], rubric: str
) -> ThresholdReport:
    own, calibrate = workspace.params.optimize, workspace.params.calibrate
    held = [label for label in labels if label.split == "holdout"]
    n_seen = len(labels) - len(held)
    report = ThresholdReport(rubric, "uncalibrated", "", calibrate.objective, n_holdout=len(held))
    if calibrated is None or calibrated.threshold is None:
        return replace(report, message="calibration found no threshold")
    if n_seen < calibrate.min_labels or not held:
        told = f"{n_seen} labelled items to choose on, {len(held)} to decide on"
        least = f"{calibrate.min_labels} and 1 are the least"
        return replace(report, outcome="too few labels", message=f"{told}; {least}")
    policy = sweep_policy(calibrate, np.asarray([label.score for label in labels]))
    choice = choose_line(labels, calibrated.threshold, policy, own.min_delta)
    report = replace(report, outcome="no improvement", choice=choice)
    if choice.found is None:
        return replace(report, message=f"no line on the curve beats {choice.incumbent:g}")
    pair = f"{rubric}-{choice.incumbent:g}-{choice.found:g}"
    alpha = own.alpha / len(workspace.params.rubrics)
    look = look_at(workspace.root, sha256_of([rubric, *map(as_json, held)]), pair, alpha)
    noise = workspace.rubric(rubric).noise_floor
    verdict = judge_line(held, choice, policy, Acceptance(look.alpha, own.min_delta, noise, 1.0))
    report = replace(report, holdout=verdict, look=look)
    if not verdict.is_accepted:
        return replace(report, message=verdict.reasons[0])
    told = f"{choice.incumbent:g} → {choice.found:g} agrees better with people"
    return replace(report, outcome="proposed", message=f"{told}, {verdict.gain:+.3f}")


def _labelled(workspace: Workspace) -> dict[str, list[ScoredLabel]]:
    """Rubric → what its judge and people said of the same outputs, by trace."""
    params = workspace.params
    labels = scan_labels(workspace.root).labels
    if labels.is_empty():
        raise DataError("there are no labels", hint="run: gitloop label")
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    scores = workspace.read(_SCORES, SCORES)
    rules = LabelRules(
        params.labels.guidance_version, params.labels.min_agreement, params.calibrate.holdout_rate
    )
    by_trace, by_group, rates = _taken(workspace)
    found = {}
    for rubric in sorted(params.rubrics):
        items = scored_items(gather(labels, traces, workspace.rubric(rubric), rules), scores)
        items = assign_splits(items, by_group, val_rate=rates[0], holdout_rate=rates[1])
        found[rubric] = [
            ScoredLabel(
                item_id=row["trace_id"],
                score=row["score"],
                is_pass=row["verdict"] == "pass",
                # What calibration keeps back chooses no line here either.
                split="holdout"
                if row["is_held_out"]
                else by_trace.get(row["trace_id"], row["split"]),
                group=row["group_id"],
                cohort=row["user_cohort"] or "unknown",
            )
            for row in items.to_dicts()
        ]
    return found


def _taken(workspace: Workspace) -> tuple[dict[str, str], dict[str, str], tuple[float, float]]:
    """The splits of traces and groups that golden sets have, and the rates for all others."""
    by_trace: dict[str, str] = {}
    by_group: dict[str, str] = {}
    rates = (0.3, 0.3)
    for name in sorted(workspace.params.golden.sets):
        golden = workspace.golden_in_use(name)
        if not golden.exists():
            continue
        spec = golden.spec()
        rates = (spec.val_rate, spec.holdout_rate)
        columns = ("source_trace_id", "group_id", "split")
        for trace_id, group, split in golden.read().select(columns).iter_rows():
            by_trace[trace_id], by_group[group] = split, split
    return by_trace, by_group, rates
