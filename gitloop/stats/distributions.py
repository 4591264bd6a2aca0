"""The distribution functions that the statistics share, without scipy.

Importing scipy costs a second in every CI run, and the gate needs five functions of it.
Sources: Press et al., Numerical Recipes §6.4 (incomplete beta by Lentz's continued fraction);
R's nmath `lbeta.c` (log beta without cancellation); Abramowitz & Stegun 26.5 and 26.7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gitloop.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_NORMAL = NormalDist()
_TINY = 1e-300
_EPSILON = 1e-16
_EXACT_TAIL_N = 2000  # up to here a fair-coin tail is summed in integers
_STIRLING_FROM = 10.0  # from here six terms of the correction reach 1e-15


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """A mean with its standard error.

    Attributes:
        mean: The arithmetic mean over rows.
        se: Its standard error; 0.0 when the rows (or group sums) do not vary.
        df: Degrees of freedom of the t reference; 0.0 when there is no standard error.
        n: Rows.
        n_groups: Independent groups; equal to `n` when rows are independent.
    """

    mean: float
    se: float
    df: float
    n: int
    n_groups: int


def as_floats(values: Sequence[float] | FloatArray, name: str = "values") -> FloatArray:
    """Return a one-dimensional float array in which every entry is finite.

    Raises:
        DataError: The array is not one-dimensional, or holds NaN or infinity: an error is never
            a score, so the caller counts and removes failed rows first.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise DataError(f"{name} must be one-dimensional, it has {array.ndim} dimensions")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise DataError(f"{name} holds {bad} of {array.size} entries that are not finite numbers")
    return array


def group_codes(groups: Sequence[Hashable], n: int) -> IntArray:
    """Return each row's group as 0..G-1, numbered by first appearance.

    Raises:
        DataError: `groups` does not have `n` entries.
    """
    if len(groups) != n:
        raise DataError(f"{n} rows have {len(groups)} group ids")
    seen: dict[Hashable, int] = {}
    codes = [seen.setdefault(group, len(seen)) for group in groups]
    return np.asarray(codes, dtype=np.int64)


def normal_cdf(x: float) -> float:
    """Return P(Z <= x) of the standard normal."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def normal_sf(x: float) -> float:
    """Return P(Z > x) of the standard normal, accurate far into the tail."""
    return 0.5 * math.erfc(x / math.sqrt(2.0))


def normal_ppf(p: float) -> float:
    """Return the quantile of the standard normal at `p` in (0, 1)."""
    return _NORMAL.inv_cdf(p)


def z_value(level: float) -> float:
    """Return the two-sided critical value of the standard normal, 1.96 at level 0.95."""
    return _NORMAL.inv_cdf(0.5 + level / 2.0)


def log_beta(a: float, b: float) -> float:
    """Return ln B(a, b) without the cancellation of three large log gammas."""
    small, large = min(a, b), max(a, b)
    if large < _STIRLING_FROM:
        return math.lgamma(small) + math.lgamma(large) - math.lgamma(small + large)
    total = small + large
    rest = math.log1p(-small / total)
    if small < _STIRLING_FROM:
        correction = _stirling(large) - _stirling(total)
        body = math.lgamma(small) + small - small * math.log(total)
        return body + correction + (large - 0.5) * rest
    correction = _stirling(small) + _stirling(large) - _stirling(total)
    body = -0.5 * math.log(large) + 0.5 * math.log(2.0 * math.pi)
    return body + correction + (small - 0.5) * math.log(small / total) + large * rest


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), for a, b > 0."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta(a, b))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(x, a, b) / a
    return 1.0 - front * _beta_fraction(1.0 - x, b, a) / b


def beta_ppf(p: float, a: float, b: float) -> float:
    """Return the quantile of Beta(a, b) at `p`, by Newton steps inside a shrinking bracket."""
    if p <= 0.0:
        return 0.0
    if p >= 1.0:
        return 1.0
    log_norm = log_beta(a, b)

    def slope(x: float) -> float:
        return math.exp((a - 1.0) * math.log(x) + (b - 1.0) * math.log1p(-x) - log_norm)

    return _solve_increasing(lambda x: beta_cdf(x, a, b) - p, slope, a / (a + b))


def t_sf(t: float, df: float) -> float:
    """Return P(T > t) of Student's t with `df` > 0 degrees of freedom (may be fractional)."""
    if math.isinf(df):
        return normal_sf(t)
    tail = 0.5 * beta_cdf(df / (df + t * t), df / 2.0, 0.5)
    if abs(t) < 2.0:  # near the centre the complement keeps the digits
        tail = 0.5 - 0.5 * beta_cdf(t * t / (df + t * t), 0.5, df / 2.0)
    return tail if t >= 0.0 else 1.0 - tail


def t_cdf(t: float, df: float) -> float:
    """Return P(T <= t) of Student's t with `df` > 0 degrees of freedom."""
    return t_sf(-t, df)


def t_ppf(p: float, df: float) -> float:
    """Return the quantile of Student's t at `p` in (0, 1) with `df` > 0 degrees of freedom."""
    if math.isinf(df):
        return normal_ppf(p)
    if p == 0.5:
        return 0.0
    tail = min(p, 1.0 - p)
    if tail > 0.25:
        share = beta_ppf(1.0 - 2.0 * tail, 0.5, df / 2.0)
        size = math.sqrt(df * share / (1.0 - share))
    else:
        share = beta_ppf(2.0 * tail, df / 2.0, 0.5)
        size = math.sqrt(df * (1.0 - share) / share)
    return size if p > 0.5 else -size


def binomial_pmf(k: int, n: int, p: float) -> float:
    """Return P(X = k) of Binomial(n, p), in log space."""
    if not 0 <= k <= n:
        return 0.0
    if p <= 0.0 or p >= 1.0:
        return float(k == (0 if p <= 0.0 else n))
    log_choose = -math.log(n + 1.0) - log_beta(k + 1.0, n - k + 1.0)
    return math.exp(log_choose + k * math.log(p) + (n - k) * math.log1p(-p))


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Return P(X <= k) of Binomial(n, p)."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else beta_cdf(1.0 - p, n - k, k + 1.0)


def binomial_sf(k: int, n: int, p: float) -> float:
    """Return P(X > k) of Binomial(n, p), accurate far into the tail."""
    if k < 0:
        return 1.0
    return 0.0 if k >= n else beta_cdf(p, k + 1.0, n - k)


def coin_tail(k: int, n: int) -> float:
    """Return P(X <= k) of Binomial(n, 1/2), correctly rounded for n up to 2000."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    if n > _EXACT_TAIL_N:
        return binomial_cdf(k, n, 0.5)
    term = total = 1
    for i in range(k):
        term = term * (n - i) // (i + 1)
        total += term
    return total / (1 << n)


def log_factorials(n: int) -> FloatArray:
    """Return ln(i!) for i = 0..n, shape (n + 1,)."""
    return np.asarray([math.lgamma(i + 1.0) for i in range(n + 1)], dtype=np.float64)


def fisher_exact(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float, float]:
    """Return Fisher's exact p-values for (successes, n) in two independent samples.

    Returns:
        P(first has as few or fewer), P(first has as many or more), and the two-sided p that
        sums every table no more likely than the observed one. All condition on the margins.
    """
    (x1, n1), (x2, n2) = first, second
    total = x1 + x2
    low, high = max(0, total - n2), min(total, n1)
    logs = log_factorials(n1 + n2)
    cells = np.arange(low, high + 1)
    log_pmf = -(logs[cells] + logs[n1 - cells] + logs[total - cells] + logs[n2 - total + cells])
    weight = np.exp(log_pmf - log_pmf.max())
    pmf = weight / weight.sum()
    at = x1 - low
    as_extreme = pmf <= pmf[at] * (1.0 + 1e-7)
    less, greater = float(pmf[: at + 1].sum()), float(pmf[at:].sum())
    return min(1.0, less), min(1.0, greater), min(1.0, float(pmf[as_extreme].sum()))


def wilson_bounds(successes: int, n: int, z: float) -> tuple[float, float]:
    """Return Wilson's score bounds of a proportion; (0, 1) when `n` is 0 (Wilson 1927)."""
    if n == 0:
        return 0.0, 1.0
    rate, z2 = successes / n, z * z
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return min(low, rate), max(high, rate)


def newcombe_bounds(
    first: tuple[int, int], second: tuple[int, int], z: float
) -> tuple[float, float]:
    """Return bounds of the second rate minus the first, of two independent (successes, n).

    Newcombe 1998, Statistics in Medicine 17:873, method 10; (-1, 1) when a side is empty.
    """
    if not first[1] or not second[1]:
        return -1.0, 1.0
    (low_1, high_1), (low_2, high_2) = (wilson_bounds(x, n, z) for x, n in (first, second))
    rate_1, rate_2 = first[0] / first[1], second[0] / second[1]
    effect = rate_2 - rate_1
    down = math.hypot(rate_2 - low_2, high_1 - rate_1)
    up = math.hypot(high_2 - rate_2, rate_1 - low_1)
    return effect - down, effect + up


def mean_estimate(values: FloatArray, groups: Sequence[Hashable] | None = None) -> MeanEstimate:
    """Return the mean of `values` and its standard error, cluster-robust when groups are given.

    The clustered error is CR2 (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018) with
    Satterthwaite's degrees of freedom, in closed form for an intercept-only model. With one row
    per group it is the classical s/sqrt(n) with n - 1 degrees of freedom.

    Args:
        values: Shape (n,), finite, n >= 1.
        groups: One id per row; rows that share one are not independent. None: all independent.
    """
    n = values.size
    mean = float(values.mean())
    if groups is None:
        sizes: FloatArray = np.ones(n)
        sums: FloatArray = values - mean
    else:
        codes = group_codes(groups, n)
        sizes = np.bincount(codes).astype(np.float64)
        sums = np.bincount(codes, weights=values - mean).astype(np.float64)
    n_groups = int(sizes.size)
    scale = max(1.0, float(np.abs(values).max()))
    if n_groups < 2 or float(np.abs(sums).max()) <= 1e-12 * scale * float(sizes.max()):
        return MeanEstimate(mean, 0.0, 0.0, n, n_groups)
    leverage = 1.0 / (1.0 - sizes / n)
    se = math.sqrt(float((sums**2 * leverage).sum())) / n
    weighted = leverage * sizes**2
    cross = (float(weighted.sum()) ** 2 - float((weighted**2).sum())) / n**2
    df = n**2 / (float((sizes**2).sum()) + cross)
    return MeanEstimate(mean, se, df, n, n_groups)


def constant_bounds(
    value: float, n_groups: int, level: float, support: tuple[float, float]
) -> tuple[float, float]:
    """Return honest bounds of a mean whose sample does not vary at all.

    A standard error of zero would claim certainty. What `n_groups` equal observations do say is
    that at most u = 1 - ((1 - level) / 2)^(1 / n_groups) of the population differs
    (Clopper-Pearson at zero events), and those may lie anywhere in the support.
    """
    share = 1.0 - ((1.0 - level) / 2.0) ** (1.0 / n_groups)
    low, high = support
    return value + share * (min(low, value) - value), value + share * (max(high, value) - value)


def mean_bounds(
    estimate: MeanEstimate, level: float, support: tuple[float, float]
) -> tuple[float, float, str]:
    """Return (low, high, method) of a mean whose values lie in `support`.

    Student's t on the estimate's error, cut to the support; `constant_bounds` where the sample
    does not vary. The method is "t", "cluster-cr2" or "zero-variance".
    """
    mean = estimate.mean
    if estimate.se == 0.0:
        return *constant_bounds(mean, estimate.n_groups, level, support), "zero-variance"
    half = t_ppf(0.5 + level / 2.0, estimate.df) * estimate.se
    low, high = max(mean - half, min(support[0], mean)), min(mean + half, max(support[1], mean))
    return low, high, "t" if estimate.n_groups == estimate.n else "cluster-cr2"


def _stirling(x: float) -> float:
    """Return ln Gamma(x) minus Stirling's leading terms, for x >= 10."""
    y = 1.0 / (x * x)
    tail = 1 / 1260 - y * (1 / 1680 - y * (1 / 1188 - y * 691 / 360360))
    return (1 / 12 - y * (1 / 360 - y * tail)) / x


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function (modified Lentz)."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    fraction = d
    for m in range(1, 200 + int(10.0 * math.sqrt(max(a, b)))):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        step = 1.0
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + term / c
            c = c if abs(c) > _TINY else _TINY
            step = c * d
            fraction *= step
        if abs(step - 1.0) < _EPSILON:
            break
    return fraction


def _solve_increasing(
    gap: Callable[[float], float], slope: Callable[[float], float], start: float
) -> float:
    """Return the zero in (0, 1) of an increasing function: Newton, or bisection when it strays."""
    low, high, x = 0.0, 1.0, start
    for _ in range(1100):  # bisection alone reaches the smallest double in 1075 halvings
        value = gap(x)
        if value == 0.0:
            return x
        low, high = (low, x) if value > 0.0 else (x, high)
        density = slope(x)
        step = x - value / density if density > 0.0 else -1.0
        nxt = step if low < step < high else 0.5 * (low + high)
        if abs(nxt - x) <= 4e-16 * x or nxt in (low, high):
            return nxt
        x = nxt
    return x
