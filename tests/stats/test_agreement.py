"""Agreement coefficients against krippendorff, statsmodels, scikit-learn and Gwet's examples."""

from __future__ import annotations

from typing import Literal

import krippendorff
import numpy as np
import pytest
import sklearn.metrics
import statsmodels.stats.inter_rater
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitloop.errors import ConfigError, DataError
from gitloop.stats.agreement import (
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    pabak,
    prevalence,
    raw_agreement,
    tabulate,
)
from gitloop.stats.agreement.krippendorff import _evaluator, _pairable

fast = settings(deadline=None, max_examples=60)
Unit = list[int | None]
GAPS: list[Unit] = [  # Krippendorff 2011, example D: 12 units, 4 observers, gaps
    [1, 1, None, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [None, 5, 5, 5],
    [None, None, 1, 1],
    [None, None, 3, None],
]
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]  # irrCAC, cont3x3abstractors
Metric = Literal["nominal", "ordinal", "interval", "ratio"]
METRICS: tuple[Metric, ...] = ("nominal", "ordinal", "interval", "ratio")
ratings = st.lists(
    st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=3, max_size=3),
    min_size=2,
    max_size=15,
)
pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


def spread(table: list[list[int]]) -> tuple[list[int], list[int]]:
    """Return the two raters' labels of a contingency table."""
    cells = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return [i for i, _ in cells], [j for _, j in cells]


@pytest.mark.parametrize(
    ("metric", "value"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_alpha_equals_the_published_example(metric: str, value: float) -> None:
    """Krippendorff's own example with gaps gives .743, .815, .849 and .797."""
    got = krippendorff_alpha(tabulate(GAPS), metric)
    assert got.value == pytest.approx(value, abs=5e-4)
    assert (got.n_items, got.n_raters, got.n_skipped) == (11, 4, 1)


@fast
@given(ratings, st.sampled_from(METRICS))
def test_alpha_equals_the_reference_library(units: list[Unit], metric: Metric) -> None:
    """Alpha on every scale equals the krippendorff package's, gaps included."""
    kept = [unit for unit in units if sum(label is not None for label in unit) > 1]
    assume(len({label for unit in kept for label in unit if label is not None}) > 1)
    matrix = np.array([[np.nan if x is None else x for x in unit] for unit in units], dtype=float)
    expected = krippendorff.alpha(reliability_data=matrix.T, level_of_measurement=metric)
    got = krippendorff_alpha(tabulate(units), metric, n_resamples=0)
    assert got.value == pytest.approx(expected, abs=1e-9)


@fast
@given(ratings, st.permutations(range(3)), st.permutations(range(1, 6)))
def test_alpha_ignores_names_and_order(
    units: list[Unit], seats: list[int], names: list[int]
) -> None:
    """Reordering raters or items changes no alpha, renaming labels no nominal one."""
    moved = [[unit[seat] for seat in seats] for unit in reversed(units)]
    renamed = [[None if x is None else f"label {names[x - 1]}" for x in unit] for unit in units]
    for metric in METRICS:
        one, other = (
            krippendorff_alpha(tabulate(u), metric, n_resamples=0) for u in (units, moved)
        )
        assert one.value == pytest.approx(other.value, abs=1e-9)
    one, other = (
        krippendorff_alpha(tabulate(units), n_resamples=0),
        krippendorff_alpha(tabulate(renamed), n_resamples=0),
    )
    assert one.value == pytest.approx(other.value, abs=1e-9)


def test_alpha_bootstrap_is_that_of_the_resampled_items() -> None:
    """Each resample's alpha is that of a table that really repeats the items."""
    rng = np.random.default_rng(0)
    units = [unit for unit in GAPS if sum(label is not None for label in unit) > 1]
    weights = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), size=5)
    for metric in METRICS:
        table = tabulate(units)
        alpha = _evaluator(_pairable(table, table.ratings_per_item()), table, metric)
        got = alpha(weights.astype(float))
        for row, value in zip(weights, got, strict=True):
            repeated = [unit for unit, n in zip(units, row, strict=True) for _ in range(n)]
            expected = krippendorff_alpha(tabulate(repeated), metric, n_resamples=0).value
            assert value == pytest.approx(expected, abs=1e-9)


def test_alpha_interval_is_seeded_and_holds_the_value() -> None:
    """The bootstrap interval repeats with its seed and contains the estimate."""
    table = tabulate(GAPS)
    one, again = krippendorff_alpha(table, seed=3), krippendorff_alpha(table, seed=3)
    assert one == again
    assert one.interval is not None
    assert one.value is not None
    assert one.interval.low <= one.value <= one.interval.high
    assert one.interval != krippendorff_alpha(table, seed=4).interval


@pytest.mark.parametrize("weights", ["identity", "linear", "quadratic"])
def test_kappa_and_its_interval_equal_statsmodels(weights: str) -> None:
    """Cohen's kappa, plain and weighted, and its interval equal statsmodels'."""
    name = None if weights == "identity" else weights
    expected = statsmodels.stats.inter_rater.cohens_kappa(np.array(ABSTRACTORS), wt=name)
    got = cohen_kappa(*spread(ABSTRACTORS), weights=weights)
    assert got.interval is not None
    assert (got.value, got.interval.low, got.interval.high) == pytest.approx(
        (expected.kappa, expected.kappa_low, expected.kappa_upp), rel=1e-9
    )


@fast
@given(pairs, st.sampled_from(["identity", "linear", "quadratic"]))
def test_kappa_equals_scikit_learn(rows: list[tuple[int, int]], weights: str) -> None:
    """Cohen's kappa equals scikit-learn's."""
    first, second = [a for a, _ in rows], [b for _, b in rows]
    assume(len({*first, *second}) > 1)
    expected = sklearn.metrics.cohen_kappa_score(
        first, second, weights=None if weights == "identity" else weights
    )
    got = cohen_kappa(first, second, weights=weights)
    assert got.value == pytest.approx(expected, abs=1e-9)
    assert got.interval is not None
    assert got.interval.low - 1e-9 <= expected <= got.interval.high + 1e-9


@fast
@given(pairs)
def test_swapping_the_raters_changes_nothing(rows: list[tuple[int, int]]) -> None:
    """Kappa and PABAK do not depend on who is first."""
    first, second = [a for a, _ in rows], [b for _, b in rows]
    for measure in (cohen_kappa, pabak):
        one, other = measure(first, second), measure(second, first)
        assert one.value == pytest.approx(other.value, abs=1e-12)


def test_gwets_examples_are_reproduced() -> None:
    """The irrCAC vignette's figures for two data sets are reproduced."""
    table = tabulate(list(zip(*spread(ABSTRACTORS), strict=True)))
    ac1, fleiss = gwet_ac(table), fleiss_kappa(table)
    assert ac1.value == pytest.approx(0.8493305, abs=5e-8)
    assert fleiss.value == pytest.approx(0.7962397, abs=5e-8)
    assert ac1.interval is not None
    assert fleiss.interval is not None
    assert (ac1.interval.low, ac1.interval.high) == pytest.approx((0.764, 0.935), abs=1e-3)
    assert (fleiss.interval.low, fleiss.interval.high) == pytest.approx((0.679, 0.913), abs=2e-3)
    assert pabak(*spread(ABSTRACTORS)).value == pytest.approx(0.835)
    raters = gwet_ac(tabulate(GAPS))
    assert raters.value == pytest.approx(0.77544, abs=5e-6)
    assert raters.interval is not None
    assert raters.interval.low == pytest.approx(0.461, abs=5e-4)


@fast
@given(ratings)
def test_fleiss_equals_statsmodels(units: list[Unit]) -> None:
    """Fleiss' kappa equals statsmodels' where every item has as many ratings."""
    full = [[1 if x is None else x for x in unit] for unit in units]
    assume(len({x for unit in full for x in unit}) > 1)
    table = tabulate(full)
    expected = statsmodels.stats.inter_rater.fleiss_kappa(table.counts())
    for average in ("items", "ratings"):
        assert fleiss_kappa(table, average=average).value == pytest.approx(expected, abs=1e-9)


@fast
@given(ratings, st.sampled_from(["items", "ratings"]), st.sampled_from(["identity", "quadratic"]))
def test_panel_intervals_hold_their_value(units: list[Unit], average: str, weights: str) -> None:
    """Every defined coefficient lies in its interval, at most 1."""
    table = tabulate(units, [1, 2, 3, 4, 5])
    for got in (
        raw_agreement(table),
        gwet_ac(table, weights=weights, average=average),
        fleiss_kappa(table, weights=weights, average=average),
    ):
        if got.value is None:
            assert got.reason
            continue
        assert got.interval is not None
        assert got.interval.low - 1e-9 <= got.value <= min(1.0, got.interval.high) + 1e-9


def test_average_over_ratings_is_pooled() -> None:
    """Pooled AC1 uses the pooled agreement, as raw agreement does."""
    table = tabulate([[1, 1, 1, 1], [1, 2], [2, 2]])
    assert raw_agreement(table).value == pytest.approx(7 / 8)
    chance = 2 * (5 / 8) * (3 / 8)
    expected = (7 / 8 - chance) / (1 - chance)
    assert gwet_ac(table, average="ratings").value == pytest.approx(expected)


def test_the_kappa_paradox_is_visible() -> None:
    """At 90 % agreement kappa can be -.05 while PABAK and AC1 stay high."""
    first = [1] * 90 + [1] * 5 + [0] * 5
    second = [1] * 90 + [0] * 5 + [1] * 5
    assert cohen_kappa(first, second).value == pytest.approx(-0.0526, abs=1e-4)
    assert pabak(first, second).value == pytest.approx(0.8)
    assert (gwet_ac(tabulate(list(zip(first, second, strict=True)))).value or 0) > 0.88


def test_perfect_agreement_is_not_certain() -> None:
    """Twenty of twenty agreements give 1 with a lower bound well below it."""
    labels = [0, 1] * 10
    table = tabulate([[x, x] for x in labels])
    for got in (
        cohen_kappa(labels, labels),
        pabak(labels, labels),
        gwet_ac(table),
        fleiss_kappa(table),
        raw_agreement(table),
    ):
        assert got.value == pytest.approx(1.0)
        assert got.interval is not None
        assert got.interval.low < 0.9
    alpha = krippendorff_alpha(table)
    assert alpha.value == pytest.approx(1.0)
    assert alpha.interval is None
    assert alpha.reason == "every resample gives the same alpha"


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        ([[1, 1], [1, 1]], "one category only"),
        ([[1], [2]], "rated twice"),
        ([[1, None], [None, 2]], "rated twice"),
        ([], "rated twice"),
    ],
)
def test_degenerate_panels_have_no_value(units: list[Unit], reason: str) -> None:
    """One class, one rater, no overlap or no items give None and the reason, not a number."""
    table = tabulate(units)
    for got in (krippendorff_alpha(table), fleiss_kappa(table), gwet_ac(table)):
        assert (got.value, got.interval) == (None, None)
        assert reason in got.reason or "one category only" in got.reason


def test_degenerate_pairs_have_no_value() -> None:
    """Two raters without a common item, or of one class, have no kappa."""
    for measure in (cohen_kappa, pabak):
        apart = measure([1, None], [None, 2])
        assert (apart.value, apart.n_skipped, apart.reason) == (
            None,
            2,
            "no item was rated by both",
        )
        assert measure([1, 1], [1, 1]).reason == "both raters used one category only"


def test_missing_labels_are_counted() -> None:
    """An item that one rater left out is skipped and counted."""
    got = cohen_kappa(["a", "b", None, "a"], ["a", "b", "b", None])
    assert (got.n_items, got.n_skipped, got.value) == (2, 2, 1.0)


def test_words_have_no_order_of_their_own() -> None:
    """Weights and ordinal scales on words need the scale; given it, they work."""
    low_to_high = ["poor", "fair", "good"]
    first, second = ["poor", "good", "fair"], ["fair", "good", "fair"]
    units = list(zip(first, second, strict=True))
    with pytest.raises(ConfigError, match="categories"):
        cohen_kappa(first, second, weights="linear")
    with pytest.raises(ConfigError, match="categories"):
        krippendorff_alpha(tabulate(units), "ordinal")
    with pytest.raises(ConfigError, match="words"):
        krippendorff_alpha(tabulate(units, low_to_high), "interval")
    numbers = [[low_to_high.index(a), low_to_high.index(b)] for a, b in units]
    worded = krippendorff_alpha(tabulate(units, low_to_high), "ordinal", n_resamples=0)
    assert worded.value == krippendorff_alpha(tabulate(numbers), "ordinal", n_resamples=0).value


def test_labels_off_the_scale_are_all_named() -> None:
    """Every label outside the scale is named at once; words and numbers do not mix."""
    with pytest.raises(DataError, match="'bad', 'odd'"):
        tabulate([["good", "odd"], ["bad"]], ["good"])
    with pytest.raises(DataError, match="mix"):
        tabulate([["good", 1]])
    with pytest.raises(ConfigError, match="no weights"):
        cohen_kappa([1, 2], [1, 2], weights="cubic")


def test_prevalence_counts_every_rating() -> None:
    """Each category's share is over all ratings, unused categories included."""
    shares = prevalence(tabulate([["pass", "pass"], ["fail", None]], ["fail", "pass", "skip"]))
    assert [(s.category, s.n, s.share) for s in shares] == [
        ("fail", 1, pytest.approx(1 / 3)),
        ("pass", 2, pytest.approx(2 / 3)),
        ("skip", 0, 0.0),
    ]


def test_an_interval_stays_within_the_scale() -> None:
    """Two items without any variation give a wide interval, and none below -1."""
    got = cohen_kappa([1, 4], [2, 3], weights="linear", categories=[1, 2, 3, 4, 5])
    assert got.interval is not None
    assert -1.0 <= got.interval.low <= got.interval.high <= 1.0


def test_prevalence_takes_items_as_the_sample() -> None:
    """With one rating per item the interval is t's of a share; ten alike per item add nothing."""
    single = [["a"]] * 12 + [["b"]] * 8
    repeated = [unit * 10 for unit in single]
    (one, _), (ten, _) = prevalence(tabulate(single)), prevalence(tabulate(repeated))
    assert (one.share, ten.share) == (0.6, 0.6)
    assert (ten.interval.low, ten.interval.high) == pytest.approx(
        (one.interval.low, one.interval.high), abs=1e-12
    )
    half = 2.093024 * (0.6 * 0.4 / 19) ** 0.5
    assert one.interval.low == pytest.approx(0.6 - half, abs=1e-5)


def test_prevalence_of_what_nobody_chose_is_not_sure() -> None:
    """A category that no one of five items got may still be there: its upper bound is above 0."""
    used, unused = prevalence(tabulate([["a"]] * 5, ["a", "b"]))
    assert (used.share, unused.share) == (1.0, 0.0)
    assert unused.interval.high > 0.3
    assert prevalence(tabulate([], ["a", "b"]))[0].interval.high == 1.0
