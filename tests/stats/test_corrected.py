"""Corrected rates against the papers' own formulas, and their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import DataError
from gitloop.stats.corrected import differential_errors, ppi_mean, rogan_gladen

fast = settings(deadline=None, max_examples=60)


def lee_interval(judged: tuple[int, int], se: tuple[int, int], sp: tuple[int, int]) -> list[float]:
    """Return Lee et al.'s interval, written as in arXiv 2511.21140 §3."""
    z = scipy.stats.norm.ppf(0.975)
    n, m1, m0 = judged[1], se[1], sp[1]
    p = (judged[0] + z**2 / 2) / (n + z**2)
    q1, q0 = (se[0] + 1) / (m1 + 2), (sp[0] + 1) / (m0 + 2)
    theta = (p + q0 - 1) / (q0 + q1 - 1)
    v1, v0 = q1 * (1 - q1) / (m1 + 2), q0 * (1 - q0) / (m0 + 2)
    shift = 2 * z**2 * (-(1 - theta) * v0 + theta * v1)
    root = math.sqrt(p * (1 - p) / (n + z**2) + (1 - theta) ** 2 * v0 + theta**2 * v1)
    half = z * root / (q0 + q1 - 1)
    return [min(1.0, max(0.0, theta + shift + sign * half)) for sign in (-1, 1)]


@fast
@given(st.integers(0, 500), st.integers(30, 60), st.integers(30, 60))
def test_rogan_gladen_equals_lee(passed: int, hits: int, fails: int) -> None:
    """Estimate and interval equal the formulas of Rogan & Gladen and of Lee et al."""
    counts = ((passed, 500), (hits, 60), (fails, 60))
    got = rogan_gladen(*counts)
    youden = hits / 60 + fails / 60 - 1
    if youden <= 0:
        assert (got.value, got.interval) == (None, None)
        return
    raw = (passed / 500 + fails / 60 - 1) / youden
    assert got.value == pytest.approx(min(1.0, max(0.0, raw)), abs=1e-12)
    if got.interval is None:
        assert "no interval" in got.reason
        return
    assert [got.interval.low, got.interval.high] == pytest.approx(lee_interval(*counts), abs=1e-9)


def test_a_flawless_judge_corrects_nothing() -> None:
    """With sensitivity and specificity 1 the corrected rate is the judged one."""
    got = rogan_gladen((80, 100), (50, 50), (50, 50))
    assert got.value == pytest.approx(0.8)
    assert got.interval is not None
    assert got.interval.low < 0.8 < got.interval.high


def test_a_lenient_judge_is_corrected_downwards() -> None:
    """Specificity .75 turns 77.3 % of passes into 69.7 %."""
    got = rogan_gladen((1855, 2400), (30, 30), (12, 16))
    assert got.judged_rate == pytest.approx(0.773, abs=5e-4)
    assert got.value == pytest.approx(0.697, abs=5e-4)


def test_corrected_intervals_cover() -> None:
    """Over 400 simulated calibrations the interval holds the true rate about 95 times in 100."""
    rng = np.random.default_rng(0)
    true, se, sp = 0.7, 0.9, 0.8
    hits = 0
    for _ in range(400):
        judged = int(rng.binomial(500, true * se + (1 - true) * (1 - sp)))
        got = rogan_gladen(
            (judged, 500), (int(rng.binomial(60, se)), 60), (int(rng.binomial(40, sp)), 40)
        )
        assert got.interval is not None
        hits += got.interval.low <= true <= got.interval.high
    assert 0.93 <= hits / 400 <= 1.0


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (((1, 2), (1, 2), (1, 2)), "no better than chance"),
        (((1, 2), (0, 0), (1, 2)), "calibration rows"),
        (((0, 0), (2, 2), (2, 2)), "judged rows"),
    ],
)
def test_an_uncalibrated_judge_corrects_nothing(
    counts: tuple[tuple[int, int], tuple[int, int], tuple[int, int]], reason: str
) -> None:
    """A useless or uncalibrated judge gives None and the reason."""
    got = rogan_gladen(*counts)
    assert (got.value, got.interval) == (None, None)
    assert reason in got.reason


def test_a_cut_rate_says_so() -> None:
    """A corrected rate beyond 1 is cut, and the reason says it."""
    got = rogan_gladen((100, 100), (80, 100), (90, 100))
    assert got.value == 1.0
    assert "cut" in got.reason
    with pytest.raises(DataError, match="3 of 2"):
        rogan_gladen((3, 2), (1, 1), (1, 1))


def test_ppi_equals_its_definition() -> None:
    """PPI++ equals the power-tuned estimate and variance of Angelopoulos et al."""
    rng = np.random.default_rng(1)
    truth, others = rng.random(50), rng.random(400)
    own = 0.7 * truth + 0.3 * rng.random(50)
    got = ppi_mean(truth, own, others)
    spread = np.concatenate([own, others]).var(ddof=1)
    tuning = np.cov(truth, own)[0, 1] / ((1 + 50 / 400) * spread)
    tuning = min(1.0, max(0.0, tuning))
    value = tuning * others.mean() + (truth - tuning * own).mean()
    variance = (truth - tuning * own).var(ddof=1) / 50 + tuning**2 * others.var(ddof=1) / 400
    half = scipy.stats.norm.ppf(0.975) * math.sqrt(variance)
    assert got.tuning == pytest.approx(tuning, rel=1e-9)
    assert got.value == pytest.approx(value, rel=1e-9)
    assert got.interval is not None
    assert (got.interval.low, got.interval.high) == pytest.approx((value - half, value + half))


def test_a_useless_judge_gets_no_weight() -> None:
    """A judge that is constant, or contrary, is ignored: the labelled mean remains."""
    labels = [0.0, 1.0, 1.0, 0.0, 1.0]
    for own in ([0.5] * 5, [1.0, 0.0, 0.0, 1.0, 0.0]):
        got = ppi_mean(labels, own, [0.5, 0.4, 0.6])
        assert got.tuning == 0.0
        assert got.value == pytest.approx(0.6)


def test_a_good_judge_tightens_the_mean() -> None:
    """A judge close to people makes the interval much narrower than theirs alone."""
    rng = np.random.default_rng(2)
    latent = rng.random(2040)
    judge = np.clip(latent + rng.normal(0, 0.05, 2040), 0, 1)
    got = ppi_mean(latent[:40], judge[:40], judge[40:])
    alone = 2 * 1.96 * latent[:40].std(ddof=1) / math.sqrt(40)
    assert got.interval is not None
    assert got.interval.high - got.interval.low < 0.6 * alone


def test_ppi_without_rows_has_no_value() -> None:
    """Too few rows give None and a reason; rows that do not pair are refused."""
    assert ppi_mean([0.5], [0.5], [0.1, 0.2]).value is None
    assert ppi_mean([], [], []).labelled_mean is None
    flat = ppi_mean([1.0, 1.0], [1.0, 1.0], [1.0, 1.0])
    assert (flat.value, flat.interval) == (1.0, None)
    with pytest.raises(DataError, match="cannot pair"):
        ppi_mean([0.5], [0.5, 0.6], [0.1, 0.2])


def test_differential_errors_equal_fisher() -> None:
    """Each rate is compared by Fisher's exact test, and Bonferroni joins the two."""
    got = differential_errors(((45, 50), (40, 50)), ((30, 50), (41, 50)))
    expected = scipy.stats.fisher_exact([[45, 5], [30, 20]]).pvalue
    other = scipy.stats.fisher_exact([[40, 10], [41, 9]]).pvalue
    assert got.p_sensitivity == pytest.approx(expected, rel=1e-9)
    assert got.p_specificity == pytest.approx(other, rel=1e-9)
    assert got.p == pytest.approx(2 * min(expected, other), rel=1e-9)
    assert got.sensitivity_gap == pytest.approx(-0.3)


def test_an_untested_rate_is_named() -> None:
    """An arm without fails leaves specificity untested, and the p is sensitivity's own."""
    got = differential_errors(((9, 10), (0, 0)), ((5, 10), (3, 4)))
    assert (got.p_specificity, got.specificity_gap) == (None, None)
    assert got.p == got.p_sensitivity
    assert "specificity" in got.reason
    assert differential_errors(((0, 0), (0, 0)), ((0, 0), (0, 0))).p is None
