"""Interval estimates against statsmodels, scipy and published examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.stats.proportion
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import ConfigError, DataError
from gitloop.stats import intervals as iv
from gitloop.stats.distributions import FloatArray

fast = settings(deadline=None, max_examples=60)
counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.sampled_from([0.8, 0.9, 0.95, 0.99])


def means(rows: FloatArray) -> FloatArray:
    """Return the mean along the last axis."""
    return np.asarray(rows.mean(axis=-1))


@fast
@given(counts, levels)
def test_wilson_equals_statsmodels(count: tuple[int, int], level: float) -> None:
    """Wilson's interval equals statsmodels' and holds the rate."""
    got = iv.wilson_interval(*count, level=level)
    expected = statsmodels.stats.proportion.proportion_confint(
        *count, alpha=1 - level, method="wilson"
    )
    assert (got.low, got.high) == pytest.approx(expected, abs=1e-9)
    assert got.low <= count[0] / count[1] <= got.high


@fast
@given(counts, levels)
def test_clopper_pearson_equals_scipy(count: tuple[int, int], level: float) -> None:
    """Clopper and Pearson's interval equals scipy's and holds the rate."""
    got = iv.clopper_pearson_interval(*count, level=level)
    expected = scipy.stats.binomtest(*count).proportion_ci(level, "exact")
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert got.low <= count[0] / count[1] <= got.high


@fast
@given(counts)
def test_a_rate_and_its_complement_mirror(count: tuple[int, int]) -> None:
    """The interval of the failures is the mirror of that of the passes."""
    for make in (iv.wilson_interval, iv.clopper_pearson_interval):
        one, other = make(*count), make(count[1] - count[0], count[1])
        assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-12)


def test_twenty_of_twenty_is_not_certain() -> None:
    """20 of 20 leaves room below 1, where Wald's interval has width zero."""
    assert iv.wilson_interval(20, 20).low == pytest.approx(0.8389, abs=1e-4)
    assert iv.clopper_pearson_interval(20, 20).low == pytest.approx(0.8316, abs=1e-4)
    assert iv.wilson_interval(20, 20).high == 1.0


def test_no_rows_say_nothing() -> None:
    """Zero rows give the whole range."""
    for interval in (iv.wilson_interval(0, 0), iv.clopper_pearson_interval(0, 0)):
        assert (interval.low, interval.high) == (0.0, 1.0)
    empty = iv.newcombe_interval((0, 0), (1, 2))
    assert (empty.low, empty.high) == (-1.0, 1.0)


def test_newcombe_equals_the_published_example() -> None:
    """Newcombe's first example, 56/70 against 48/80, has the interval (.0524, .3339)."""
    got = iv.newcombe_interval((48, 80), (56, 70))
    assert (got.low, got.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@fast
@given(counts, counts)
def test_newcombe_equals_statsmodels_and_swaps(a: tuple[int, int], b: tuple[int, int]) -> None:
    """Newcombe's interval equals statsmodels', and changes sign when the arms swap."""
    got, back = iv.newcombe_interval(a, b), iv.newcombe_interval(b, a)
    expected = statsmodels.stats.proportion.confint_proportions_2indep(
        *b, *a, method="newcomb", compare="diff"
    )
    assert (got.low, got.high) == pytest.approx(tuple(expected), abs=1e-9)
    assert (got.low, got.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


def test_mean_interval_equals_scipy() -> None:
    """Without groups and bounds the interval is Student's."""
    values = np.array([0.2, 0.9, 0.4, 0.4, 0.7, 0.1])
    got = iv.mean_interval(values, bounds=None)
    expected = scipy.stats.t.interval(0.95, 5, values.mean(), scipy.stats.sem(values))
    assert got is not None
    assert (got.low, got.high) == pytest.approx(expected, rel=1e-9)
    assert got.method == "t"


def test_mean_interval_stays_inside_the_bounds() -> None:
    """A mean of scores has no interval beyond 1."""
    got = iv.mean_interval([1.0, 1.0, 1.0, 0.2])
    assert got is not None
    assert got.high == 1.0


def test_values_beyond_the_bounds_are_refused() -> None:
    """Seconds are no scores: they need `bounds=None`, and are refused otherwise."""
    with pytest.raises(DataError, match="leave the bounds"):
        iv.mean_interval([0.5, 7.0])
    assert iv.mean_interval([0.5, 7.0], bounds=None) is not None


def test_groups_widen_the_interval_of_copies() -> None:
    """Copying each row ten times within its group leaves the interval as it was."""
    values = [0.1, 0.5, 0.3, 0.9]
    copies = [value for value in values for _ in range(10)]
    groups = [i for i in range(4) for _ in range(10)]
    one, ten = iv.mean_interval(values), iv.mean_interval(copies, groups=groups)
    assert one is not None
    assert ten is not None
    assert (ten.low, ten.high) == pytest.approx((one.low, one.high), rel=1e-9)
    assert ten.method == "cluster-cr2"


def test_zero_variance_has_a_width() -> None:
    """Equal rows give no width of zero, and no interval at all when nothing bounds them."""
    got = iv.mean_interval([0.7] * 10)
    assert got is not None
    assert got.method == "zero-variance"
    assert got.low < 0.7 < got.high
    assert iv.mean_interval([0.7] * 10, bounds=None) is None
    assert iv.mean_interval([]) is None


def test_one_row_says_little() -> None:
    """A single row in [0, 1] leaves most of the range open."""
    got = iv.mean_interval([1.0])
    assert got is not None
    assert got.low == pytest.approx(0.025)


def test_p95_of_twenty_has_no_upper_limit() -> None:
    """The 95th percentile of 20 values has no finite upper limit."""
    got = iv.percentile_interval(np.arange(20.0), 0.95)
    assert got.high == math.inf
    assert got.low == 16.0


def test_no_values_bound_no_percentile() -> None:
    """An empty sample bounds a percentile on neither side."""
    got = iv.percentile_interval([], 0.5)
    assert (got.low, got.high) == (-math.inf, math.inf)


@fast
@given(st.integers(1, 200), st.floats(0.01, 0.99), levels)
def test_percentile_interval_is_the_tightest_with_its_coverage(
    n: int, q: float, level: float
) -> None:
    """Each end errs at most (1 - level) / 2, and the next order statistic would err more."""
    got = iv.percentile_interval(np.arange(1.0, n + 1), q, level=level)
    law, tail = scipy.stats.binom(n, q), (1 - level) / 2
    if got.low > -math.inf:
        assert law.cdf(int(got.low) - 1) <= tail + 1e-12
    lower = 0 if got.low == -math.inf else int(got.low)
    assert lower == n or law.cdf(lower) > tail - 1e-12
    if got.high < math.inf:
        assert law.sf(int(got.high) - 1) <= tail + 1e-12
    upper = n + 1 if got.high == math.inf else int(got.high)
    assert upper == 1 or law.sf(upper - 2) > tail - 1e-12


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_bootstrap_equals_scipy(method: str) -> None:
    """Percentile and BCa equal scipy's on the same random numbers."""
    values = np.random.default_rng(0).exponential(size=40)
    got = iv.bootstrap_interval(values, means, iv.Bootstrap(7, 999, 0.9, method))
    expected = scipy.stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=999,
        confidence_level=0.9,
        method=method,
        rng=np.random.default_rng(7),
    ).confidence_interval
    assert got is not None
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_bootstrap_is_seeded() -> None:
    """One seed gives one interval, another seed another."""
    values = np.random.default_rng(0).random(30)
    first, again, other = (
        iv.bootstrap_interval(values, means, iv.Bootstrap(seed, 200)) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_bootstrap_draws_whole_groups() -> None:
    """Copies within groups do not narrow a grouped bootstrap."""
    values = np.random.default_rng(0).random(30)
    plan = iv.Bootstrap(1, 400, method="percentile")
    one = iv.bootstrap_interval(values, means, plan)
    groups = np.repeat(np.arange(30), 3).tolist()
    many = iv.bootstrap_interval(np.repeat(values, 3), means, plan, groups=groups)
    assert one is not None
    assert many is not None
    assert (many.low, many.high) == pytest.approx((one.low, one.high), rel=1e-9)


def test_bootstrap_of_nothing_is_none() -> None:
    """One unit, or resamples that all agree, give no interval."""
    assert iv.bootstrap_interval([0.5], means, iv.Bootstrap(0)) is None
    assert iv.bootstrap_interval([0.5] * 9, means, iv.Bootstrap(0, 50)) is None


def test_impossible_requests_are_refused() -> None:
    """A level outside (0, 1), an impossible count and an unknown method are refused."""
    with pytest.raises(ConfigError, match="confidence level"):
        iv.wilson_interval(1, 2, level=95)
    with pytest.raises(DataError, match="3 of 2"):
        iv.wilson_interval(3, 2)
    with pytest.raises(ConfigError, match="quantile"):
        iv.percentile_interval([1.0], 95)
    with pytest.raises(ConfigError, match="bootstrap"):
        iv.bootstrap_interval([0.1, 0.2], means, iv.Bootstrap(0, method="bayes"))
