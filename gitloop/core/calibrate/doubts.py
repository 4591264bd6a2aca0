"""What is wrong with scores and with a threshold, each in one sentence."""

from __future__ import annotations

import numpy as np
import polars as pl

from gitloop.core.calibrate.evidence import Evidence
from gitloop.core.calibrate.findings import Finding, count
from gitloop.core.calibrate.sweeping import Fitted, Rows, sweep_beyond
from gitloop.params import Calibrate
from gitloop.stats.calibration import Discrimination
from gitloop.stats.thresholds import confusion_rates

USELESS_P = 0.025
"""A judge is called useless unless chance explains its ranking with less than this probability."""

FEW_ROWS, FEW_OF_A_CLASS = 50, 10
"""Below either, intervals are wide and a finding says so."""

OPTIMISTIC = 0.05
"""Gap between in-sample and cross-fitted objective from which a finding says so."""

MAX_UNSCORED = 0.5
"""Share of labelled items without a score from which there is no threshold."""


def unscored(evidence: Evidence, n_scored: int, scores: pl.DataFrame) -> list[Finding]:
    """What there is to say about labelled items that the judge gave no score."""
    n_items = evidence.items.height
    missing = n_items - n_scored
    if not missing:
        return []
    own = scores.filter((pl.col("rubric") == evidence.rubric) & (pl.col("status") != "ok"))
    kinds = own.group_by("status").len().sort("status")
    told = ", ".join(f"{status} {n}" for status, n in kinds.iter_rows())
    message = f"the judge gave no score for {missing} of {count(n_items, 'labelled item')}" + (
        f" ({told})" if told else ""
    )
    code = "no_scores" if missing >= MAX_UNSCORED * n_items else "missing_scores"
    return [Finding(code, message)]


def unfit(rows: Rows, calibrate: Calibrate) -> list[Finding]:
    """Why these rows cannot choose a threshold; [] when they can."""
    n, n_positive = rows.labels.size, int(rows.labels.sum())
    if not n:
        return []
    found = []
    if n < calibrate.min_labels:
        message = (
            f"{count(n, 'labelled item')}, fewer than calibrate.min_labels = {calibrate.min_labels}"
        )
        found.append(Finding("too_few_labels", message))
    if n_positive in (0, n):
        verdict = "pass" if n_positive else "fail"
        message = f"people say {verdict} on all {count(n, 'item')}: label some that are not"
        found.append(Finding("one_class", message))
    elif float(np.ptp(rows.scores)) == 0.0:
        message = (
            f"the judge scores all {n} items {rows.scores[0]:g}: no threshold tells them apart"
        )
        found.append(Finding("constant_scores", message))
    return found


def doubts(
    rows: Rows, ranking: Discrimination, fitted: Fitted, calibrate: Calibrate
) -> list[Finding]:
    """What a reader of the threshold must know."""
    n, n_positive = rows.labels.size, int(rows.labels.sum())
    rarer = min(n_positive, n - n_positive)
    found = []
    if n < FEW_ROWS or rarer < FEW_OF_A_CLASS:
        message = f"{count(n, 'item')}, {rarer} of the rarer verdict: the interval is wide"
        found.append(Finding("few_labels", message))
    if ranking.p_useless is not None and ranking.p_useless > USELESS_P:
        message = (
            f"the judge ranks passes above fails no better than chance"
            f" (AUROC {ranking.auroc:.2f}, p {ranking.p_useless:.2f})"
        )
        found.append(Finding("useless_judge", message))
    found += _base_rate(fitted)
    found += _edge(rows, fitted, calibrate)
    optimism = fitted.crossed.optimism
    if optimism is not None and optimism > OPTIMISTIC:
        message = f"on rows that did not choose it, the threshold does {optimism:.2f} worse"
        found.append(Finding("optimistic", message))
    return found


def two_scores(rows: Rows, scale: str) -> list[Finding]:
    """Whether the judge knows two scores only: as it should be for a binary rubric alone."""
    levels = np.unique(rows.scores)
    if levels.size != 2:
        return []
    low, high = levels.tolist()
    message = f"the judge gives two scores only, {low:g} and {high:g}: any line between is the same"
    return [Finding("two_scores" if scale == "binary" else "binary_judge", message)]


def _base_rate(fitted: Fitted) -> list[Finding]:
    """Whether always giving the commoner verdict would be as accurate as the judge."""
    confusion = fitted.crossed.confusion or fitted.swept.confusion
    rates = confusion_rates(confusion) if confusion else None
    if rates is None or rates.accuracy is None or rates.base_accuracy is None:
        return []
    if rates.accuracy.value > rates.base_accuracy:
        return []
    commoner = "pass" if 2 * rates.n_positive >= rates.n else "fail"
    message = (
        f"the judge is right on {rates.accuracy.value:.0%};"
        f" always saying {commoner} is right on {rates.base_accuracy:.0%}"
    )
    return [Finding("base_rate", message)]


def _edge(rows: Rows, fitted: Fitted, calibrate: Calibrate) -> list[Finding]:
    """Whether the best line lies at the grid's end, or beyond it."""
    swept = fitted.swept
    grid, value = swept.policy.grid, swept.value
    if calibrate.grid == "observed" or value is None or swept.threshold is None:
        return []
    best = sweep_beyond(rows, swept.policy)
    if best is not None and best.value is not None and best.value > value + 1e-9:
        place = "beyond the grid" if len(grid) > 1 else "elsewhere than at the pinned"
        message = (
            f"the best line lies {place} {calibrate.grid}: {best.threshold:g} gives"
            f" {calibrate.objective} {best.value:.3f} in place of {value:.3f}"
        )
        return [Finding("grid_edge", message)]
    if len(grid) > 1 and swept.threshold in (grid[0], grid[-1]):
        message = f"the best line is an end of the grid {calibrate.grid}: {swept.threshold:g}"
        return [Finding("grid_edge", message)]
    return []
