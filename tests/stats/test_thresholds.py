"""The threshold sweep against brute force and scikit-learn, and its traps."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import ConfigError, DataError
from gitloop.stats.thresholds import (
    OBJECTIVES,
    Confusion,
    Draws,
    Folds,
    Objective,
    SweepPolicy,
    bootstrap_sweep,
    confusion_at,
    confusion_rates,
    cross_fit,
    decimal_grid,
    fold_assignment,
    observed_grid,
    passes,
    sweep,
)
from gitloop.stats.thresholds.resampling import _curves, _units

fast = settings(deadline=None, max_examples=60)
rows = st.lists(
    st.tuples(st.integers(0, 20).map(lambda i: i / 20), st.booleans()), min_size=1, max_size=40
)
GRID = decimal_grid()


def judge(n: int, seed: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], list[bool]]:
    """Return scores on a 0.01 grid and labels that they predict well."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random(n), 2)
    return scores, [bool(x) for x in rng.random(n) < scores]


def test_the_default_grid_is_exact() -> None:
    """The thirteen steps from 0.3 to 0.9 are the floats that their decimals print as."""
    assert GRID == (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
    naive = [0.3 + (0.9 - 0.3) * i / 12 for i in range(13)]
    assert naive[6] == 0.6000000000000001
    assert naive[6] not in GRID


@fast
@given(st.integers(0, 50), st.integers(51, 100), st.integers(2, 60))
def test_every_grid_point_is_a_short_decimal(low: int, high: int, n: int) -> None:
    """Each point is the float nearest to the decimal at its place."""
    first, last = Decimal(low) / 100, Decimal(high) / 100
    for i, point in enumerate(decimal_grid(str(first), str(last), n)):
        exact = first + (last - first) * i / (n - 1)
        assert point == float(str(round(exact, 12)))


def test_a_score_of_six_tenths_passes_six_tenths() -> None:
    """A cut at 0.6 is found and is perfect, though 0.3 + 0.6 * 6 / 12 is above 0.6 in floats."""
    scores, labels = [0.6, 0.6, 0.55, 0.2], [True, True, False, False]
    policy = SweepPolicy(GRID, Objective("accuracy"))
    assert sweep(scores, labels, policy).threshold == 0.6
    assert sweep(scores, labels, policy).value == 1.0
    assert passes([0.6, 0.55], 0.6).tolist() == [True, False]
    assert passes([0.6, 0.65], 0.6, strict=True).tolist() == [False, True]


@fast
@given(rows, st.sampled_from(OBJECTIVES), st.booleans(), st.booleans())
def test_sweep_equals_brute_force(
    judged: list[tuple[float, bool]], name: str, strict: bool, exact: bool
) -> None:
    """Curve, confusion tables and maximum equal a loop over thresholds."""
    scores, labels = [s for s, _ in judged], [y for _, y in judged]
    grid = observed_grid(scores) if exact else GRID
    policy = SweepPolicy(grid, Objective(name), strict=strict)
    got = sweep(scores, labels, policy)
    for threshold, confusion in zip(grid, got.confusions, strict=True):
        assert confusion == confusion_at(scores, labels, threshold, strict=strict)
    defined = [value for value in got.values if value is not None]
    if not defined:
        assert got.threshold is None
        assert got.reason
        return
    assert got.value == max(defined)
    assert got.plateau is not None
    assert got.threshold is not None
    assert got.plateau[0] <= got.threshold <= got.plateau[1]
    top = [
        t for t, v in zip(grid, got.values, strict=True) if v is not None and v >= got.value - 1e-12
    ]
    assert {got.threshold, *got.plateau} <= set(top)
    first = sweep(scores, labels, SweepPolicy(grid, Objective(name), strict, tie="first"))
    assert first.threshold == top[0]


@fast
@given(rows)
def test_objectives_equal_scikit_learn(judged: list[tuple[float, bool]]) -> None:
    """Every objective equals scikit-learn's where that is defined."""
    scores, labels = np.array([s for s, _ in judged]), np.array([y for _, y in judged])
    verdicts = scores >= 0.5
    both = len(set(labels.tolist())) == 2
    reference = {
        "accuracy": sklearn.metrics.accuracy_score(labels, verdicts),
        "mcc": sklearn.metrics.matthews_corrcoef(labels, verdicts) if both else 0.0,
    }
    if labels.any() or verdicts.any():
        reference["f1"] = sklearn.metrics.f1_score(labels, verdicts)
    if both:
        reference["balanced_accuracy"] = sklearn.metrics.balanced_accuracy_score(labels, verdicts)
        reference["kappa"] = sklearn.metrics.cohen_kappa_score(labels, verdicts)
    for name, expected in reference.items():
        got = sweep(scores, labels, SweepPolicy((0.5,), Objective(name)))
        assert got.value == pytest.approx(expected, abs=1e-9)


def test_a_plateau_is_cut_in_its_middle() -> None:
    """Two tight clouds at .2 and .8 are cut half way, not at the edge of one."""
    got = sweep([0.2] * 5 + [0.8] * 5, [False] * 5 + [True] * 5, SweepPolicy(GRID))
    assert got.plateau == (0.3, 0.8)
    assert got.threshold == 0.55
    first = sweep([0.2] * 5 + [0.8] * 5, [False] * 5 + [True] * 5, SweepPolicy(GRID, tie="first"))
    assert first.threshold == 0.3


def test_the_widest_of_two_plateaus_wins() -> None:
    """Of two runs of equal maxima the wider is cut, of equally wide ones the lower."""
    scores = [0.32, 0.42, 0.8]
    labels = [True, False, True]
    accuracy = SweepPolicy((0.3, 0.4, 0.5, 0.6, 0.7), Objective("accuracy"))
    got = sweep(scores, labels, accuracy)
    assert got.values == pytest.approx((2 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3))
    assert got.plateau == (0.5, 0.7)
    assert got.threshold == 0.6
    equal = sweep(scores, labels, SweepPolicy((0.2, 0.3, 0.4, 0.5, 0.6), Objective("accuracy")))
    assert equal.plateau == (0.2, 0.3)


def test_costs_move_the_threshold() -> None:
    """Dear false passes push the threshold up, dear false fails push it down."""
    scores, labels = judge(500, 0)
    strict, lenient = (
        sweep(scores, labels, SweepPolicy(GRID, Objective("cost", *costs))).threshold or 0.0
        for costs in ((5.0, 1.0), (1.0, 5.0))
    )
    assert strict > lenient


def test_precision_at_recall_keeps_the_recall() -> None:
    """The chosen threshold reaches the recall, and no admissible one is more precise."""
    scores, labels = judge(500, 1)
    got = sweep(scores, labels, SweepPolicy(GRID, Objective("precision_at_recall", min_recall=0.8)))
    assert got.confusion is not None
    rates = confusion_rates(got.confusion)
    assert rates.sensitivity is not None
    assert rates.sensitivity.value >= 0.8
    assert got.value == max(v for v in got.values if v is not None)


def test_one_class_has_no_balanced_accuracy() -> None:
    """Labels of one class give no threshold and a reason, not a number."""
    got = sweep([0.1, 0.9], [True, True], SweepPolicy(GRID, Objective("balanced_accuracy")))
    assert (got.threshold, got.value, got.confusion) == (None, None, None)
    assert "undefined" in got.reason
    none = sweep([], [], SweepPolicy(GRID))
    assert none.threshold is None


def test_rates_have_none_for_empty_denominators() -> None:
    """A judge that passes nothing has no precision, and an empty table has no rates."""
    rates = confusion_rates(Confusion(0, 0, 3, 7))
    assert rates.precision is None
    assert rates.sensitivity is not None
    assert (rates.sensitivity.value, rates.sensitivity.n) == (0.0, 3)
    assert (rates.base_accuracy, rates.mcc) == (0.7, 0.0)
    assert confusion_rates(Confusion(0, 0, 0, 0)).accuracy is None


def test_bootstrap_of_cells_equals_that_of_rows() -> None:
    """Multinomial cells have the distribution that resampled rows have."""
    scores, labels = judge(200, 2)
    policy, rng = SweepPolicy(GRID), np.random.default_rng(0)
    got = bootstrap_sweep(scores, np.array(labels), policy, Draws(2000))
    drawn = [
        sweep(scores[pick], np.array(labels)[pick], policy).values[4] or 0.0
        for pick in (rng.integers(0, 200, 200) for _ in range(1000))
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert got.curve[4] == pytest.approx((low, high), abs=0.02)


def test_bootstrap_is_seeded_and_reports_optimism() -> None:
    """A seed repeats, the interval holds the threshold, and in-sample values are optimistic."""
    scores, labels = judge(60, 3)
    policy, truth = SweepPolicy(GRID), np.array(labels)
    got, again = (bootstrap_sweep(scores, truth, policy, Draws(500, 7)) for _ in range(2))
    assert got == again
    whole = sweep(scores, labels, policy)
    assert got.threshold is not None
    assert got.threshold.low <= (whole.threshold or 0.0) <= got.threshold.high
    assert got.optimism is not None
    assert got.optimism > 0.0
    assert got.value_corrected == pytest.approx((whole.value or 0.0) - got.optimism)


def test_bootstrap_draws_whole_groups() -> None:
    """Ten copies of each row within its group leave the spread that the rows had."""
    scores, labels = judge(80, 4)
    policy, plan = SweepPolicy(GRID), Draws(1000)
    one = bootstrap_sweep(scores, np.array(labels), policy, plan, groups=list(range(80)))
    groups = np.repeat(np.arange(80), 10).tolist()
    ten = bootstrap_sweep(np.repeat(scores, 10), np.repeat(labels, 10), policy, plan, groups=groups)
    naive = bootstrap_sweep(np.repeat(scores, 10), np.repeat(labels, 10), policy, plan)
    assert one.value == ten.value
    assert naive.value is not None
    assert one.value is not None
    assert naive.value.high - naive.value.low < 0.5 * (one.value.high - one.value.low)


def test_group_cells_add_up() -> None:
    """The cells of all groups together are the cells of all rows."""
    bins, truth = np.array([0, 2, 1, 2]), np.array([True, False, True, True])
    grouped, whole = _units(bins, truth, 2, list("abab")), _units(bins, truth, 2, None)
    assert grouped.shape == (2, 2, 3)
    assert np.array_equal(grouped.sum(axis=0), whole[0])
    assert _curves(grouped, SweepPolicy((0.1, 0.2)), Draws(3)).shape == (3, 2)


def test_a_perfect_judge_on_few_rows_is_not_certain() -> None:
    """No resample of a perfect judge varies, so there is no interval rather than [1, 1]."""
    got = bootstrap_sweep(
        np.array([0.1, 0.9] * 10), np.array([False, True] * 10), SweepPolicy(GRID)
    )
    assert got.value is None
    assert "same in every resample" in got.reason


def test_undefined_resamples_are_counted() -> None:
    """Resamples without both classes are counted, and without rows there is a reason."""
    policy = SweepPolicy(GRID, Objective("balanced_accuracy"))
    got = bootstrap_sweep(np.array([0.2, 0.4, 0.8]), np.array([False, False, True]), policy)
    assert 200 < got.n_undefined < 500
    none = bootstrap_sweep(np.array([]), np.array([], dtype=bool), policy)
    assert (none.threshold, none.reason) == (None, "no rows")
    one_class = bootstrap_sweep(np.array([0.2, 0.9]), np.array([True, True]), policy)
    assert (one_class.threshold, one_class.n_undefined) == (None, 1000)
    lone = bootstrap_sweep(np.array([0.2, 0.9]), np.array([True, False]), policy, groups=["g", "g"])
    assert lone.reason == "fewer than two groups"


@fast
@given(st.lists(st.integers(0, 30), min_size=2, max_size=60), st.integers(2, 6))
def test_folds_keep_groups_whole(groups: list[int], n_folds: int) -> None:
    """A group is in one fold, folds differ by one group, and row order does not matter."""
    folds = fold_assignment(groups, n_folds).tolist()
    of_group = dict(zip(groups, folds, strict=True))
    assert folds == [of_group[group] for group in groups]
    sizes = [list(of_group.values()).count(fold) for fold in range(n_folds)]
    assert max(sizes) - min(sizes) <= 1
    assert fold_assignment(groups[::-1], n_folds).tolist() == folds[::-1]


def test_cross_fit_holds_rows_out() -> None:
    """Every row is judged once, by a threshold that its group did not help choose."""
    scores, labels = judge(120, 5)
    truth, groups = np.array(labels), [i // 4 for i in range(120)]
    policy = SweepPolicy(GRID)
    got = cross_fit(scores, truth, groups, policy, Folds(4, 1))
    assert got.confusion is not None
    counts = got.confusion
    assert counts.tp + counts.fp + counts.fn + counts.tn == 120
    fold = fold_assignment(groups, 4, seed=1)
    expected = Confusion(0, 0, 0, 0)
    for f in range(4):
        threshold = sweep(scores[fold != f], truth[fold != f], policy).threshold
        assert threshold == got.thresholds[f]
        part = confusion_at(scores[fold == f], truth[fold == f], threshold or 0.0)
        expected = Confusion(
            expected.tp + part.tp,
            expected.fp + part.fp,
            expected.fn + part.fn,
            expected.tn + part.tn,
        )
    assert counts == expected
    assert got.optimism == pytest.approx((got.in_sample or 0.0) - (got.value or 0.0))


def test_cross_fit_says_why_it_cannot() -> None:
    """One group, or a class that only one group has, gives no value and a reason."""
    scores, truth = np.array([0.2, 0.3, 0.9]), np.array([False, False, True])
    policy = SweepPolicy(GRID, Objective("balanced_accuracy"))
    assert cross_fit(scores, truth, ["a"] * 3, policy).reason == "fewer than two groups"
    got = cross_fit(scores, truth, ["a", "b", "c"], policy)
    assert (got.value, got.n_folds) == (None, 3)
    assert got.reason


def test_a_useless_judge_looks_good_in_sample() -> None:
    """At 20 rows a random judge's best accuracy exceeds its cross-fitted one by about .1."""
    policy = SweepPolicy(GRID, Objective("accuracy"))
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(60):
        scores, truth = np.round(rng.random(20), 2), rng.random(20) < 0.5
        got = cross_fit(scores, truth, list(range(20)), policy)
        gaps.append(got.optimism or 0.0)
    assert 0.05 < float(np.mean(gaps)) < 0.3


def test_impossible_sweeps_are_refused() -> None:
    """A falling grid, an unknown objective or tie rule, and odd labels are refused."""
    with pytest.raises(ConfigError, match="rise"):
        sweep([0.5], [True], SweepPolicy((0.5, 0.4)))
    with pytest.raises(ConfigError, match="auc"):
        sweep([0.5], [True], SweepPolicy(GRID, Objective("auc")))
    with pytest.raises(ConfigError, match="last"):
        sweep([0.5], [True], SweepPolicy(GRID, tie="last"))
    with pytest.raises(DataError, match="shape"):
        sweep([0.5], [True, False], SweepPolicy(GRID))
    with pytest.raises(DataError, match="pass or fail"):
        sweep([0.5], [2], SweepPolicy(GRID))  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="no grid"):
        decimal_grid("0.9", "0.3")
    with pytest.raises(ConfigError, match="two folds"):
        fold_assignment(["a"], 1)
