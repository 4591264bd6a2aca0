"""The risk ratio against statsmodels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

from gitloop.stats.ratios import risk_ratio


@pytest.mark.parametrize("counts", [((12, 40), (30, 400)), ((3, 5), (1, 90)), ((50, 60), (40, 80))])
def test_the_log_interval_is_statsmodels(counts: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """Ratio and Katz's interval equal those of statsmodels."""
    (x1, n1), (x0, n0) = counts
    ratio, interval = risk_ratio(*counts)
    low, high = confint_proportions_2indep(x1, n1, x0, n0, compare="ratio", method="log")
    assert ratio == pytest.approx(x1 / n1 / (x0 / n0), abs=1e-5)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-4)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_an_interval_always_holds_its_finite_ratio(n1: int, n0: int, data: st.DataObject) -> None:
    """Zero and full counts give no infinite ratio and no width of zero."""
    here = (data.draw(st.integers(0, n1)), n1)
    ratio, interval = risk_ratio(here, (data.draw(st.integers(0, n0)), n0))
    assert 0 < interval.low < ratio < interval.high < float("inf")
