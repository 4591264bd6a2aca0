"""How sure a swept threshold is, and how much its own rows flatter it.

The bootstrap draws (label, bin) cells, or whole groups' cells, never rows: a thousand resamples of
ten thousand rows cost as much as a thousand resamples of ten.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError
from gitloop.records import Interval
from gitloop.stats.distributions import BoolArray, FloatArray, IntArray, group_codes
from gitloop.stats.thresholds.objectives import Confusion, objective_values
from gitloop.stats.thresholds.sweeps import (
    SweepPolicy,
    binned,
    cell_counts,
    choose,
    cumulated,
    sweep,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_CHUNK_CELLS = 2_000_000  # resampled cells held at a time, 16 MB


@dataclass(frozen=True, slots=True)
class Draws:
    """How to resample.

    Attributes:
        n_resamples: At least 1.
        seed: Of the PCG64 generator, from params.
        level: Coverage of the intervals.
    """

    n_resamples: int = 1000
    seed: int = 0
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Folds:
    """How to hold rows out.

    Attributes:
        n: Folds, at least 2; fewer are used when there are fewer groups.
        seed: Of the assignment of groups to folds.
    """

    n: int = 5
    seed: int = 0


DEFAULT_DRAWS = Draws()
DEFAULT_FOLDS = Folds()


@dataclass(frozen=True, slots=True)
class SweepBootstrap:
    """What resampling says about a sweep.

    Attributes:
        threshold: Percentile interval of the chosen threshold; None when no resample has one.
        value: Percentile interval of the objective at the threshold chosen on all rows; None when
            it does not vary (a perfect judge on these rows is not thereby certain).
        curve: Low and high of the objective at each grid point, pointwise; None where undefined.
        optimism: How much a resample's own maximum exceeds what its threshold gives on all rows
            (Efron & Tibshirani 1993, §17.6).
        value_corrected: The objective at the chosen threshold minus `optimism`.
        n_resamples: Resamples drawn.
        n_undefined: Resamples in which the objective is defined nowhere.
        reason: Why a figure is missing; "" when none is.
    """

    threshold: Interval | None
    value: Interval | None
    curve: tuple[tuple[float, float] | None, ...]
    optimism: float | None
    value_corrected: float | None
    n_resamples: int
    n_undefined: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CrossFit:
    """A threshold's performance on rows that did not choose it.

    Attributes:
        thresholds: The threshold chosen without each fold; None where there was none.
        confusion: The held-out verdicts of all folds together; None when a fold has no threshold.
        value: The objective of `confusion`; None when it is undefined.
        in_sample: The objective at the threshold chosen on all rows.
        optimism: `in_sample` minus `value`.
        n_folds: Folds used: as many as asked for, or as there are groups.
        reason: Why there is no value; "" when there is one.
    """

    thresholds: tuple[float | None, ...]
    confusion: Confusion | None
    value: float | None
    in_sample: float | None
    optimism: float | None
    n_folds: int
    reason: str = ""


def fold_assignment(groups: Sequence[Hashable], n_folds: int, *, seed: int = 0) -> IntArray:
    """Return each row's fold, 0..n_folds - 1, shape (n,); a group never straddles two folds.

    Groups are dealt out in the order of a seeded SHA-256 of their id, so folds do not depend on
    row order, and their numbers of groups differ by at most one.
    """
    if n_folds < 2:
        raise ConfigError(f"cross-fitting needs at least two folds, not {n_folds}")

    def key(group: Hashable) -> str:
        return hashlib.sha256(f"{seed}|{group}".encode()).hexdigest()

    ranked = sorted(set(groups), key=lambda group: (key(group), str(group)))
    fold = {group: rank % n_folds for rank, group in enumerate(ranked)}
    return np.asarray([fold[group] for group in groups], dtype=np.int64)


def cross_fit(
    scores: FloatArray,
    labels: BoolArray,
    groups: Sequence[Hashable],
    policy: SweepPolicy,
    folds: Folds = DEFAULT_FOLDS,
) -> CrossFit:
    """Return the cross-fitted performance of a swept threshold.

    Args:
        scores: Shape (n,), finite.
        labels: Shape (n,), True for pass.
        groups: One id per row; a group is held out as a whole.
        policy: Grid, objective, comparison and tie rule.
        folds: How many, and the seed of their assignment.
    """
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    whole = sweep(values, truth, policy)
    codes = group_codes(groups, whole.n)
    n_folds = min(folds.n, int(codes.max()) + 1 if whole.n else 0)
    if n_folds < 2:
        reason = "fewer than two groups"
        return CrossFit((), None, None, whole.value, None, n_folds, reason)
    fold = fold_assignment(groups, n_folds, seed=folds.seed)
    chosen = [sweep(values[fold != f], truth[fold != f], policy) for f in range(n_folds)]
    thresholds = tuple(part.threshold for part in chosen)
    if None in thresholds:
        reason = "without one of the folds the objective is undefined at every threshold"
        return CrossFit(thresholds, None, None, whole.value, None, n_folds, reason)
    counts = np.zeros(4)
    for f, threshold in enumerate(thresholds):
        place = policy.grid.index(threshold) if threshold is not None else 0
        bins, held = binned(values[fold == f], truth[fold == f], policy)
        tables = cumulated(cell_counts(bins, held, len(policy.grid)))
        counts += np.array([table[place] for table in tables])
    value = float(objective_values(policy.objective, *counts[:, None])[0])
    confusion = Confusion(*(int(count) for count in counts))
    if math.isnan(value) or whole.value is None:
        reason = f"{policy.objective.name} is undefined on the held-out rows"
        return CrossFit(thresholds, confusion, None, whole.value, None, n_folds, reason)
    return CrossFit(thresholds, confusion, value, whole.value, whole.value - value, n_folds)


def bootstrap_sweep(
    scores: FloatArray,
    labels: BoolArray,
    policy: SweepPolicy,
    plan: Draws = DEFAULT_DRAWS,
    *,
    groups: Sequence[Hashable] | None = None,
) -> SweepBootstrap:
    """Return percentile intervals of a swept threshold and of its objective.

    Args:
        scores: Shape (n,), finite.
        labels: Shape (n,), True for pass.
        policy: Grid, objective, comparison and tie rule.
        plan: Resamples, seed and level.
        groups: One id per row; whole groups are drawn. None: rows.
    """
    bins, truth = binned(scores, labels, policy)
    if not truth.size or (groups is not None and len(set(groups)) < 2):
        none = (None,) * len(policy.grid)
        reason = "fewer than two groups" if truth.size else "no rows"
        return SweepBootstrap(None, None, none, None, None, 0, 0, reason)
    units = _units(bins, truth, len(policy.grid), groups)
    tables = cumulated(units.sum(axis=0))
    on_all = objective_values(policy.objective, *tables)
    chosen = int(choose(on_all[None, :], policy)[0][0])
    curves = _curves(units, policy, plan)
    picked = choose(curves, policy)[0]
    picks = picked[picked >= 0]
    undefined = plan.n_resamples - picks.size
    if chosen < 0 or not picks.size:
        reason = f"{policy.objective.name} is undefined at every threshold"
        curve = _band(curves, plan.level)
        return SweepBootstrap(None, None, curve, None, None, plan.n_resamples, undefined, reason)
    gains = curves[picked >= 0, picks] - on_all[picks]
    gains = gains[~np.isnan(gains)]
    optimism = float(gains.mean()) if gains.size else None
    held = curves[:, chosen]
    held = held[~np.isnan(held)]
    value, reason = None, ""
    if not held.size or float(np.ptp(held)) < 1e-12:
        reason = "the objective is the same in every resample"
    else:
        value = _percentiles(held, plan.level)
    return SweepBootstrap(
        threshold=_percentiles(np.asarray(policy.grid)[picks], plan.level),
        value=value,
        curve=_band(curves, plan.level),
        optimism=optimism,
        value_corrected=None if optimism is None else float(on_all[chosen]) - optimism,
        n_resamples=plan.n_resamples,
        n_undefined=undefined,
        reason=reason,
    )


def _units(
    bins: IntArray, truth: BoolArray, m: int, groups: Sequence[Hashable] | None
) -> FloatArray:
    """Return the cells of each independent unit, shape (g, 2, m + 1).

    Without groups there is a single "unit", the table of all rows, whose cells are multinomial.
    """
    if groups is None:
        return cell_counts(bins, truth, m)[None]
    codes = group_codes(groups, truth.size)
    width = 2 * (m + 1)
    cells = truth.astype(np.int64) * (m + 1) + bins
    flat = np.bincount(codes * width + cells, minlength=(int(codes.max()) + 1) * width)
    return flat.reshape(-1, 2, m + 1).astype(np.float64)


def _curves(units: FloatArray, policy: SweepPolicy, plan: Draws) -> FloatArray:
    """Return the objective of each resample at each threshold, shape (b, m)."""
    generator = np.random.default_rng(plan.seed)
    n_units, width = units.shape[0], units[0].size
    step = max(1, _CHUNK_CELLS // max(width, n_units))
    curves = []
    for start in range(0, plan.n_resamples, step):
        size = min(step, plan.n_resamples - start)
        if n_units == 1:
            table = units[0].ravel()
            total = int(table.sum())
            cells = generator.multinomial(total, table / total, size=size).astype(np.float64)
        else:
            picks = generator.multinomial(n_units, np.full(n_units, 1.0 / n_units), size=size)
            cells = picks.astype(np.float64) @ units.reshape(n_units, width)
        tables = cumulated(cells.reshape(size, 2, width // 2))
        curves.append(objective_values(policy.objective, *tables))
    return np.concatenate(curves)


def _percentiles(draws: FloatArray, level: float) -> Interval:
    """Return the percentile interval of draws without NaN."""
    low, high = np.quantile(draws, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(low), float(high), level, "bootstrap-percentile")


def _band(curves: FloatArray, level: float) -> tuple[tuple[float, float] | None, ...]:
    """Return the pointwise percentiles of the curves; None where no resample is defined."""
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    band: list[tuple[float, float] | None] = []
    for column in curves.T:
        defined = column[~np.isnan(column)]
        if not defined.size:
            band.append(None)
            continue
        low, high = np.quantile(defined, tails)
        band.append((float(low), float(high)))
    return tuple(band)
