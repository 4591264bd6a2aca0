"""Adjusted p-values against statsmodels, and what an untested check does to them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from gitloop.errors import DataError
from gitloop.stats.multiplicity import benjamini_hochberg, family, gatekeep, holm, spend

fast = settings(deadline=None, max_examples=100)
families = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@settings(deadline=None, max_examples=10)  # statsmodels' holm takes 60 ms
@given(families)
def test_holm_and_bh_equal_statsmodels(p_values: list[float]) -> None:
    """Both corrections equal statsmodels', in input order."""
    assert holm(p_values) == pytest.approx(tuple(multipletests(p_values, method="holm")[1]))
    expected = tuple(multipletests(p_values, method="fdr_bh")[1])
    assert benjamini_hochberg(p_values) == pytest.approx(expected)


@fast
@given(families)
def test_adjusted_keeps_the_order_and_never_shrinks(p_values: list[float]) -> None:
    """A larger p stays at least as large, and no adjusted p falls below its p."""
    for adjust in (holm, benjamini_hochberg):
        adjusted = [q for q in adjust(p_values) if q is not None]
        assert all(q >= p - 1e-15 for p, q in zip(p_values, adjusted, strict=True))
        ranked = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
        assert ranked == sorted(ranked)


@fast
@given(families, st.integers(0, 30))
def test_untested_checks_are_not_counted(p_values: list[float], at: int) -> None:
    """None and NaN keep their place and change nobody else's adjusted p."""
    for gap in (None, math.nan):
        with_gap: list[float | None] = [*p_values[:at], gap, *p_values[at:]]
        for adjust in (holm, benjamini_hochberg):
            adjusted = list(adjust(with_gap))
            assert adjusted.pop(min(at, len(p_values))) is None
            assert tuple(adjusted) == adjust(p_values)


@fast
@given(st.permutations([0.001, 0.01, 0.02, 0.2, 0.9]))
def test_adjustment_follows_the_order_given(p_values: list[float]) -> None:
    """Shuffling the checks shuffles the answers."""
    expected = dict(zip([0.001, 0.01, 0.02, 0.2, 0.9], (0.005, 0.04, 0.06, 0.4, 0.9), strict=True))
    assert holm(p_values) == pytest.approx(tuple(expected[p] for p in p_values))


def test_no_tests_adjust_to_nothing() -> None:
    """An empty family has no members, and a family of untested checks has no tests."""
    assert holm([]) == ()
    assert family([None, None], "bh", 0.1).n_tests == 0
    assert not any(member.rejected for member in family([None], "holm", 0.05).members)


def test_gates_and_cells_are_separate_families() -> None:
    """Cells are tested whatever the gates say, and do not dilute them."""
    result = gatekeep([0.03, None], [0.001, *[0.9] * 50])
    assert [member.rejected for member in result.gates.members] == [True, False]
    assert result.gates.n_tests == 1
    assert result.cells.members[0].p_adjusted == pytest.approx(0.051)
    assert result.cells.members[0].rejected


def test_an_impossible_p_is_refused() -> None:
    """A p-value outside [0, 1] is refused."""
    with pytest.raises(DataError, match="not a p-value"):
        holm([1.5])


@given(st.integers(1, 500))
def test_all_looks_together_spend_no_more_than_alpha(n: int) -> None:
    """However often a holdout is looked at, false alarms stay within alpha."""
    assert sum(spend(0.05, number) for number in range(1, n + 1)) <= 0.05
    assert spend(0.05, n) > spend(0.05, n + 1)
