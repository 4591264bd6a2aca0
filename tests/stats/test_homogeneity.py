"""Marginal homogeneity and the odd one out, against statsmodels, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2
from statsmodels.stats.contingency_tables import SquareTable

from gitloop.errors import DataError
from gitloop.stats.homogeneity import chi_squared_sf, odd_one_out, stuart_maxwell


@given(st.integers(1, 30), st.floats(0, 200))
def test_the_chi_squared_tail_is_scipys(df: int, x: float) -> None:
    """The tail equals scipy's at every number of degrees of freedom."""
    assert chi_squared_sf(x, df) == pytest.approx(chi2.sf(x, df), rel=1e-9, abs=1e-300)


@given(st.integers(2, 5), st.integers(0, 1000))
def test_stuart_maxwell_is_statsmodels(k: int, seed: int) -> None:
    """Statistic, degrees of freedom and p are statsmodels' where every category is discordant."""
    table = np.random.default_rng(seed).integers(1, 20, (k, k)).astype(float)
    expected = SquareTable(table, shift_zeros=False).homogeneity("stuart_maxwell")
    found = stuart_maxwell(table)
    assert found.df == expected.df
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)


def test_a_category_that_nobody_uses_costs_nothing() -> None:
    """An unused category, and one that never changes, leave the test as it is."""
    assert stuart_maxwell([[5, 2, 0], [9, 4, 0], [0, 0, 0]]) == stuart_maxwell([[5, 2], [9, 4]])
    assert stuart_maxwell([[5, 2, 0], [9, 4, 0], [0, 0, 7]]).df == 1
    assert stuart_maxwell([[5, 0], [0, 4]]).p == 1.0


def test_a_table_must_be_square() -> None:
    """Two judgements of the same rows share their categories."""
    with pytest.raises(DataError, match="square"):
        stuart_maxwell([[1, 2, 3], [4, 5, 6]])


def test_who_stands_alone() -> None:
    """Rows on which all agree, or all differ, say nothing; a third of the others is one's share."""
    found = odd_one_out("aabba", "abaab", "abaac")
    assert (found.n_first, found.n_split) == (3, 3)
    assert found.p == pytest.approx(binomtest(3, 3, 1 / 3, "greater").pvalue)
    assert odd_one_out("aa", "aa", "aa").p == 1.0


def test_an_unchanged_judge_is_rarely_odd() -> None:
    """Over three draws of one noisy judge the test rejects at most as often as its level says."""
    generator = np.random.default_rng(3)
    chances = generator.uniform(0.05, 0.95, 60)
    rejected = 0
    for _ in range(1000):
        one, two, three = (generator.random(60) < chances for _ in range(3))
        rejected += odd_one_out(one.tolist(), two.tolist(), three.tolist()).p < 0.05
    assert rejected <= 60
