"""AUROC, Brier score and calibration error against scipy and scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gitloop.errors import ConfigError, DataError
from gitloop.stats.calibration import calibration_error, discrimination

fast = settings(deadline=None, max_examples=60)
judged = st.lists(
    st.tuples(st.integers(0, 10).map(lambda i: i / 10), st.booleans()), min_size=2, max_size=40
)


def split(rows: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    """Return scores and labels, both classes present."""
    labels = [y for _, y in rows]
    assume(len(set(labels)) == 2)
    return [s for s, _ in rows], labels


@fast
@given(judged)
def test_auroc_equals_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    """The AUROC equals scikit-learn's, ties included, and lies in an interval with a width."""
    scores, labels = split(rows)
    got = discrimination(scores, labels)
    assert got.auroc == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=1e-12)
    assert got.interval is not None
    assert got.interval.low <= (got.auroc or 0.0) <= got.interval.high
    assert got.interval.high > got.interval.low


@fast
@given(judged)
def test_turning_the_judge_around_mirrors(rows: list[tuple[float, bool]]) -> None:
    """A judge turned around has the mirrored AUROC and interval."""
    scores, labels = split(rows)
    one = discrimination(scores, labels)
    other = discrimination([1.0 - s for s in scores], labels)
    assert one.auroc == pytest.approx(1.0 - (other.auroc or 0.0), abs=1e-12)
    assert one.interval is not None
    assert other.interval is not None
    assert one.interval.low == pytest.approx(1.0 - other.interval.high, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=10))
def test_exact_uselessness_equals_enumeration(rows: list[tuple[float, bool]]) -> None:
    """The exact p equals the share of label assignments with as high a rank sum."""
    scores, labels = split(rows)
    ranks = scipy.stats.rankdata(scores)
    m = sum(labels)
    observed = ranks[np.array(labels)].sum()
    sums = [sum(pick) for pick in itertools.combinations(ranks.tolist(), m)]
    expected = float(np.mean([s >= observed - 1e-9 for s in sums]))
    assert discrimination(scores, labels).p_useless == pytest.approx(expected, rel=1e-9)


def test_normal_uselessness_equals_scipy() -> None:
    """Beyond sixty rows the p equals scipy's asymptotic Mann-Whitney test, ties included."""
    rng = np.random.default_rng(0)
    labels = rng.random(200) < 0.4
    scores = np.round(rng.random(200) + np.where(labels, 0.1, 0.0), 1)
    got = discrimination(scores, labels)
    expected = scipy.stats.mannwhitneyu(
        scores[labels], scores[~labels], alternative="greater", method="asymptotic"
    ).pvalue
    assert got.method == "rank-sum-normal"
    assert got.p_useless == pytest.approx(expected, rel=1e-9)


def test_exact_and_normal_meet() -> None:
    """At the limit of the exact method both give nearly the same p."""
    rng = np.random.default_rng(1)
    labels = np.arange(60) < 30
    scores = rng.random(60) + 0.15 * labels
    exact = discrimination(scores, labels)
    normal = scipy.stats.mannwhitneyu(
        scores[labels], scores[~labels], alternative="greater", method="asymptotic"
    ).pvalue
    assert exact.method == "rank-sum-exact"
    assert exact.p_useless == pytest.approx(normal, abs=0.003)


def test_a_perfect_judge_is_not_certain() -> None:
    """Ten against ten, perfectly ranked, has AUROC 1 with a lower bound below .95."""
    got = discrimination([0.9] * 10 + [0.1] * 10, [True] * 10 + [False] * 10)
    assert got.auroc == 1.0
    assert got.interval is not None
    assert 0.7 < got.interval.low < 0.95


def test_a_constant_judge_is_useless() -> None:
    """A judge that always says the same has AUROC .5 and p 1, small or large."""
    for n in (10, 100):
        got = discrimination([0.7] * n, [True, False] * (n // 2))
        assert (got.auroc, got.p_useless) == (0.5, 1.0)


def test_one_label_ranks_nothing() -> None:
    """One class, or no rows, give no AUROC and a reason."""
    assert discrimination([0.1, 0.2], [True, True]).reason == "people gave one label only"
    assert discrimination([], []).reason == "no rows"


@fast
@given(judged)
def test_brier_equals_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    """The Brier score equals scikit-learn's and lies in its interval."""
    scores, labels = split(rows)
    got = calibration_error(scores, labels)
    expected = sklearn.metrics.brier_score_loss(labels, scores)
    assert got.brier == pytest.approx(expected, abs=1e-12)
    assert got.interval is not None
    assert got.interval.low <= expected <= got.interval.high
    base = float(np.mean(labels))
    assert got.brier_base == pytest.approx(base * (1 - base))


@fast
@given(judged, st.integers(1, 12))
def test_ece_equals_its_definition(rows: list[tuple[float, bool]], n_bins: int) -> None:
    """The calibration error is the weighted gap between score and truth per bin."""
    scores, labels = (np.array(side) for side in split(rows))
    total = 0.0
    for i in range(n_bins):
        low, high = i / n_bins, (i + 1) / n_bins
        inside = (scores > low) & (scores <= high) | ((scores == 0.0) & (i == 0))
        if inside.any():
            total += inside.mean() * abs(labels[inside].mean() - scores[inside].mean())
    assert calibration_error(scores, labels, n_bins=n_bins).ece == pytest.approx(total, abs=1e-9)


def test_scores_that_are_no_probabilities_are_refused() -> None:
    """Scores outside [0, 1], zero bins and odd labels are refused; no rows have no error."""
    with pytest.raises(DataError, match="outside"):
        calibration_error([1.2], [True])
    with pytest.raises(ConfigError, match="bin"):
        calibration_error([0.2], [True], n_bins=0)
    with pytest.raises(DataError, match="as many labels"):
        discrimination([0.2], [True, False])
    assert calibration_error([], []).brier is None
