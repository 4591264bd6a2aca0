"""Paired comparisons against scipy, statsmodels and published tables."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from gitloop.errors import ConfigError, DataError
from gitloop.stats.paired import (
    mcnemar,
    newcombe_paired_interval,
    non_inferiority,
    paired_binary,
    paired_graded,
    sign_flip,
    tango_interval,
)
from gitloop.stats.paired.flips import _edgeworth, _exact_halves, _exact_lattice, _monte_carlo

fast = settings(deadline=None, max_examples=60)
tables = st.tuples(*[st.integers(0, 40)] * 4).filter(lambda cells: sum(cells) > 0)
verdict_pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)
tenths = st.lists(st.integers(-10, 10), min_size=1, max_size=12)


@fast
@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar_equals_statsmodels(n_worse: int, n_better: int) -> None:
    """The exact two-sided p equals statsmodels', the one-sided one scipy's binomial tail."""
    worse, two_sided = mcnemar(n_worse, n_better)
    expected = reference_mcnemar([[9, n_worse], [n_better, 9]], exact=True).pvalue
    assert two_sided == pytest.approx(expected, rel=1e-9)
    tail = scipy.stats.binom.cdf(n_better, n_worse + n_better, 0.5)
    assert worse == pytest.approx(tail, rel=1e-9)


def test_mcnemar_equals_the_published_example() -> None:
    """Airway reactivity, 7 against 1: exact .070, mid-p .039 (Fagerland et al. 2014)."""
    assert mcnemar(7, 1)[1] == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar(7, 1, mid_p=True)[1] == pytest.approx(0.0391, abs=5e-5)


@fast
@given(st.integers(0, 100), st.integers(0, 100))
def test_mid_p_is_never_larger(n_worse: int, n_better: int) -> None:
    """Mid-p never exceeds the exact p, and two sides of it sum to one."""
    worse, two_sided = mcnemar(n_worse, n_better, mid_p=True)
    assert worse <= mcnemar(n_worse, n_better)[0]
    assert 0.0 < two_sided <= mcnemar(n_worse, n_better)[1]
    if n_worse + n_better:
        assert worse + mcnemar(n_better, n_worse, mid_p=True)[0] == pytest.approx(1.0)


def test_no_discordant_pairs_show_nothing() -> None:
    """Two equal runs have p 1 and an interval that is not a point."""
    result = paired_binary([1.0] * 20, [1.0] * 20)
    assert (result.p_worse, result.p_two_sided, result.n_discordant) == (1.0, 1.0, 0)
    assert result.interval is not None
    assert result.interval.low < 0.0 < result.interval.high


@fast
@given(tables)
def test_tango_is_the_root_of_its_quartic(cells: tuple[int, int, int, int]) -> None:
    """Tango's bounds solve the closed-form quartic of Yang, Sun & Hardin (2013)."""
    _, worse, better, _ = cells
    n, g = sum(cells), scipy.stats.norm.ppf(0.975) ** 2
    gap, total = better - worse, better + worse
    coefficients = [
        n**2 * (n / g + 1) ** 2,
        -n * gap * (n / g + 1) * (4 * n / g + 1),
        2 * n * gap**2 * (3 * n / g + 2) / g - n**2 * (total / g + 1),
        n * gap * (2 * total / g + 1) - gap**3 * (4 * n / g + 1) / g,
        gap**2 * (gap**2 / g - total) / g,
    ]
    scale = sum(abs(c) for c in coefficients)
    got = tango_interval(worse, better, n)
    for bound in (got.low, got.high):
        assert (
            abs(bound) == pytest.approx(1.0) or abs(np.polyval(coefficients, bound)) <= 1e-9 * scale
        )
    assert got.low <= gap / n <= got.high


@pytest.mark.parametrize(
    ("table", "tango", "newcombe"),
    [
        ((1, 7, 1, 12), (-0.517, -0.026), (-0.507, -0.026)),
        ((36, 2, 12, 0), (None, None), (0.0569, 0.3404)),
    ],
)
def test_paired_intervals_equal_published_examples(
    table: tuple[int, int, int, int],
    tango: tuple[float | None, float | None],
    newcombe: tuple[float, float],
) -> None:
    """Fagerland et al. 2014 (both methods) and Newcombe 1998 (method 10) are reproduced."""
    both, worse, better, neither = table
    got = newcombe_paired_interval(both, worse, better, neither)
    digits = 5e-4 if table[0] == 1 else 5e-5
    assert (got.low, got.high) == pytest.approx(newcombe, abs=digits)
    if tango[0] is not None:
        score = tango_interval(worse, better, sum(table))
        assert (score.low, score.high) == pytest.approx(tango, abs=5e-4)


def test_test_and_interval_may_disagree() -> None:
    """On (170, 4, 12, 14) McNemar says .0768 while Tango excludes 0, so the p decides."""
    assert mcnemar(12, 4)[1] == pytest.approx(0.0768, abs=5e-5)
    assert tango_interval(12, 4, 200).high < 0.0


@fast
@given(tables)
def test_swapping_the_sides_mirrors_everything(cells: tuple[int, int, int, int]) -> None:
    """Exchanging baseline and candidate changes the sign of effect and intervals."""
    both, worse, better, neither = cells
    n = sum(cells)
    one, other = tango_interval(worse, better, n), tango_interval(better, worse, n)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-9)
    one = newcombe_paired_interval(both, worse, better, neither)
    other = newcombe_paired_interval(both, better, worse, neither)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)
    assert one.low - 1e-12 <= (better - worse) / n <= one.high + 1e-12


@fast
@given(verdict_pairs)
def test_sign_flips_of_verdicts_are_mcnemar(pairs: list[tuple[bool, bool]]) -> None:
    """On binary pairs the sign-flip test and exact McNemar give the same p-values."""
    before, after = ([float(pair[i]) for pair in pairs] for i in (0, 1))
    exact, flips = paired_binary(before, after), paired_graded(before, after)
    assert exact.method == "mcnemar-exact"
    assert flips.method == "sign-flip-exact"
    assert flips.p_worse == pytest.approx(exact.p_worse, rel=1e-9)
    assert flips.p_two_sided == pytest.approx(exact.p_two_sided, rel=1e-9)
    assert flips.effect == pytest.approx(exact.effect, abs=1e-12)


@fast
@given(tenths)
def test_sign_flips_equal_brute_force(steps: list[int]) -> None:
    """Lattice and half-half enumeration both equal the enumeration of all 2^n signs."""
    units = np.array([step for step in steps if step]) / 10.0
    if not units.size:
        assert sign_flip(np.array(steps) / 10.0).p_worse == 1.0
        return
    sums = np.array([np.dot(s, units) for s in itertools.product((-1, 1), repeat=units.size)])
    worse = float((sums <= units.sum() + 1e-9).mean())
    two_sided = float((np.abs(sums) >= abs(units.sum()) - 1e-9).mean())
    for got in (sign_flip(np.array(steps) / 10.0), _exact_halves(units)):
        assert got.p_worse == pytest.approx(worse, rel=1e-12)
        assert got.p_two_sided == pytest.approx(two_sided, rel=1e-12)


def test_sign_flips_equal_scipy() -> None:
    """Exact flips of scores off any lattice equal scipy's permutation test."""
    values = np.random.default_rng(0).normal(-0.1, 0.3, 13)
    for side, key in (("less", "p_worse"), ("two-sided", "p_two_sided")):
        expected = scipy.stats.permutation_test(
            (values,),
            np.mean,
            permutation_type="samples",
            alternative=side,
            n_resamples=np.inf,
        ).pvalue
        assert getattr(sign_flip(values), key) == pytest.approx(expected, rel=1e-9)


def test_every_method_agrees_where_they_meet() -> None:
    """Monte Carlo and Edgeworth come close to the exact lattice on the same differences."""
    steps = np.random.default_rng(1).integers(-20, 18, 400)
    exact = _exact_lattice(steps[steps != 0])
    units = steps[steps != 0] / 100.0
    assert sign_flip(units) == exact
    assert _monte_carlo(units, 0).p_worse == pytest.approx(exact.p_worse, abs=0.01)
    assert _edgeworth(units).p_two_sided == pytest.approx(exact.p_two_sided, abs=0.005)


def test_the_method_follows_the_size() -> None:
    """Few scores are enumerated, many are drawn, thousands are expanded, a lattice is exact."""
    rng = np.random.default_rng(2)
    methods = [sign_flip(rng.normal(size=n)).method for n in (32, 33, 2001)]
    assert methods == ["sign-flip-exact", "sign-flip-monte-carlo", "sign-flip-edgeworth"]
    assert sign_flip(rng.integers(-9, 9, 3000) / 10).method == "sign-flip-exact"


def test_monte_carlo_is_seeded_and_never_zero() -> None:
    """Equal seeds give equal p-values, and the observed flip counts, so p is positive."""
    values = np.random.default_rng(3).normal(1.0, 0.1, 50)
    assert sign_flip(-values, seed=5) == sign_flip(-values, seed=5)
    assert sign_flip(-values).p_worse == 1.0 / 20_001


@fast
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=25))
def test_flipping_all_signs_swaps_the_sides(values: list[float]) -> None:
    """The two-sided p ignores the direction, and the one-sided ones cover everything."""
    one, other = sign_flip(values), sign_flip([-value for value in values])
    assert one.p_two_sided == pytest.approx(other.p_two_sided, rel=1e-9)
    assert one.p_worse + other.p_worse >= 1.0 - 1e-9


def test_groups_flip_as_a_whole() -> None:
    """Ten copies of a pair in one group are one pair of evidence, not ten."""
    alone = paired_binary([1.0] * 5 + [0.0], [0.0] * 5 + [0.0])
    before = np.repeat([1.0] * 5 + [0.0], 10)
    copied = paired_binary(before, np.zeros(60), groups=np.repeat(np.arange(6), 10).tolist())
    naive = paired_binary(before, np.zeros(60))
    assert copied.p_worse == alone.p_worse == 0.5**5
    assert naive.p_worse is not None
    assert naive.p_worse < 1e-9
    assert (copied.n, copied.n_groups, copied.n_discordant) == (60, 6, 50)
    assert copied.interval is not None
    assert copied.interval.method == "cluster-cr2"


def test_singleton_groups_stay_with_mcnemar() -> None:
    """One pair per group is decided by exact McNemar, with the same result."""
    before, after = [1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 1.0]
    assert paired_binary(before, after, groups=list("abcd")) == paired_binary(before, after)


def test_graded_interval_is_students() -> None:
    """Without groups the interval of graded pairs is that of the paired t test."""
    rng = np.random.default_rng(4)
    before, after = rng.random(12), rng.random(12)
    result = paired_graded(before, after)
    expected = scipy.stats.ttest_rel(after, before).confidence_interval()
    assert result.interval is not None
    assert (result.interval.low, result.interval.high) == pytest.approx(
        (expected.low, expected.high), rel=1e-9
    )
    assert result.effect == pytest.approx(after.mean() - before.mean())


def test_differences_beyond_one_are_not_cut() -> None:
    """The interval of differences in seconds reaches as far as it must."""
    result = paired_graded([10.0, 20.0, 30.0], [15.0, 27.0, 31.0])
    assert result.interval is not None
    assert result.interval.high > (result.effect or 0.0) > 4.0


def test_zero_variance_is_no_guaranteed_pass() -> None:
    """Equal differences have an honest interval: with three pairs it rules out nothing."""
    result = paired_graded([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert result.interval is not None
    assert result.interval.method == "zero-variance"
    assert not non_inferiority(result.interval, 0.05).established


def test_float_noise_is_no_difference() -> None:
    """0.1 + 0.2 and 0.3 are the same score."""
    result = paired_graded([0.1 + 0.2, 0.5], [0.3, 0.5])
    assert (result.n_discordant, result.effect) == (0, 0.0)


def test_no_pairs_test_nothing() -> None:
    """Without pairs there is no effect, no p-value and a reason."""
    for result in (paired_binary([], []), paired_graded([], [])):
        assert (result.n, result.effect, result.p_worse, result.interval) == (0, None, None, None)
        assert result.reason == "no pairs"


def test_non_inferiority_needs_the_lower_bound() -> None:
    """Only a lower bound above minus the margin establishes it; no interval never does."""
    interval = tango_interval(1, 3, 200)
    assert non_inferiority(interval, 0.05).established
    assert not non_inferiority(interval, 0.001).established
    assert non_inferiority(tango_interval(60, 0, 200), 0.05).inferior
    assert not non_inferiority(None, 0.05).established
    with pytest.raises(ConfigError, match="margin"):
        non_inferiority(interval, 0.0)


def test_misaligned_or_graded_verdicts_are_refused() -> None:
    """Sides of different length, grades where verdicts are due, and NaN are refused."""
    with pytest.raises(DataError, match="cannot pair"):
        paired_graded([0.1], [0.1, 0.2])
    with pytest.raises(DataError, match="other than 0 and 1"):
        paired_binary([0.5], [1.0])
    with pytest.raises(DataError, match="finite"):
        paired_graded([math.nan], [0.1])
    with pytest.raises(DataError, match="not a table"):
        tango_interval(3, 3, 5)


@pytest.mark.parametrize("seed", range(3))
def test_a_harmless_change_is_rarely_called_worse(seed: int) -> None:
    """Under no difference the clustered test rejects at most about as often as it should."""
    rng = np.random.default_rng(seed)
    rejections = 0
    for _ in range(200):
        shift = rng.normal(0, 0.1, 15)[np.repeat(np.arange(15), 4)]
        after = np.round(0.5 + shift + rng.normal(0, 0.05, 60), 2)
        result = paired_graded(np.full(60, 0.5), after, groups=np.repeat(np.arange(15), 4).tolist())
        rejections += result.p_worse is not None and result.p_worse < 0.05
    assert rejections <= 20
