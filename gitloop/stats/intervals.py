"""Interval estimates of one rate, one mean, one percentile, and of a difference of two rates.

No interval here claims certainty that the data do not give: 20 of 20 does not mean [1, 1], and a
sample without variance gets the bounds that Clopper and Pearson would give, not a width of zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError, DataError
from gitloop.records import Interval
from gitloop.stats.distributions import (
    FloatArray,
    IntArray,
    as_floats,
    beta_ppf,
    binomial_cdf,
    binomial_sf,
    group_codes,
    mean_bounds,
    mean_estimate,
    newcombe_bounds,
    normal_cdf,
    normal_ppf,
    wilson_bounds,
    z_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

UNIT = (0.0, 1.0)
_CHUNK_CELLS = 4_000_000  # resampled values held at a time, 32 MB


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How to resample.

    Attributes:
        seed: Seed of the PCG64 generator, from params; equal seeds give equal bytes.
        n_resamples: Resamples, at least 1.
        level: Coverage in (0, 1).
        method: "bca" (Efron 1987) or "percentile".
    """

    seed: int
    n_resamples: int = 2000
    level: float = 0.95
    method: str = "bca"


def wilson_interval(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a rate (Wilson 1927); [0, 1] when `n` is 0."""
    _check_count(successes, n)
    low, high = wilson_bounds(successes, n, z_value(_checked_level(level)))
    return Interval(low, high, level, "wilson")


def clopper_pearson_interval(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Return the exact interval of a rate (Clopper & Pearson 1934); [0, 1] when `n` is 0."""
    _check_count(successes, n)
    tail = (1.0 - _checked_level(level)) / 2.0
    low = beta_ppf(tail, successes, n - successes + 1) if successes else 0.0
    high = beta_ppf(1.0 - tail, successes + 1, n - successes) if successes < n else 1.0
    return Interval(low, high, level, "clopper-pearson")


def newcombe_interval(
    baseline: tuple[int, int], candidate: tuple[int, int], *, level: float = 0.95
) -> Interval:
    """Return the interval of candidate minus baseline rate, of two independent samples.

    Newcombe's hybrid score interval, method 10 (Newcombe 1998, Statistics in Medicine 17:873);
    [-1, 1] when a side has no rows.

    Args:
        baseline: (successes, n).
        candidate: (successes, n).
        level: Coverage in (0, 1).
    """
    for successes, n in (baseline, candidate):
        _check_count(successes, n)
    low, high = newcombe_bounds(baseline, candidate, z_value(_checked_level(level)))
    return Interval(low, high, level, "newcombe")


def mean_interval(
    values: Sequence[float] | FloatArray,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    bounds: tuple[float, float] | None = UNIT,
) -> Interval | None:
    """Return the interval of a mean: Student's t, cluster-robust (CR2) when groups are given.

    A sample that does not vary has no standard error. Within known bounds it gets the
    `zero-variance` interval of `distributions.constant_bounds`, otherwise None.

    Args:
        values: Shape (n,), finite.
        groups: One id per row; rows that share one are not independent.
        level: Coverage in (0, 1).
        bounds: The range that a value can have, which also clips the interval; None: unbounded.

    Returns:
        None when there is no row, or no finite interval.

    Raises:
        DataError: A value lies outside the bounds.
    """
    _checked_level(level)
    rows = as_floats(values)
    if not rows.size:
        return None
    if bounds is not None and (rows.min() < bounds[0] or rows.max() > bounds[1]):
        raise DataError(f"values from {rows.min():g} to {rows.max():g} leave the bounds {bounds}")
    estimate = mean_estimate(rows, groups)
    if bounds is None and estimate.se == 0.0:
        return None
    low, high, method = mean_bounds(estimate, level, bounds or (-math.inf, math.inf))
    return Interval(low, high, level, method)


def percentile_interval(
    values: Sequence[float] | FloatArray, q: float, *, level: float = 0.95
) -> Interval:
    """Return the distribution-free interval of the `q` quantile, from two order statistics.

    Each end has at most (1 - level) / 2 of the error (David & Nagaraja, Order Statistics, §7.1).
    An end that no observation can bound is -inf or inf: the 95th percentile of 20 values has no
    finite upper limit.

    Args:
        values: Shape (n,), finite; an empty array gives (-inf, inf).
        q: The quantile in (0, 1).
        level: Coverage in (0, 1).
    """
    tail = (1.0 - _checked_level(level)) / 2.0
    if not 0.0 < q < 1.0:
        raise ConfigError(f"a quantile must lie between 0 and 1, not {q}")
    ordered = np.sort(as_floats(values))
    n = int(ordered.size)
    below = _largest(n, lambda rank: binomial_cdf(rank - 1, n, q) <= tail)
    above = n + 1 - _largest(n, lambda back: binomial_sf(n - back, n, q) <= tail)
    low = float(ordered[below - 1]) if below else -math.inf
    high = float(ordered[above - 1]) if above <= n else math.inf
    return Interval(low, high, level, "order-statistic")


def bootstrap_interval(
    values: Sequence[float] | FloatArray,
    statistic: Callable[[FloatArray], FloatArray],
    plan: Bootstrap,
    *,
    groups: Sequence[Hashable] | None = None,
) -> Interval | None:
    """Return a seeded bootstrap interval of any statistic of one sample.

    BCa follows Efron (1987) with the jackknife acceleration; ties with the estimate count half.
    With groups, whole groups are drawn, and BCa's jackknife leaves out whole groups.

    Args:
        values: Shape (n,), finite.
        statistic: Maps (..., n) to (...): it reduces the last axis, which may vary in length
            when groups are given (then it is called with one-dimensional arrays only).
        plan: Seed, resamples, level and method.
        groups: One id per row; None resamples rows.

    Returns:
        None when there are fewer than two independent units, or all resamples agree.
    """
    rows = as_floats(values)
    level = _checked_level(plan.level)
    members = _members(rows.size, groups)
    if len(members) < 2:
        return None
    draws = _resample(rows, members, statistic, plan)
    spread = float(np.abs(draws - draws[0]).max())
    if spread <= 1e-14 * max(1.0, abs(float(draws[0]))):
        return None
    tails = np.array([(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    if plan.method == "bca":
        tails = _bca_tails(rows, members, statistic, (draws, level))
    low, high = np.quantile(draws, tails)
    return Interval(float(low), float(high), level, f"bootstrap-{plan.method}")


def _members(n: int, groups: Sequence[Hashable] | None) -> list[IntArray]:
    """Return the row numbers of each independent unit."""
    if groups is None:
        return [np.array([i]) for i in range(n)]
    codes = group_codes(groups, n)
    order = np.argsort(codes, kind="stable")
    return list(np.split(order, np.cumsum(np.bincount(codes))[:-1])) if n else []


def _resample(
    rows: FloatArray,
    members: list[IntArray],
    statistic: Callable[[FloatArray], FloatArray],
    plan: Bootstrap,
) -> FloatArray:
    """Return the statistic of each resample, shape (n_resamples,)."""
    if plan.n_resamples < 1 or plan.method not in {"bca", "percentile"}:
        raise ConfigError(f"no bootstrap is called {plan.method!r} x {plan.n_resamples}")
    generator = np.random.default_rng(plan.seed)
    units, total = len(members), plan.n_resamples
    draws = np.empty(total)
    step = max(1, _CHUNK_CELLS // units)
    for start in range(0, total, step):
        stop = min(total, start + step)
        picks = generator.integers(0, units, size=(stop - start, units))
        if units == rows.size:
            draws[start:stop] = statistic(rows[picks])
            continue
        for at, pick in enumerate(picks, start):
            draws[at] = float(statistic(rows[np.concatenate([members[i] for i in pick])]))
    return draws


def _bca_tails(
    rows: FloatArray,
    members: list[IntArray],
    statistic: Callable[[FloatArray], FloatArray],
    resampled: tuple[FloatArray, float],
) -> FloatArray:
    """Return the two quantile levels of the BCa interval, given the draws and the level."""
    draws, level = resampled
    estimate = float(statistic(rows))
    share = float(np.mean(draws < estimate) + np.mean(draws <= estimate)) / 2.0
    bias = normal_ppf(min(max(share, 0.5 / draws.size), 1.0 - 0.5 / draws.size))
    left_out = np.array([float(statistic(np.delete(rows, member))) for member in members])
    pull = left_out.mean() - left_out
    spread = float((pull**2).sum())
    skew = float((pull**3).sum()) / (6.0 * spread**1.5) if spread > 0.0 else 0.0
    tails = []
    for p in ((1.0 - level) / 2.0, (1.0 + level) / 2.0):
        shifted = bias + normal_ppf(p)
        tails.append(normal_cdf(bias + shifted / (1.0 - skew * shifted)))
    return np.array(tails)


def _largest(n: int, holds: Callable[[int], bool]) -> int:
    """Return the largest i in 0..n that satisfies a condition true at 0 and falling with i."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _checked_level(level: float) -> float:
    """Return `level`, which must lie strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise ConfigError(f"a confidence level must lie between 0 and 1, not {level}")
    return level


def _check_count(successes: int, n: int) -> None:
    """Refuse a count that cannot be."""
    if not 0 <= successes <= n:
        raise DataError(f"{successes} of {n} is not a count")
