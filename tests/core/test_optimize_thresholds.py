"""Another line for a judge: chosen on the curve, decided by labels that chose nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.optimize import (
    Acceptance,
    ScoredLabel,
    choose_line,
    judge_line,
    pin_threshold,
)
from gitloop.core.optimize.thresholds import weigh
from gitloop.documents import parse
from gitloop.errors import ConfigError
from gitloop.stats.thresholds import Objective, SweepPolicy, decimal_grid

POLICY = SweepPolicy(decimal_grid(), Objective("accuracy"))
ACCEPTANCE = Acceptance(alpha=0.05, min_delta=0.02, noise_floor=0.03, max_length_ratio=1.0)


def label(n: int, score: float, is_pass: bool, split: str) -> ScoredLabel:
    """One labelled output, in a group of its own."""
    return ScoredLabel(f"{split}{n:03}", score, is_pass, split, f"{split}{n}", "all")


def world(n: int, line: float = 0.6) -> list[ScoredLabel]:
    """In each split n outputs with scores all over, which people pass from a line on."""
    scores = [(k * 37 % 100) / 100 for k in range(n)]
    splits = ("train", "val", "holdout")
    return [label(k, s, s >= line, split) for split in splits for k, s in enumerate(scores)]


def held(labels: list[ScoredLabel]) -> list[ScoredLabel]:
    """The holdout's."""
    return [one for one in labels if one.split == "holdout"]


def test_a_better_line_is_found_and_holds_on_the_holdout() -> None:
    """A line at .4 passes what people fail; the one at .6 agrees with them, and that is shown."""
    labels = world(40)
    choice = choose_line(labels, 0.4, POLICY, 0.02)
    assert (choice.found, choice.found_value, choice.n) == (0.6, 1.0, 80)
    verdict = judge_line(held(labels), choice, POLICY, ACCEPTANCE)
    assert (verdict.is_accepted, verdict.broken) == (True, ())
    assert verdict.gain == pytest.approx(len(verdict.fixed) / 40)


def test_the_line_in_force_wins_every_tie() -> None:
    """Where it is as good as any, and where the gain is within min_delta, nothing is looked at."""
    assert choose_line(world(40), 0.6, POLICY, 0.02).found is None
    assert choose_line(world(40), 0.4, POLICY, 0.5).found is None


def test_a_line_that_luck_chose_is_not_proposed() -> None:
    """What the curve promises and the holdout does not show is no proposal."""
    labels = [one for one in world(40) if one.split != "holdout"]
    labels += [one for one in world(40, line=0.4) if one.split == "holdout"]
    choice = choose_line(labels, 0.4, POLICY, 0.02)
    verdict = judge_line(held(labels), choice, POLICY, ACCEPTANCE)
    assert choice.found == 0.6
    assert not verdict.is_accepted
    assert "does not exceed" in verdict.reasons[0]


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.1, 20))
def test_what_items_count_is_one_on_average(passed: list[bool], cost: float) -> None:
    """Under every objective, so that gains are comparable; balanced accuracy evens the verdicts."""
    labels = [label(k, 0.5, is_pass, "holdout") for k, is_pass in enumerate(passed)]
    for name in ("accuracy", "balanced_accuracy", "cost", "f1"):
        weights = weigh(labels, Objective(name, cost_false_pass=cost))
        assert math.fsum(weights.values()) == pytest.approx(len(labels))
    balanced = weigh(labels, Objective("balanced_accuracy"))
    of_pass = math.fsum(balanced[one.item_id] for one in labels if one.is_pass)
    assert of_pass in (0.0, pytest.approx(len(labels) / 2), pytest.approx(len(labels)))


@pytest.mark.parametrize(
    "text",
    [
        'rubrics:\n  grounded:\n    version: "1"   # yours\n    judge: {use: local}\n',
        'rubrics:\n  grounded: {version: "1", judge: {use: local}}\n',
        'rubrics:\n  grounded:\n    threshold: 0.5  # old\n    version: "1"\n',
        'seed: 7\nrubrics: {grounded: {version: "1"}}   # all in one line\n',
    ],
)
def test_a_threshold_is_pinned_in_place(text: str) -> None:
    """Whatever the form, only the threshold of that rubric changes; comments stay."""
    made = pin_threshold(text, "grounded", 0.75)
    before, after = parse(text, source="p").value, parse(made, source="p").value
    assert after["rubrics"]["grounded"].pop("threshold") == 0.75
    before["rubrics"]["grounded"].pop("threshold", None)
    assert after == before
    assert made.count("#") == text.count("#")


def test_a_form_that_only_a_person_can_edit_is_left_alone() -> None:
    """An anchor that two rubrics share is not torn apart; the edit to make is named."""
    text = 'rubrics:\n  a: &one {judge: {use: local}, "version": "1"}\n  grounded: *one\n'
    with pytest.raises(ConfigError, match="cannot be edited") as refused:
        pin_threshold(text, "grounded", 0.75)
    assert "by hand" in refused.value.hint
