"""The judge card, corrected pass rates, and thresholds over commits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss, cohen_kappa_score

from gitloop.core.calibrate import (
    Calibration,
    JudgeCard,
    Line,
    Recorded,
    estimate_rates,
    fit,
    judge_card,
    scored_items,
    threshold_history,
    thresholds,
)
from gitloop.records import Threshold, parse_thresholds
from tests.calibrated import PINS, evidence, policy
from tests.labelled import scores


def simulated(n: int = 300, seed: int = 0) -> tuple[dict[str, str], dict[str, float]]:
    """Verdicts of people, and scores of a judge that is right most of the time."""
    generator = np.random.default_rng(seed)
    passed = generator.random(n) < 0.6
    noise = generator.normal(0, 0.2, n)
    judged = np.clip(0.5 + np.where(passed, 0.2, -0.2) + noise, 0, 1).round(3)
    names = [f"t{row:04}" for row in range(n)]
    verdicts = {
        name: "pass" if verdict else "fail" for name, verdict in zip(names, passed, strict=True)
    }
    return verdicts, dict(zip(names, judged.tolist(), strict=True))


def card_of(verdicts: dict[str, str], judged: dict[str, float], **columns: Any) -> JudgeCard:  # noqa: ANN401
    """The card of a judge with these scores."""
    said = evidence(verdicts, **columns)
    given = scores(judged)
    card = judge_card(fit(said, given, policy()), scored_items(said, given))
    assert card is not None
    return card


def test_agreement_rests_on_rows_that_did_not_choose_the_line() -> None:
    """Kappa of the card is scikit-learn's kappa of the cross-fitted verdicts."""
    card = card_of(*simulated())
    counts = card.calibration.cross_fitted_confusion
    assert counts == card.confusion
    assert counts is not None
    judge = [1] * (counts.tp + counts.fp) + [0] * (counts.fn + counts.tn)
    people = [1] * counts.tp + [0] * counts.fp + [1] * counts.fn + [0] * counts.tn
    assert card.kappa.value == pytest.approx(cohen_kappa_score(judge, people), abs=1e-12)
    assert card.bias == pytest.approx((counts.fp - counts.fn) / 300)


def test_scores_as_probabilities() -> None:
    """Brier is scikit-learn's, and the bins hold every row once."""
    verdicts, judged = simulated()
    card = card_of(verdicts, judged)
    truth = [verdicts[name] == "pass" for name in judged]
    expected = brier_score_loss(truth, list(judged.values()))
    assert card.errors.brier == pytest.approx(expected, abs=1e-12)
    assert sum(found.n for found in card.bins) == 300
    assert sum(round((found.pass_rate or 0) * found.n) for found in card.bins) == sum(truth)


def test_long_answers_that_are_overrated_show() -> None:
    """A judge that adds to long answers has a length bias above zero; a fair one has none."""
    verdicts, judged = simulated()
    generator = np.random.default_rng(5)
    lengths = generator.integers(1, 200, len(judged))
    outputs = ["x" * int(length) for length in lengths]
    swayed = {
        name: float(np.clip(score + (length - 100) / 250, 0, 1))
        for (name, score), length in zip(judged.items(), lengths, strict=True)
    }
    fair = card_of(verdicts, judged, output=outputs).length_bias
    biased = card_of(verdicts, swayed, output=outputs).length_bias
    assert fair.interval is not None
    assert biased.interval is not None
    assert fair.interval.low < 0 < fair.interval.high
    assert biased.interval.low > 0.2


def test_a_route_where_the_judge_errs_is_named() -> None:
    """A judge that passes everything on one route errs differently there, and only there."""
    verdicts, judged = simulated()
    routes = ["refund" if n % 3 == 0 else "status" if n % 3 == 1 else "sales" for n in range(300)]
    lenient = {
        name: 0.9 if routes[n] == "refund" else score
        for n, (name, score) in enumerate(judged.items())
    }
    found = {
        part.value: part.p_adjusted
        for part in card_of(verdicts, lenient, route=routes).slices
        if part.column == "route"
    }
    assert found["refund"] is not None
    assert found["refund"] < 1e-6
    fair = card_of(verdicts, judged, route=routes).slices
    assert all(part.p_adjusted is None or part.p_adjusted > 0.05 for part in fair)


def test_the_widest_disagreement_comes_first() -> None:
    """Rows on which judge and people differ are ranked by how far the score is off the line."""
    card = card_of(*simulated())
    distances = [row.distance for row in card.disagreements]
    assert distances == sorted(distances, reverse=True)
    assert len(distances) == min(20, card.n_disagreements)
    line = card.calibration.threshold or 0.0
    assert all((row.score >= line) != (row.people == "pass") for row in card.disagreements)


def test_there_is_no_card_without_a_line() -> None:
    """A rubric that could not be calibrated has no card."""
    said, given = evidence({"t1": "pass"}), scores({"t1": 0.5})
    assert judge_card(fit(said, given, policy()), scored_items(said, given)) is None


def population(n: int, share: float, generator: np.random.Generator) -> pl.DataFrame:
    """Rows of which people would pass `share`, judged with sensitivity .9 and specificity .7."""
    people = generator.random(n) < share
    judge = np.where(people, generator.random(n) < 0.9, generator.random(n) >= 0.7)
    return pl.DataFrame(
        {
            "trace_id": [f"p{n}-{row}" for row in range(n)],
            "score": judge.astype(np.float64),
            "verdict": ["pass" if verdict else "fail" for verdict in people],
            "route": ["refund" if row % 2 else "status" for row in range(n)],
        }
    )


def test_corrected_rates_find_the_truth_that_the_judge_misses() -> None:
    """At 20 % passes a judge of that kind passes 42 %; both corrections come back to 20 %."""
    generator = np.random.default_rng(0)
    labelled, judged = population(400, 0.2, generator), population(4000, 0.2, generator)
    (found,), _ = estimate_rates(labelled, judged.drop("verdict"), Line(0.5, ">="))
    assert found.judged_rate == pytest.approx(0.42, abs=0.03)
    for corrected in (found.rogan_gladen, found.ppi):
        assert corrected.interval is not None
        assert corrected.interval.low < 0.2 < corrected.interval.high


def test_arms_on_which_the_judge_errs_differently_are_told() -> None:
    """Arms judged alike pass the test; a judge that is blind on one of them does not."""
    generator = np.random.default_rng(1)
    labelled, judged = population(600, 0.5, generator), population(600, 0.5, generator)
    blind = labelled.with_columns(
        score=pl.when(pl.col("route") == "refund").then(1.0).otherwise("score")
    )
    for rows, is_alike in ((labelled, True), (blind, False)):
        rates, (errors,) = estimate_rates(rows, judged, Line(0.5, ">="), "route")
        assert [rate.arm for rate in rates] == ["", "route=refund", "route=status"]
        assert errors.arms == ("refund", "status")
        assert errors.errors.p is not None
        assert (errors.errors.p > 0.05) == is_alike


def test_a_route_is_estimated_by_its_own_line() -> None:
    """A route with a line above every score passes nothing, and the whole passes half as much."""
    judged = population(400, 1.0, np.random.default_rng(2))
    plain, own = Line(0.5, ">="), Line(0.5, ">=", {"refund": 1.1})
    (whole, *_), _ = estimate_rates(judged, judged, plain, "route")
    (half, refund, status), _ = estimate_rates(judged, judged, own, "route")
    assert refund.judged_rate == 0.0
    assert half.judged_rate == status.judged_rate / 2
    assert whole.judged_rate == pytest.approx(status.judged_rate, abs=0.05)


def threshold(found: Calibration, **changes: Any) -> Threshold:  # noqa: ANN401
    """A calibration as a commit's thresholds.json gives it."""
    content = thresholds([found], {"grounded": PINS}, {})
    return replace(parse_thresholds(content)["grounded"], **changes)


def test_history_tells_drift_from_change() -> None:
    """A new judge is a change point, a line beyond the old interval drift, a repeat nothing."""
    verdicts, judged = simulated()
    first = threshold(fit(evidence(verdicts), scores(judged), policy()))
    assert first.interval is not None
    drifted = replace(first, threshold=first.interval.high + 0.05)
    commits = [first, first, replace(first, judge="openai/1:m", judge_sha256="c" * 64), drifted]
    recorded = [
        Recorded(str(n), f"commit {n}", "2026-05-18T08:00:00Z", {"grounded": one})
        for n, one in enumerate(commits)
    ]
    points = threshold_history(recorded)["grounded"]
    assert [(point.commit, point.changed, point.is_beyond) for point in points] == [
        ("0", (), False),
        ("2", ("judge",), False),
        ("3", ("judge",), True),
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rubric_version": "2", "rubric_sha256": "d" * 64, "judge_sha256": "e" * 64}, ("rubric",)),
        ({"rubric_sha256": "d" * 64, "judge_sha256": "e" * 64}, ("rubric's content",)),
        ({"judge_sha256": "e" * 64}, ("judge's parameters",)),
        ({"comparison": ">"}, ("comparison",)),
        ({"n": 400}, ()),
    ],
)
def test_history_names_what_changed(changes: dict[str, Any], told: tuple[str, ...]) -> None:
    """Of the pins that follow from each other, the first alone is named."""
    first = threshold(fit(evidence(simulated()[0]), scores(simulated()[1]), policy()))
    recorded = [
        Recorded("a", "", "", {"grounded": first}),
        Recorded("b", "", "", {"grounded": replace(first, **changes)}),
    ]
    assert threshold_history(recorded)["grounded"][1].changed == told
