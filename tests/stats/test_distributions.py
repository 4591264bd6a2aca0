"""The distribution functions against scipy, and the mean's standard error against worked cases."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.special
import scipy.stats
import statsmodels.api
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import DataError
from gitloop.stats import distributions as d

fast = settings(deadline=None, max_examples=100)
shapes = st.floats(0.1, 1e4)
shares = st.floats(1e-6, 1.0 - 1e-6)


@fast
@given(shares, shapes, shapes)
def test_beta_cdf_equals_scipy(x: float, a: float, b: float) -> None:
    """The incomplete beta function equals scipy's."""
    assert d.beta_cdf(x, a, b) == pytest.approx(
        scipy.special.betainc(a, b, x), rel=1e-9, abs=1e-200
    )


@fast
@given(shares, st.floats(0.5, 1e4), st.floats(0.5, 1e4))
def test_beta_ppf_inverts_the_cdf(p: float, a: float, b: float) -> None:
    """The beta quantile equals scipy's."""
    assert d.beta_ppf(p, a, b) == pytest.approx(scipy.stats.beta.ppf(p, a, b), rel=1e-9)


@fast
@given(st.floats(-40, 40).map(lambda t: round(t, 3)), st.floats(1, 1e5))
def test_t_tail_equals_scipy(t: float, df: float) -> None:
    """Both tails of Student's t equal scipy's, far out too."""
    assert d.t_sf(t, df) == pytest.approx(scipy.stats.t.sf(t, df), rel=1e-9, abs=1e-200)
    assert d.t_cdf(t, df) == pytest.approx(scipy.stats.t.cdf(t, df), rel=1e-9, abs=1e-200)


@fast
@given(shares, st.floats(1, 1e5))
def test_t_ppf_equals_scipy(p: float, df: float) -> None:
    """Student's quantile equals scipy's."""
    assert d.t_ppf(p, df) == pytest.approx(scipy.stats.t.ppf(p, df), rel=1e-9, abs=1e-9)


def test_t_with_infinite_df_is_normal() -> None:
    """Infinite degrees of freedom give the normal distribution."""
    assert d.t_sf(1.96, math.inf) == d.normal_sf(1.96)
    assert d.t_ppf(0.975, math.inf) == d.normal_ppf(0.975)


@fast
@given(st.integers(0, 5000), st.integers(0, 5000), shares | st.sampled_from([0.0, 1.0]))
def test_binomial_equals_scipy(k: int, n: int, p: float) -> None:
    """Mass, lower and upper tail of the binomial equal scipy's."""
    law = scipy.stats.binom(n, p)
    assert d.binomial_pmf(k, n, p) == pytest.approx(law.pmf(k), rel=1e-9, abs=1e-200)
    assert d.binomial_cdf(k, n, p) == pytest.approx(law.cdf(k), rel=1e-9, abs=1e-200)
    assert d.binomial_sf(k, n, p) == pytest.approx(law.sf(k), rel=1e-9, abs=1e-200)


@pytest.mark.parametrize("n", [1, 7, 100, 2000, 2001, 100_000])
def test_coin_tail_equals_scipy(n: int) -> None:
    """The tail of a fair coin equals scipy's, on both sides of the exact limit."""
    for k in (-1, 0, n // 3, n // 2, n - 1, n, n + 1):
        assert d.coin_tail(k, n) == pytest.approx(scipy.stats.binom.cdf(k, n, 0.5), rel=1e-9)


@fast
@given(st.floats(-8, 8))
def test_normal_equals_scipy(x: float) -> None:
    """Both tails of the normal equal scipy's."""
    assert d.normal_cdf(x) == pytest.approx(scipy.stats.norm.cdf(x), rel=1e-9)
    assert d.normal_sf(x) == pytest.approx(scipy.stats.norm.sf(x), rel=1e-9)


@fast
@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40), st.integers(1, 40))
def test_fisher_equals_scipy(x1: int, n1: int, x2: int, n2: int) -> None:
    """All three p-values of Fisher's test equal scipy's."""
    x1, x2 = min(x1, n1), min(x2, n2)
    table = [[x1, n1 - x1], [x2, n2 - x2]]
    expected = [
        scipy.stats.fisher_exact(table, alternative=side).pvalue
        for side in ("less", "greater", "two-sided")
    ]
    assert d.fisher_exact((x1, n1), (x2, n2)) == pytest.approx(tuple(expected), rel=1e-9)


def test_mean_without_groups_has_the_classical_error() -> None:
    """Independent rows have the error s/sqrt(n) with n - 1 degrees of freedom."""
    values = np.array([0.1, 0.4, 0.4, 0.9, 0.2])
    estimate = d.mean_estimate(values)
    assert estimate.se == pytest.approx(scipy.stats.sem(values), rel=1e-12)
    assert estimate.df == pytest.approx(4.0, rel=1e-12)


def test_singleton_groups_change_nothing() -> None:
    """One row per group gives what no groups give."""
    values = np.array([0.1, 0.4, 0.4, 0.9, 0.2])
    assert d.mean_estimate(values, list("abcde")).se == pytest.approx(d.mean_estimate(values).se)
    assert d.mean_estimate(values, list("abcde")).df == pytest.approx(4.0)


def test_equal_groups_have_one_df_less_than_groups() -> None:
    """Groups of one size have Satterthwaite degrees of freedom G - 1."""
    values = np.random.default_rng(0).random(30)
    estimate = d.mean_estimate(values, [i // 3 for i in range(30)])
    assert estimate.df == pytest.approx(9.0)
    group_means = values.reshape(10, 3).mean(axis=1)
    assert estimate.se == pytest.approx(scipy.stats.sem(group_means), rel=1e-12)


def test_cr2_equals_its_matrix_definition() -> None:
    """The closed forms of CR2 and of Satterthwaite's degrees of freedom equal the matrix ones."""
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 7, 40)
    values = rng.random(40) + groups / 10
    n = values.size
    design = np.ones((n, 1))
    maker = np.eye(n) - design @ design.T / n
    residuals = maker @ values
    meat, columns = 0.0, []
    for group in np.unique(groups):
        rows = groups == group
        block = maker[np.ix_(rows, rows)]
        roots, vectors = np.linalg.eigh(block)
        half = vectors @ np.diag(roots**-0.5) @ vectors.T
        meat += float((design[rows, 0] @ half @ residuals[rows]) ** 2)
        columns.append(maker[:, rows] @ half @ design[rows, 0] / n)
    spread = np.linalg.eigvalsh(np.array(columns) @ np.array(columns).T)
    estimate = d.mean_estimate(values, groups.tolist())
    assert estimate.se == pytest.approx(math.sqrt(meat) / n, rel=1e-9)
    assert estimate.df == pytest.approx(spread.sum() ** 2 / (spread**2).sum(), rel=1e-9)


def test_cr2_is_close_to_statsmodels_cr1() -> None:
    """The clustered error is near statsmodels' CR1 when groups are many."""
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 200, 1000)
    values = rng.normal(size=1000) + rng.normal(size=200)[groups]
    fit = statsmodels.api.OLS(values, np.ones(1000)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}
    )
    assert d.mean_estimate(values, groups.tolist()).se == pytest.approx(fit.bse[0], rel=0.01)


def test_constant_values_have_no_error() -> None:
    """A constant sample has error 0 and 0 degrees of freedom, never a tiny rounding residue."""
    estimate = d.mean_estimate(np.full(7, 0.1))
    assert (estimate.se, estimate.df) == (0.0, 0.0)


@fast
@given(st.integers(1, 500), st.floats(0, 1))
def test_constant_bounds_hold_the_value_and_never_collapse(n: int, value: float) -> None:
    """A sample without variance gets bounds of positive width inside the support."""
    low, high = d.constant_bounds(value, n, 0.95, (0.0, 1.0))
    assert 0.0 <= low <= value <= high <= 1.0
    assert high > low


def test_constant_bounds_at_one_are_clopper_pearson() -> None:
    """All rows at 1 give Clopper and Pearson's bounds of n out of n."""
    expected = scipy.stats.binomtest(20, 20).proportion_ci(0.95, "exact").low
    assert d.constant_bounds(1.0, 20, 0.95, (0.0, 1.0)) == pytest.approx((expected, 1.0))


def test_values_that_are_not_numbers_are_refused() -> None:
    """NaN and infinity are refused and counted: an error is never a score."""
    with pytest.raises(DataError, match="2 of 3"):
        d.as_floats([0.5, math.nan, math.inf])


def test_two_dimensional_values_are_refused() -> None:
    """A matrix is refused where a column is meant."""
    with pytest.raises(DataError, match="one-dimensional"):
        d.as_floats(np.zeros((2, 2)))


def test_group_ids_must_match_the_rows() -> None:
    """Group ids of another length are refused."""
    with pytest.raises(DataError, match="3 rows have 2 group ids"):
        d.group_codes(["a", "b"], 3)


def test_the_gate_modules_do_not_import_scipy() -> None:
    """None of the statistics imports scipy, which costs a second per CI run."""
    modules = "agreement calibration corrected correlation distributions intervals multiplicity "
    modules += "paired power repeats thresholds unpaired"
    imports = "; ".join(f"import gitloop.stats.{name}" for name in modules.split())
    code = f"import sys; {imports}; print([m for m in sys.modules if m.split('.')[0] == 'scipy'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
