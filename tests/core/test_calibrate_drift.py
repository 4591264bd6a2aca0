"""Drift of a judge: noise is no change, a change is one, and failures are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from gitloop.core.calibrate import drift, thresholds
from gitloop.records import Threshold, parse_thresholds
from tests.calibrated import PINS, calibrated

Scores = Sequence[float | None]

LINE: Threshold = replace(
    parse_thresholds(
        thresholds([calibrated([0.2, 0.8] * 20, [False, True] * 20)], {"grounded": PINS}, {})
    )["grounded"],
    threshold=0.5,
)


def anchors(before: Scores, now: Scores, again: Scores | None = None) -> pl.DataFrame:
    """Anchors with these scores."""
    n = len(before)
    return pl.DataFrame(
        {
            "trace_id": [f"t{row:03}" for row in range(n)],
            "route": ["refund"] * n,
            "before": before,
            "now": now,
            "reason": ["because"] * n,
            "again": [None] * n if again is None else again,
        },
        schema_overrides={"before": pl.Float64, "now": pl.Float64, "again": pl.Float64},
    )


def test_the_same_scores_are_no_change() -> None:
    """A judge that says the same again has not changed, and agrees with itself."""
    scores = [0.2, 0.8] * 20
    found = drift(anchors(scores, scores, scores), LINE, "continuous", 0.01)
    assert found is not None
    assert (found.has_changed, found.p, found.flips, found.kappa.value) == (False, 1.0, (), 1.0)


def test_a_judge_that_turned_lenient_has_changed() -> None:
    """Fails that pass now are flips, a shift, and a change."""
    before = [0.2, 0.8] * 20
    now = [0.7 if row % 4 == 0 else score for row, score in enumerate(before)]
    found = drift(anchors(before, now, now), LINE, "continuous", 0.01)
    assert found is not None
    assert found.has_changed
    assert (len(found.flips), found.pass_before, found.pass_now) == (10, 0.5, 0.75)
    assert (found.odd.n_first, found.odd.n_split) == (10, 10) if found.odd else False
    assert found.flips[0].trace_id == "t000"


def test_flips_both_ways_are_a_change_too() -> None:
    """A judge that flips as many up as down has no shift, and still stands apart from itself."""
    before = [0.2, 0.8] * 20
    now = [1 - score if row % 3 == 0 else score for row, score in enumerate(before)]
    found = drift(anchors(before, now, now), LINE, "continuous", 0.01)
    assert found is not None
    assert found.shift.p > 0.5
    assert found.has_changed


def test_a_pure_judge_may_not_move_at_all() -> None:
    """Of a judge without noise one changed score is a change, though no verdict flipped."""
    before = [0.2, 0.8] * 20
    found = drift(anchors(before, [0.21, *before[1:]]), LINE, "continuous", 0.01)
    assert found is not None
    assert (found.has_changed, found.flips, found.n_noise) == (True, (), None)


def test_failures_are_counted_and_left_out() -> None:
    """An anchor without a new judgement is no flip; with none at all there is nothing to say."""
    before = [0.2, 0.8, 0.2, 0.8]
    found = drift(anchors(before, [None, *before[1:]], before), LINE, "continuous", 0.01)
    assert found is not None
    assert (found.n, found.n_failed, found.flips) == (3, 1, ())
    assert drift(anchors(before, [None] * 4, before), LINE, "continuous", 0.01) is None


def test_grades_shift_where_verdicts_do_not() -> None:
    """An ordinal judge that gives 0.75 for what was 1.0 shifts, though both pass."""
    before = [0.25, 1.0] * 20
    now = [0.25, 0.75] * 20
    found = drift(anchors(before, now, now), LINE, "ordinal", 0.01)
    assert found is not None
    assert (found.flips, found.shift.df, found.has_changed) == ((), 1, True)


def test_noise_alone_is_rarely_called_a_change() -> None:
    """A judge whose verdicts flip by chance is called changed no more often than alpha says."""
    generator = np.random.default_rng(5)
    chances = generator.beta(0.6, 0.6, 50)
    called = 0
    for _ in range(200):
        draws = [(generator.random(50) < chances).astype(float).tolist() for _ in range(3)]
        found = drift(anchors(draws[0], draws[1], draws[2]), LINE, "binary", 0.05)
        called += found is not None and found.has_changed
    assert called <= 16
