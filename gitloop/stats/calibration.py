"""How well a judge's scores rank and predict people's pass/fail labels, before any threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError, DataError
from gitloop.records import Interval
from gitloop.stats.distributions import (
    BoolArray,
    FloatArray,
    as_floats,
    mean_bounds,
    mean_estimate,
    normal_sf,
    z_value,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

EXACT_ROWS = 60  # up to here the rank sum's distribution under chance is counted exactly


@dataclass(frozen=True, slots=True)
class Discrimination:
    """Whether scores rank passes above fails.

    Attributes:
        auroc: P(a pass outscores a fail), ties half; 0.5 is chance; None without both classes.
        interval: Newcombe's score interval (2006, method 5), which never has width zero.
        p_useless: One-sided p against "no better than chance"; None without both classes.
        n_positive: Rows that people pass.
        n_negative: Rows that people fail.
        method: "rank-sum-exact" or "rank-sum-normal" (tie-corrected, continuity-corrected).
        reason: Why there is no value; "" when there is one.
    """

    auroc: float | None
    interval: Interval | None
    p_useless: float | None
    n_positive: int
    n_negative: int
    method: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """How far scores, read as probabilities of a pass, are from the truth. Lower is better.

    Attributes:
        brier: Mean squared error, in [0, 1]; None without rows.
        interval: Of `brier`: Student's t, CR2 with groups, zero-variance bounds.
        brier_base: Brier score of always saying the base rate; None without rows.
        ece: Expected calibration error over equally wide bins; None without rows.
        n: Rows.
        n_bins: Bins of `ece`.
    """

    brier: float | None
    interval: Interval | None
    brier_base: float | None
    ece: float | None
    n: int
    n_bins: int


def discrimination(
    scores: Sequence[float] | FloatArray,
    labels: Sequence[bool] | BoolArray,
    *,
    level: float = 0.95,
) -> Discrimination:
    """Return the AUROC with its interval, and the test that the judge is no better than chance.

    The test involves no threshold, so a sweep cannot flatter it: at 20 rows a useless judge's
    best accuracy is .63 on average.

    Args:
        scores: Shape (n,), finite; higher is better.
        labels: Shape (n,), True for pass.
        level: Coverage of the interval.
    """
    values, truth = _checked(scores, labels)
    m, n = int(truth.sum()), int((~truth).sum())
    if not m or not n:
        reason = "people gave one label only" if m + n else "no rows"
        return Discrimination(None, None, None, m, n, "rank-sum-exact", reason)
    doubled, tie_sizes = _doubled_ranks(values)
    excess = int(doubled[truth].sum()) - m * (m + 1)  # twice the wins, in whole numbers
    auroc = excess / (2.0 * m * n)
    if m + n <= EXACT_ROWS:
        p, method = _exact_rank_sum(doubled, truth), "rank-sum-exact"
    else:
        p, method = _normal_rank_sum(auroc, (m, n), tie_sizes), "rank-sum-normal"
    return Discrimination(auroc, _auroc_interval(auroc, (m, n), level), p, m, n, method)


def calibration_error(
    scores: Sequence[float] | FloatArray,
    labels: Sequence[bool] | BoolArray,
    *,
    n_bins: int = 10,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> CalibrationError:
    """Return the Brier score (Brier 1950) and the expected calibration error (Guo et al. 2017).

    Args:
        scores: Shape (n,), in [0, 1].
        labels: Shape (n,), True for pass.
        n_bins: Equally wide bins of [0, 1]; each holds its upper edge, the first also 0.
        groups: One id per row; rows that share one are not independent.
        level: Coverage of the interval.
    """
    values, truth = _checked(scores, labels)
    if n_bins < 1:
        raise ConfigError(f"the calibration error needs at least one bin, not {n_bins}")
    outside = int(((values < 0.0) | (values > 1.0)).sum())
    if outside:
        raise DataError(f"{outside} scores lie outside [0, 1]")
    n = values.size
    if not n:
        return CalibrationError(None, None, None, None, 0, n_bins)
    squared = (values - truth) ** 2
    estimate = mean_estimate(squared, groups)
    low, high, method = mean_bounds(estimate, level, (0.0, 1.0))
    interval = Interval(low, high, level, method)
    edges = np.asarray([i / n_bins for i in range(1, n_bins)])
    bins = np.searchsorted(edges, values, side="left")
    gaps = np.bincount(bins, weights=truth - values, minlength=n_bins)
    base = float(truth.mean())
    ece = float(np.abs(gaps).sum()) / n
    return CalibrationError(estimate.mean, interval, base * (1.0 - base), ece, n, n_bins)


def _checked(
    scores: Sequence[float] | FloatArray, labels: Sequence[bool] | BoolArray
) -> tuple[FloatArray, BoolArray]:
    """Return scores and boolean labels of one length."""
    values, truth = as_floats(scores, "scores"), np.asarray(labels)
    if truth.shape != values.shape or not np.isin(truth, (0, 1)).all():
        raise DataError(f"{values.size} scores need as many labels, each pass or fail")
    return values, truth.astype(np.bool_)


def _doubled_ranks(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return twice the mid-rank of each value (whole numbers), and the sizes of the ties."""
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    return (2 * ends - sizes + 1)[places].astype(np.float64), sizes.astype(np.float64)


def _exact_rank_sum(doubled: FloatArray, truth: BoolArray) -> float:
    """Return P(rank sum of the passes >= observed) over all ways to hand out the labels."""
    ranks = doubled.astype(np.int64)
    m, total = int(truth.sum()), int(ranks.sum())
    observed = int(ranks[truth].sum())
    ways = np.zeros((m + 1, total + 1))  # ways[j, s]: choices of j rows that sum to s
    ways[0, 0] = 1.0
    for rank in ranks.tolist():
        ways[1:, rank:] += ways[:-1, : total + 1 - rank]
    return float(min(1.0, ways[m, observed:].sum() / ways[m].sum()))


def _normal_rank_sum(auroc: float, sizes: tuple[int, int], ties: FloatArray) -> float:
    """Return the Mann-Whitney p-value by the normal approximation (Lehmann 1975, §1.3)."""
    m, n = sizes
    total = m + n
    tied = float((ties**3 - ties).sum()) / (total * (total - 1.0))
    variance = m * n / 12.0 * (total + 1.0 - tied)
    if variance <= 0.0:
        return 1.0
    return normal_sf((m * n * (auroc - 0.5) - 0.5) / math.sqrt(variance))


def _auroc_interval(auroc: float, sizes: tuple[int, int], level: float) -> Interval:
    """Return Newcombe's interval: the areas that a score test does not reject."""
    m, n = sizes
    z, half = z_value(level), (m + n) / 2.0 - 1.0

    def kept(area: float) -> bool:
        shape = 1.0 + half * ((1.0 - area) / (2.0 - area) + area / (1.0 + area))
        return (auroc - area) ** 2 <= z * z * area * (1.0 - area) * shape / (m * n)

    bounds = []
    for outer in (0.0, 1.0):
        inside, outside = auroc, outer
        for _ in range(60):
            middle = 0.5 * (inside + outside)
            inside, outside = (middle, outside) if kept(middle) else (inside, middle)
        bounds.append(inside)
    return Interval(bounds[0], bounds[1], level, "newcombe-auroc")
