"""The threshold of one rubric, with everything that says how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from gitloop.core.calibrate.abstention import Abstention, abstention, none_kept
from gitloop.core.calibrate.doubts import doubts, two_scores, unfit, unscored
from gitloop.core.calibrate.evidence import Evidence
from gitloop.core.calibrate.findings import SEVERITIES, Finding, errors
from gitloop.core.calibrate.holdout import alarm, check_holdout
from gitloop.core.calibrate.intervals import objective_interval
from gitloop.core.calibrate.results import Calibration, CurvePoint
from gitloop.core.calibrate.sweeping import Fitted, Rows, held_out_lines, resample, sweep_rows
from gitloop.params import Calibrate
from gitloop.records import confidence
from gitloop.stats.calibration import discrimination
from gitloop.stats.thresholds import Draws


@dataclass(frozen=True, slots=True)
class FitPolicy:
    """How thresholds are found.

    Attributes:
        calibrate: `params.calibrate`.
        seed: Of folds and bootstrap.
        level: Coverage of the intervals.
        pinned: Rubric → the line that a review decided on, which is measured and not chosen.
    """

    calibrate: Calibrate
    seed: int = 0
    level: float = 0.95
    pinned: Mapping[str, float] = field(default_factory=dict)


def scored_items(evidence: Evidence, scores: pl.DataFrame) -> pl.DataFrame:
    """The items that have a score, with it: the mean over replicates, in column `score`.

    Args:
        evidence: What people said.
        scores: Fits `tables.SCORES`; other rubrics are left out.
    """
    good = scores.filter((pl.col("rubric") == evidence.rubric) & (pl.col("status") == "ok"))
    means = good.group_by(pl.col("item_id").alias("trace_id")).agg(pl.col("score").mean())
    return evidence.items.join(means, on="trace_id", how="inner").sort("trace_id")


def fit(evidence: Evidence, scores: pl.DataFrame, policy: FitPolicy) -> Calibration:
    """The threshold of the rubric, or the reason why there is none.

    Args:
        evidence: What people said.
        scores: What the judge said of the same items; fits `tables.SCORES`.
        policy: How the threshold is found.
    """
    if evidence.rubric in policy.pinned:
        one = {"grid": repr(policy.pinned[evidence.rubric]), "by_route": False}
        policy = replace(policy, calibrate=policy.calibrate.model_copy(update=one))
    whole = _fit(evidence, scores, policy)
    if not policy.calibrate.by_route:
        return whole
    routes = sorted(evidence.items["route"].drop_nulls().unique().to_list())
    return replace(
        whole, routes={route: _fit(_of_route(evidence, route), scores, policy) for route in routes}
    )


def _of_route(evidence: Evidence, route: str) -> Evidence:
    """The evidence on one route; what is wrong with all labels is told once, of the whole."""
    return replace(evidence, items=evidence.items.filter(route=route), findings=())


def _fit(evidence: Evidence, scores: pl.DataFrame, policy: FitPolicy) -> Calibration:
    items = scored_items(evidence, scores)
    rows = _rows(items.filter(~pl.col("is_held_out")))
    findings = [*evidence.findings, *unscored(evidence, items.height, scores)]
    findings += unfit(rows, policy.calibrate) if evidence.items.height else []
    found = _unfitted(evidence, rows, items, policy)
    swept = None if errors(findings) else sweep_rows(rows, policy.calibrate)
    if swept is not None and swept.threshold is None:
        findings.append(Finding("undefined_objective", swept.reason))
    if swept is not None and swept.threshold is not None:
        fitted = resample(rows, swept, policy.calibrate, _draws(policy))
        held = _rows(items.filter("is_held_out"))
        found = _fitted(found, rows, fitted, held, policy)
        findings += doubts(rows, found.discrimination, fitted, policy.calibrate)
        rate = policy.calibrate.holdout_rate
        findings += [*two_scores(rows, evidence.scale), *alarm(found.holdout, rate)]
    ordered = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
    return replace(found, findings=tuple(ordered))


def _rows(items: pl.DataFrame) -> Rows:
    return Rows(
        scores=items["score"].to_numpy().astype(np.float64),
        labels=(items["verdict"] == "pass").to_numpy().astype(np.bool_),
        groups=items["group_id"].to_list(),
    )


def _unfitted(
    evidence: Evidence, rows: Rows, items: pl.DataFrame, policy: FitPolicy
) -> Calibration:
    """What there is to say of the rows before any threshold."""
    return Calibration(
        rubric=evidence.rubric,
        threshold=None,
        comparison=policy.calibrate.comparison,
        interval=None,
        objective=policy.calibrate.objective,
        objective_value=None,
        objective_interval=None,
        cross_fitted_value=None,
        optimism=None,
        plateau=None,
        n=rows.labels.size,
        n_positive=int(rows.labels.sum()),
        n_groups=rows.n_groups,
        n_unscored=evidence.items.height - items.height,
        confusion=None,
        cross_fitted_confusion=None,
        discrimination=discrimination(rows.scores, rows.labels, level=policy.level),
        annotators=evidence.annotators,
        label_sha256=evidence.label_sha256,
        agreement=evidence.agreement,
        holdout=None,
        abstention=None,
        curve=(),
        findings=(),
    )


def _fitted(
    found: Calibration, rows: Rows, fitted: Fitted, held: Rows, policy: FitPolicy
) -> Calibration:
    """The calibration with its threshold and all that follows from it."""
    swept, crossed = fitted.swept, fitted.crossed
    line = (swept.threshold or 0.0, policy.calibrate.comparison)
    columns = (swept.policy.grid, swept.values, fitted.resampled.curve, swept.confusions)
    return replace(
        found,
        threshold=swept.threshold,
        interval=fitted.resampled.threshold,
        objective_value=swept.value,
        objective_interval=objective_interval(rows, fitted, _draws(policy)),
        cross_fitted_value=crossed.value,
        optimism=crossed.optimism,
        plateau=swept.plateau,
        confusion=swept.confusion,
        cross_fitted_confusion=crossed.confusion,
        holdout=check_holdout(held.scores, held.labels, line, found.agreement),
        abstention=_abstention(rows, fitted, policy),
        curve=tuple(CurvePoint(*point) for point in zip(*columns, strict=True)),
    )


def _abstention(rows: Rows, fitted: Fitted, policy: FitPolicy) -> Abstention | None:
    """The confidence that keeps the promise, on verdicts of held-out folds."""
    max_error = policy.calibrate.max_judge_error
    if max_error is None:
        return None
    lines = held_out_lines(rows, fitted, policy.seed)
    if lines is None:
        return none_kept(max_error, fitted.crossed.reason)
    strict = policy.calibrate.comparison == ">"
    gaps = np.round(rows.scores - lines, 12)
    wrong = (gaps > 0 if strict else gaps >= 0) != rows.labels
    pairs = zip(rows.scores.tolist(), lines.tolist(), strict=True)
    return abstention(np.array([confidence(*pair) for pair in pairs]), wrong, max_error)


def _draws(policy: FitPolicy) -> Draws:
    return Draws(policy.calibrate.bootstraps, policy.seed, policy.level)
