"""Minimum detectable effects and sizes against the figures of reference/evals.md §2."""

from __future__ import annotations

import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import ConfigError
from gitloop.stats import power as pw

fast = settings(deadline=None, max_examples=60)


@pytest.mark.parametrize(
    ("n", "effect"), [(25, 0.177), (50, 0.125), (100, 0.0886), (200, 0.0626), (500, 0.0396)]
)
def test_paired_mde_equals_the_reference(n: int, effect: float) -> None:
    """Discordance .10 at 80 % power gives the published effects."""
    assert pw.mde_paired_binary(n, 0.10).effect == pytest.approx(effect, abs=5e-5 + 5e-4 * (n < 99))


def test_a_drop_of_four_points_needs_491_pairs_or_883_rows() -> None:
    """A drop of .04 needs 491 pairs at discordance .10, or 883 rows per arm near .9."""
    assert pw.n_paired_binary(-0.04, 0.10).n == 491
    assert pw.n_unpaired_rates(0.04, 0.9).n == 883


def test_z_equals_scipy() -> None:
    """The sum of critical values equals scipy's, one- and two-sided."""
    norm = scipy.stats.norm
    assert pw.Plan().z == pytest.approx(norm.ppf(0.975) + norm.ppf(0.8), rel=1e-9)
    assert pw.Plan(0.025, 0.9, 1).z == pytest.approx(norm.ppf(0.975) + norm.ppf(0.9), rel=1e-9)


@fast
@given(st.integers(2, 10_000), st.floats(0.01, 1.0))
def test_size_inverts_effect(n: int, spread: float) -> None:
    """The size that an effect needs is the size that detects it."""
    assert pw.n_paired_graded(pw.mde_paired_graded(n, spread).effect or 0.0, spread).n == n
    binary = pw.mde_paired_binary(n, spread)
    if not binary.reason:
        assert pw.n_paired_binary(binary.effect or 0.0, spread).n == n
    rates = pw.mde_unpaired_rates(n, n, 0.8)
    assert pw.n_unpaired_rates(rates.effect or 0.0, 0.8).n == n


@fast
@given(st.integers(2, 5000), st.floats(0.01, 1.0))
def test_more_rows_see_smaller_effects(n: int, spread: float) -> None:
    """The detectable effect falls with the rows and with the power given up."""
    here = pw.mde_paired_graded(n, spread).effect or 0.0
    assert here > (pw.mde_paired_graded(n + 1, spread).effect or 0.0)
    assert here > (pw.mde_paired_graded(n, spread, plan=pw.Plan(power=0.7)).effect or 0.0)
    assert here > (pw.mde_paired_graded(n, spread, plan=pw.Plan(sides=1)).effect or 0.0)


def test_an_effect_above_the_discordance_is_named() -> None:
    """A figure larger than the share of discordant pairs says that nothing is detectable."""
    figure = pw.mde_paired_binary(25, 0.10)
    assert figure.effect is not None
    assert "discordance" in figure.reason
    assert pw.n_paired_binary(0.2, 0.1).n is None


def test_no_variance_gives_no_figure() -> None:
    """Without variance or rows there is no figure, and a reason."""
    for figure in (
        pw.mde_paired_binary(100, 0.0),
        pw.mde_paired_graded(100, 0.0),
        pw.mde_unpaired_rates(0, 10, 0.5),
        pw.mde_unpaired_rates(10, 10, 1.0),
        pw.mde_unpaired_means((0.0, 10), (0.0, 10)),
        pw.mde_from_se(0.0, 10, "paired-graded"),
    ):
        assert figure.effect is None
        assert figure.reason


def test_planning_discordance_is_never_zero() -> None:
    """No discordant pair among 98 plans with 1 %."""
    assert pw.planning_discordance(0, 98) == pytest.approx(0.01)


def test_unpaired_means_add_their_variances() -> None:
    """Two samples of sd .2 and 100 rows detect 2.80 standard errors."""
    got = pw.mde_unpaired_means((0.2, 100), (0.2, 100)).effect
    assert got == pytest.approx(pw.Plan().z * (2 * 0.04 / 100) ** 0.5)
    assert pw.mde_from_se(0.01, 100, "x").effect == pytest.approx(pw.Plan().z * 0.01)


def test_an_impossible_plan_is_refused() -> None:
    """Three sides are refused."""
    with pytest.raises(ConfigError, match="3 sides"):
        pw.mde_paired_binary(10, 0.1, plan=pw.Plan(sides=3))
