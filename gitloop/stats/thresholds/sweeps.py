"""The sweep of a threshold over judge scores, and the one comparison of score and threshold.

Scores are binned once: a threshold's confusion table is then a cumulative count. Everything
takes leading axes, so the bootstrap evaluates all its resamples with the same few lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError, DataError
from gitloop.stats.distributions import BoolArray, FloatArray, IntArray, as_floats
from gitloop.stats.thresholds.objectives import Confusion, Objective, objective_values

if TYPE_CHECKING:
    from collections.abc import Sequence

_DECIMALS = 12  # of a grid point
_TIE = 1e-12
DEFAULT_OBJECTIVE = Objective()


@dataclass(frozen=True, slots=True)
class SweepPolicy:
    """How a threshold is chosen.

    Attributes:
        grid: Thresholds to try, rising.
        objective: What to maximise.
        strict: Pass at `score > threshold`; False: at `score >= threshold`.
        tie: "middle" cuts the widest run of equal maxima (the first of equals) at its middle grid
            point, the lower one of two; "first" takes the lowest maximum.
    """

    grid: tuple[float, ...]
    objective: Objective = DEFAULT_OBJECTIVE
    strict: bool = False
    tie: str = "middle"


@dataclass(frozen=True, slots=True)
class Sweep:
    """The whole curve of a sweep and the point that was chosen.

    Attributes:
        policy: How it was chosen.
        n: Rows.
        n_positive: Rows that people pass.
        values: The objective at each grid point; None where it is undefined.
        confusions: The confusion table at each grid point.
        threshold: The chosen grid point; None when the objective is defined nowhere.
        value: The objective there, on the same rows: optimistic.
        plateau: First and last grid point of the run of maxima that was cut.
        reason: Why there is no threshold; "" when there is one.
    """

    policy: SweepPolicy
    n: int
    n_positive: int
    values: tuple[float | None, ...]
    confusions: tuple[Confusion, ...]
    threshold: float | None
    value: float | None
    plateau: tuple[float, float] | None
    reason: str = ""

    @property
    def confusion(self) -> Confusion | None:
        """The confusion table at the chosen threshold."""
        if self.threshold is None:
            return None
        return self.confusions[self.policy.grid.index(self.threshold)]


def decimal_grid(low: str = "0.3", high: str = "0.9", n: int = 13) -> tuple[float, ...]:
    """Return `n` evenly spaced thresholds, each the float nearest to its decimal.

    0.3 + 0.6 * 6 / 12 in floats is 0.6000000000000001, which fails every score of 0.6.
    """
    first, last = Decimal(low), Decimal(high)
    if n < 2 or last <= first:
        raise ConfigError(f"no grid has {n} points from {low} to {high}")
    points = (first + (last - first) * i / (n - 1) for i in range(n))
    return tuple(float(round(point, _DECIMALS)) for point in points)


def observed_grid(scores: Sequence[float] | FloatArray) -> tuple[float, ...]:
    """Return the distinct scores: an exact sweep, since nothing changes between them."""
    return tuple(np.unique(as_floats(scores, "scores")).tolist())


def passes(
    scores: Sequence[float] | FloatArray, threshold: float, *, strict: bool = False
) -> BoolArray:
    """Return each score's verdict, shape (n,): the one comparison that sweep and gate share.

    Args:
        scores: Shape (n,), finite.
        threshold: In the scores' unit.
        strict: Pass at `score > threshold`; False: at `score >= threshold`.
    """
    values = as_floats(scores, "scores")
    return values > threshold if strict else values >= threshold


def confusion_at(
    scores: Sequence[float] | FloatArray,
    labels: Sequence[bool] | BoolArray,
    threshold: float,
    *,
    strict: bool = False,
) -> Confusion:
    """Return the confusion table of the judge's verdicts at a threshold against labels."""
    verdicts = passes(scores, threshold, strict=strict)
    truth = as_verdicts(labels, verdicts.size)
    tp, fp = int((verdicts & truth).sum()), int((verdicts & ~truth).sum())
    return Confusion(tp, fp, int(truth.sum()) - tp, int((~truth).sum()) - fp)


def sweep(
    scores: Sequence[float] | FloatArray,
    labels: Sequence[bool] | BoolArray,
    policy: SweepPolicy,
) -> Sweep:
    """Return the sweep of a judge's scores against people's pass/fail labels.

    Args:
        scores: Shape (n,), finite; higher is better.
        labels: Shape (n,), True for pass.
        policy: Grid, objective, comparison and tie rule.
    """
    bins, truth = binned(scores, labels, policy)
    tables = cumulated(cell_counts(bins, truth, len(policy.grid)))
    values = objective_values(policy.objective, *tables)
    at, start, end = (int(place[0]) for place in choose(values[None, :], policy))
    chosen = at >= 0
    reason = ""
    if not chosen:
        reason = f"{policy.objective.name} is undefined at every threshold"
    return Sweep(
        policy=policy,
        n=truth.size,
        n_positive=int(truth.sum()),
        values=tuple(None if math.isnan(v) else v for v in values.tolist()),
        confusions=tuple(
            Confusion(*(int(count) for count in table)) for table in zip(*tables, strict=True)
        ),
        threshold=policy.grid[at] if chosen else None,
        value=float(values[at]) if chosen else None,
        plateau=(policy.grid[start], policy.grid[end]) if chosen else None,
        reason=reason,
    )


def as_verdicts(labels: Sequence[bool] | BoolArray, n: int) -> BoolArray:
    """Return pass/fail labels as a boolean array of `n` entries."""
    values = np.asarray(labels)
    if values.shape != (n,):
        raise DataError(f"{n} scores have labels of shape {values.shape}")
    if values.dtype != np.bool_ and not np.isin(values, (0, 1)).all():
        raise DataError("labels must be pass or fail, True or False")
    return values.astype(np.bool_)


def binned(
    scores: Sequence[float] | FloatArray,
    labels: Sequence[bool] | BoolArray,
    policy: SweepPolicy,
) -> tuple[IntArray, BoolArray]:
    """Return how many thresholds each score passes, shape (n,), and the labels.

    Raises:
        ConfigError: The grid is empty or does not rise, or the tie rule is unknown.
    """
    grid = np.asarray(policy.grid, dtype=np.float64)
    if not grid.size or bool(np.any(np.diff(grid) <= 0.0)):
        raise ConfigError("a grid of thresholds must rise and hold at least one")
    if policy.tie not in {"middle", "first"}:
        raise ConfigError(f"a tie goes to the middle or to the first, not to {policy.tie!r}")
    values = as_floats(scores, "scores")
    bins = np.searchsorted(grid, values, side="left" if policy.strict else "right")
    return bins.astype(np.int64), as_verdicts(labels, values.size)


def cell_counts(bins: IntArray, truth: BoolArray, n_thresholds: int) -> FloatArray:
    """Return rows per (label, bin), shape (2, n_thresholds + 1); label 1 is pass."""
    width = n_thresholds + 1
    counts = np.bincount(truth.astype(np.int64) * width + bins, minlength=2 * width)
    return counts.reshape(2, width).astype(np.float64)


def cumulated(
    cells: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return (tp, fp, fn, tn) at each threshold.

    Args:
        cells: Shape (..., 2, m + 1); a row in bin i passes the first i thresholds.

    Returns:
        Four arrays of shape (..., m).
    """
    above = np.flip(np.cumsum(np.flip(cells, axis=-1), axis=-1), axis=-1)[..., 1:]
    totals = cells.sum(axis=-1)[..., None]
    fp, tp = above[..., 0, :], above[..., 1, :]
    return tp, fp, totals[..., 1, :] - tp, totals[..., 0, :] - fp


def choose(values: FloatArray, policy: SweepPolicy) -> tuple[IntArray, IntArray, IntArray]:
    """Return the chosen grid point of each curve and the ends of its plateau, -1 if undefined.

    Args:
        values: Shape (b, m), NaN where undefined.
        policy: Grid and tie rule.

    Returns:
        Three arrays of shape (b,).
    """
    heights = np.where(np.isnan(values), -np.inf, values)
    best = heights.max(axis=1)
    defined = best > -np.inf
    at_top = (heights >= best[:, None] - _TIE) & defined[:, None]
    rows, width = values.shape[0], values.shape[1]
    start = np.full(rows, -1)
    end = np.full(rows, -1)
    widest = np.full(rows, -1.0)
    opened = np.full(rows, -1)  # where the current run began
    for column in range(width):
        top = at_top[:, column]
        opened = np.where(top, np.where(opened < 0, column, opened), -1)
        span = np.where(top, policy.grid[column] - np.take(policy.grid, opened), -1.0)
        better = top & (span > widest + _TIE)
        if policy.tie == "first":
            better &= (start < 0) | (start == opened)
        start, end = np.where(better, opened, start), np.where(better, column, end)
        widest = np.where(better, span, widest)
    chosen = start if policy.tie == "first" else np.where(defined, (start + end) // 2, -1)
    return chosen, start, end
