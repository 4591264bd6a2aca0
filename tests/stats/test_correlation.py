"""Correlations against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import DataError
from gitloop.stats.correlation import pearson, spearman

pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=40)


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_correlations_equal_scipy(rows: list[tuple[int, int]]) -> None:
    """Pearson, its interval and Spearman equal scipy's, or say that a side does not vary."""
    left, right = np.array(rows, dtype=float).T
    got, ranked = pearson(left, right), spearman(left, right)
    if min(np.ptp(left), np.ptp(right)) == 0.0:
        assert (got.value, got.reason) == (None, "a side does not vary")
        assert ranked.value is None
        return
    expected = scipy.stats.pearsonr(left, right)
    assert got.value == pytest.approx(expected.statistic, abs=1e-9)
    assert ranked.value == pytest.approx(scipy.stats.spearmanr(left, right).statistic, abs=1e-9)
    if got.interval is None:
        assert got.reason == "the correlation is perfect"
        return
    bounds = expected.confidence_interval(0.95)
    assert (got.interval.low, got.interval.high) == pytest.approx(
        (bounds.low, bounds.high), abs=1e-9
    )


def test_too_few_rows_say_so() -> None:
    """One row has no correlation, three have no interval, and sides must pair."""
    assert pearson([1.0], [2.0]).reason == "fewer than two rows"
    assert pearson([1.0, 2.0, 4.0], [2.0, 1.0, 5.0]).reason == "fewer than four rows"
    with pytest.raises(DataError, match="cannot pair"):
        pearson([1.0], [1.0, 2.0])
