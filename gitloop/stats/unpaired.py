"""Tests of two independent samples, for data that cannot be paired (production drift).

Graded scores: Welch's t. Pass rates: the pooled z test where every expected count is large,
Boschloo's exact test where it is not, Fisher's where Boschloo's would be too large to compute.
The effect is always candidate minus baseline: negative is worse.
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
    as_floats,
    fisher_exact,
    log_factorials,
    newcombe_bounds,
    normal_cdf,
    normal_sf,
    t_cdf,
    t_ppf,
    t_sf,
    z_value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_EXPECTED = 10.0  # below this expected count the pooled z test is not trusted
BOSCHLOO_CELLS = 250_000  # tables (n1 + 1)(n2 + 1) up to which Boschloo is computed
_NUISANCE_GRID = 1001
_METHODS = ("auto", "z-pooled", "fisher", "boschloo")


@dataclass(frozen=True, slots=True)
class UnpairedResult:
    """A comparison of two independent samples.

    Attributes:
        n_baseline: Rows of the baseline.
        n_candidate: Rows of the candidate.
        baseline_mean: Mean score or pass rate; None when there are no rows.
        candidate_mean: Mean score or pass rate; None when there are no rows.
        effect: Candidate minus baseline; None when a side has no rows.
        p_worse: One-sided p against "not worse"; None when nothing was tested.
        p_two_sided: Two-sided p against "no difference"; None when nothing was tested.
        interval: Two-sided interval of the effect: Welch's, or Newcombe's; None when there is none.
        method: "welch", "z-pooled", "fisher" or "boschloo".
        reason: Why there is no p-value; "" when there is one.
    """

    n_baseline: int
    n_candidate: int
    baseline_mean: float | None
    candidate_mean: float | None
    effect: float | None
    p_worse: float | None
    p_two_sided: float | None
    interval: Interval | None
    method: str
    reason: str = ""


def welch(
    baseline: Sequence[float] | FloatArray,
    candidate: Sequence[float] | FloatArray,
    *,
    level: float = 0.95,
) -> UnpairedResult:
    """Return Welch's t test of two means with unequal variances (Welch 1947).

    Args:
        baseline: Shape (n_baseline,), finite.
        candidate: Shape (n_candidate,), finite.
        level: Coverage of the interval.

    Returns:
        No p-value when a side has fewer than two rows, or neither side varies.
    """
    before, after = as_floats(baseline, "baseline"), as_floats(candidate, "candidate")
    means = [float(side.mean()) if side.size else None for side in (before, after)]
    effect = means[1] - means[0] if means[0] is not None and means[1] is not None else None
    reason = ""
    p_worse = p_two_sided = interval = None
    if min(before.size, after.size) < 2 or effect is None:
        reason = "a side has fewer than two rows"
    else:
        shares = [float(side.var(ddof=1)) / side.size for side in (before, after)]
        total = sum(shares)
        if total <= 1e-24:
            reason = "neither side varies"
        else:
            weights = (before.size - 1, after.size - 1)
            df = total**2 / sum(v * v / w for v, w in zip(shares, weights, strict=True))
            se = math.sqrt(total)
            p_worse = t_cdf(effect / se, df)
            p_two_sided = min(1.0, 2.0 * t_sf(abs(effect) / se, df))
            half = t_ppf(0.5 + level / 2.0, df) * se
            interval = Interval(effect - half, effect + half, level, "welch")
    return UnpairedResult(
        n_baseline=before.size,
        n_candidate=after.size,
        baseline_mean=means[0],
        candidate_mean=means[1],
        effect=effect,
        p_worse=p_worse,
        p_two_sided=p_two_sided,
        interval=interval,
        method="welch",
        reason=reason,
    )


def two_proportions(
    baseline: tuple[int, int],
    candidate: tuple[int, int],
    *,
    level: float = 0.95,
    method: str = "auto",
) -> UnpairedResult:
    """Return the test of two independent rates, exact where counts are small.

    Args:
        baseline: (passes, n).
        candidate: (passes, n).
        level: Coverage of Newcombe's interval.
        method: "auto", or one of "z-pooled", "fisher", "boschloo".

    Returns:
        No p-value when a side has no rows.
    """
    if method not in _METHODS:
        raise ConfigError(f"no test of two rates is called {method!r}")
    for passes, n in (baseline, candidate):
        if not 0 <= passes <= n:
            raise DataError(f"{passes} of {n} is not a count")
    rates = [passes / n if n else None for passes, n in (baseline, candidate)]
    chosen = _choose(baseline, candidate) if method == "auto" else method
    p_values: tuple[float | None, float | None] = (None, None)
    effect = interval = None
    if rates[0] is not None and rates[1] is not None:
        effect = rates[1] - rates[0]
        interval = Interval(
            *newcombe_bounds(baseline, candidate, z_value(level)), level, "newcombe"
        )
        test = {"z-pooled": _pooled_z, "fisher": _fisher, "boschloo": boschloo}[chosen]
        p_values = test(baseline, candidate)
    return UnpairedResult(
        n_baseline=baseline[1],
        n_candidate=candidate[1],
        baseline_mean=rates[0],
        candidate_mean=rates[1],
        effect=effect,
        p_worse=p_values[0],
        p_two_sided=p_values[1],
        interval=interval,
        method=chosen,
        reason="" if effect is not None else "a side has no rows",
    )


def boschloo(baseline: tuple[int, int], candidate: tuple[int, int]) -> tuple[float, float]:
    """Return (p_worse, p_two_sided) of Boschloo's test (Boschloo 1970).

    Fisher's p-value serves as the statistic, and its tail is maximised over the common rate, so
    it is exact and never weaker than Fisher's test. Two-sided is twice the smaller side.
    """
    less = _boschloo_less(candidate, baseline)
    greater = _boschloo_less(baseline, candidate)
    return less, min(1.0, 2.0 * min(less, greater))


def _boschloo_less(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Return the p-value against "the first rate is not lower"."""
    n1, n2 = first[1], second[1]
    total = n1 + n2
    logs = log_factorials(total)
    choose_1 = logs[n1] - logs[: n1 + 1] - logs[n1::-1]
    choose_2 = logs[n2] - logs[: n2 + 1] - logs[n2::-1]
    bound = fisher_exact(first, second)[0] * (1.0 + 1e-10)
    reject = np.zeros(total + 1)  # given s passes in all: chance of a table as extreme
    for s in range(total + 1):
        cells = np.arange(max(0, s - n2), min(s, n1) + 1)
        log_pmf = choose_1[cells] + choose_2[s - cells]
        pmf = np.exp(log_pmf - log_pmf.max())
        tail = np.cumsum(pmf / pmf.sum())
        extreme = int(np.searchsorted(tail, bound, side="right"))
        reject[s] = tail[extreme - 1] if extreme else 0.0
    choose = logs[total] - logs - logs[::-1]
    counts = np.arange(total + 1)

    def size(rates: FloatArray) -> FloatArray:
        rates = rates[:, None]
        log_chance = choose + counts * np.log(rates) + (total - counts) * np.log1p(-rates)
        return np.asarray(np.exp(log_chance) @ reject, dtype=np.float64)

    low, high = 0.0, 1.0
    best = 0.0
    for _ in range(5):  # each round narrows the maximum to two grid steps
        grid = np.linspace(low, high, _NUISANCE_GRID + 2)[1:-1]
        sizes = size(grid)
        at = int(np.argmax(sizes))
        best = max(best, float(sizes[at]))
        step = grid[1] - grid[0]
        low, high = max(0.0, grid[at] - step), min(1.0, grid[at] + step)
    return min(1.0, best)


def _choose(baseline: tuple[int, int], candidate: tuple[int, int]) -> str:
    """Return the test that these counts call for."""
    (x1, n1), (x2, n2) = baseline, candidate
    if not n1 or not n2:
        return "z-pooled"
    pooled = (x1 + x2) / (n1 + n2)
    if min(n1, n2) * min(pooled, 1.0 - pooled) >= MIN_EXPECTED:
        return "z-pooled"
    return "boschloo" if (n1 + 1) * (n2 + 1) <= BOSCHLOO_CELLS else "fisher"


def _pooled_z(baseline: tuple[int, int], candidate: tuple[int, int]) -> tuple[float, float]:
    """Return (p_worse, p_two_sided) of the z test with pooled variance."""
    (x1, n1), (x2, n2) = baseline, candidate
    pooled = (x1 + x2) / (n1 + n2)
    variance = pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)
    if variance == 0.0:
        return 1.0, 1.0
    z = (x2 / n2 - x1 / n1) / math.sqrt(variance)
    return normal_cdf(z), min(1.0, 2.0 * normal_sf(abs(z)))


def _fisher(baseline: tuple[int, int], candidate: tuple[int, int]) -> tuple[float, float]:
    """Return (p_worse, p_two_sided) of Fisher's exact test."""
    less, _, two_sided = fisher_exact(candidate, baseline)
    return less, two_sided
