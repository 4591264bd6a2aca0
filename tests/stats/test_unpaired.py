"""Tests of two independent samples against scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import statsmodels.stats.proportion
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitloop.errors import ConfigError, DataError
from gitloop.stats.unpaired import boschloo, two_proportions, welch

fast = settings(deadline=None, max_examples=40)
counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
samples = st.lists(st.floats(0, 1).map(lambda x: round(x, 3)), min_size=2, max_size=30)


@fast
@given(samples, samples)
def test_welch_equals_scipy(before: list[float], after: list[float]) -> None:
    """Both p-values and the interval equal scipy's, unless neither side varies."""
    got = welch(before, after)
    if len(set(before)) == 1 and len(set(after)) == 1:
        assert (got.p_worse, got.reason) == (None, "neither side varies")
        return
    assume(min(np.ptp(before), np.ptp(after)) > 0.0)  # scipy warns where one side is constant
    expected = scipy.stats.ttest_ind(after, before, equal_var=False)
    less = scipy.stats.ttest_ind(after, before, equal_var=False, alternative="less").pvalue
    bounds = expected.confidence_interval()
    assert got.p_two_sided == pytest.approx(expected.pvalue, rel=1e-8, abs=1e-12)
    assert got.p_worse == pytest.approx(less, rel=1e-8, abs=1e-12)
    assert got.interval is not None
    assert (got.interval.low, got.interval.high) == pytest.approx(
        (bounds.low, bounds.high), rel=1e-8, abs=1e-12
    )


@fast
@given(counts, counts)
def test_pooled_z_equals_statsmodels(a: tuple[int, int], b: tuple[int, int]) -> None:
    """The pooled z test equals statsmodels', both one- and two-sided."""
    got = two_proportions(a, b, method="z-pooled")
    if a[0] + b[0] in (0, a[1] + b[1]):
        assert got.p_two_sided == 1.0
        return
    x, n = np.array([b[0], a[0]]), np.array([b[1], a[1]])
    _, expected = statsmodels.stats.proportion.proportions_ztest(x, n)
    _, less = statsmodels.stats.proportion.proportions_ztest(x, n, alternative="smaller")
    assert got.p_two_sided == pytest.approx(expected, rel=1e-9)
    assert got.p_worse == pytest.approx(less, rel=1e-9)


def test_three_tests_of_twenty_against_sixteen() -> None:
    """20/20 against 16/20 gives .035 by z, .106 by Fisher and .061 by Boschloo."""
    arms = ((20, 20), (16, 20))
    p_values = [
        two_proportions(*arms, method=method).p_two_sided
        for method in ("z-pooled", "fisher", "boschloo")
    ]
    assert p_values == pytest.approx([0.035, 0.106, 0.061], abs=5e-4)


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        ((20, 20), (16, 20)),
        ((7, 12), (2, 15)),
        ((3, 30), (9, 25)),
        ((0, 8), (5, 9)),
        ((5, 5), (5, 5)),
    ],
)
def test_boschloo_equals_scipy(baseline: tuple[int, int], candidate: tuple[int, int]) -> None:
    """Boschloo's p-values equal scipy's."""
    table = [[candidate[0], baseline[0]], [candidate[1] - candidate[0], baseline[1] - baseline[0]]]
    worse, two_sided = boschloo(baseline, candidate)
    less = scipy.stats.boschloo_exact(table, alternative="less", n=64).pvalue
    both = scipy.stats.boschloo_exact(table, n=64).pvalue
    assert worse == pytest.approx(less, rel=1e-6)
    assert two_sided == pytest.approx(min(1.0, both), rel=1e-6)


@settings(deadline=None, max_examples=20)
@given(counts, counts)
def test_boschloo_is_never_weaker_than_fisher(a: tuple[int, int], b: tuple[int, int]) -> None:
    """Boschloo's one-sided p never exceeds Fisher's."""
    fisher = two_proportions(a, b, method="fisher").p_worse
    assert fisher is not None
    assert boschloo(a, b)[0] <= fisher * (1 + 1e-9)


@fast
@given(counts, counts)
def test_swapping_the_arms_mirrors(a: tuple[int, int], b: tuple[int, int]) -> None:
    """Exchanging the arms changes the sign of the effect and keeps the two-sided p."""
    for method in ("z-pooled", "fisher"):
        one, other = (two_proportions(*arms, method=method) for arms in ((a, b), (b, a)))
        assert one.p_two_sided == pytest.approx(other.p_two_sided, rel=1e-9)
        assert one.effect == pytest.approx(-(other.effect or 0.0), abs=1e-15)


def test_the_method_follows_the_counts() -> None:
    """Large counts use z, small ones Boschloo, small ones in huge samples Fisher."""
    methods = [
        two_proportions(*arms).method
        for arms in (
            ((450, 500), (440, 500)),
            ((20, 20), (16, 20)),
            ((4999, 5000), (4990, 5000)),
        )
    ]
    assert methods == ["z-pooled", "boschloo", "fisher"]


def test_missing_rows_test_nothing() -> None:
    """An empty side, and a side of one row for Welch, give no p-value and a reason."""
    for result in (
        two_proportions((0, 0), (3, 4)),
        welch([], [0.1, 0.2]),
        welch([0.1], [0.1, 0.2]),
    ):
        assert result.p_worse is None
        assert result.interval is None
        assert result.reason


def test_impossible_counts_and_methods_are_refused() -> None:
    """More passes than rows and an unknown method are refused."""
    with pytest.raises(DataError, match="5 of 4"):
        two_proportions((5, 4), (1, 4))
    with pytest.raises(ConfigError, match="barnard"):
        two_proportions((1, 4), (1, 4), method="barnard")
