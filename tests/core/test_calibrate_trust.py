"""How far a calibrated judge can be trusted: held-out people, abstention, routes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.calibrate import LabelRules, fit, gather, thresholds
from gitloop.core.calibrate.abstention import abstention, conformal_confidence
from gitloop.records import parse_thresholds
from gitloop.stats.holdout import is_held_out
from tests.calibrated import GROUNDED, PINS, calibrated, codes, evidence, policy
from tests.labelled import label, labels, scores, traces

NAMES = [f"t{n:03}" for n in range(200)]
HELD = [name for name in NAMES if is_held_out(name, 0.3)]


@given(groups=st.lists(st.text(min_size=1), unique=True, min_size=1))
def test_the_holdout_is_for_life(groups: list[str]) -> None:
    """A higher rate keeps what a lower one held out; 0 holds out nothing."""
    for group in groups:
        if is_held_out(group, 0.2):
            assert is_held_out(group, 0.5)
        assert not is_held_out(group, 0.0)


def test_the_holdout_has_its_share() -> None:
    """Of many groups, the asked share is held out."""
    share = np.mean([is_held_out(f"group {n}", 0.3) for n in range(20_000)])
    assert share == pytest.approx(0.3, abs=0.01)


def held_out(flipped: set[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Labels of two people and a judge's scores; people are of the other mind on `flipped`."""
    rows = []
    for n, name in enumerate(NAMES):
        verdict = "pass" if (n % 2 == 0) != (name in flipped) else "fail"
        rows += [label(name, verdict), label(name, verdict, "bo")]
    return labels(rows), scores({name: 0.8 - 0.6 * (n % 2) for n, name in enumerate(NAMES)})


def test_held_out_labels_choose_no_threshold() -> None:
    """Turning every held-out label around changes nothing but the check on the holdout."""
    rules = LabelRules("1", 0.6, holdout_rate=0.3)
    found = []
    for flipped in (set(), set(HELD)):
        given_labels, judged = held_out(flipped)
        said = gather(given_labels, traces(NAMES), GROUNDED, rules)
        found.append(fit(said, judged, policy()))
    honest, turned = found
    assert honest.n == turned.n == len(NAMES) - len(HELD)
    bare = [replace(one, label_sha256="", holdout=None, findings=()) for one in found]
    assert bare[0] == bare[1]
    assert honest.holdout is not None
    assert turned.holdout is not None
    assert (honest.holdout.n_disagree, turned.holdout.n_disagree) == (0, len(HELD))


def test_a_judge_that_leaves_people_behind_alarms() -> None:
    """More disagreement on the holdout than among people is a warning; as much is none."""
    rules = LabelRules("1", 0.6, holdout_rate=0.3)
    given_labels, judged = held_out(set(HELD[::3]))
    found = fit(
        gather(given_labels, traces(NAMES), GROUNDED, rules), judged, policy(holdout_rate=0.3)
    )
    assert found.holdout is not None
    assert found.holdout.is_alarming
    assert "holdout_alarm" in {finding.code for finding in found.findings}
    quiet = fit(
        gather(held_out(set())[0], traces(NAMES), GROUNDED, rules), judged, policy(holdout_rate=0.3)
    )
    assert "holdout_alarm" not in {finding.code for finding in quiet.findings}


def test_a_holdout_that_can_raise_no_alarm_is_told() -> None:
    """Without a held-out item, or without an item that two people labelled, nothing can alarm."""
    given_labels, judged = held_out(set())
    alone = given_labels.filter(pl.col("annotator") == "amara")
    asked = policy(holdout_rate=0.3)
    for rate, rows, code in (
        (0.0, given_labels, "empty_holdout"),
        (0.3, alone, "holdout_without_baseline"),
    ):
        said = gather(rows, traces(NAMES), GROUNDED, LabelRules("1", 0.6, holdout_rate=rate))
        assert code in codes(fit(said, judged, asked))
        assert code not in codes(fit(said, judged, policy()))


def test_a_judge_abstains_near_the_line() -> None:
    """Errors near the line cost coverage, and those kept keep the promise."""
    generator = np.random.default_rng(1)
    gaps = generator.uniform(0, 0.5, 2000)
    errors = generator.random(2000) < 0.4 * np.exp(-gaps * 12)
    found = abstention(gaps, errors, 0.02)
    assert found.confidence is not None
    kept = gaps >= found.confidence
    assert 0.3 < found.coverage < 1.0
    assert (int(kept.sum()), int(errors[kept].sum())) == (found.n_kept, found.n_errors)
    assert found.n_errors / found.n_kept <= 0.02


def test_too_few_rows_promise_nothing() -> None:
    """Ten rows without an error do not show that errors are rarer than 5 %."""
    found = abstention(np.linspace(0, 1, 10), np.zeros(10, dtype=np.bool_), 0.05)
    assert (found.confidence, found.coverage) == (None, 0.0)
    assert "no share of 10 labelled rows" in found.reason


def test_split_conformal_needs_its_rows_and_takes_its_rank() -> None:
    """The quantile is the ceil((n + 1)(1 - a))-th nonconformity: for .1, of nine rows or more."""
    none, gaps = np.zeros(8, dtype=np.bool_), np.linspace(0.1, 0.8, 8)
    assert conformal_confidence(gaps, none, 0.1) is None
    assert conformal_confidence(np.linspace(0.1, 0.9, 9), np.zeros(9, dtype=np.bool_), 0.1) == 0.0
    errors = np.arange(19) < 3  # the nearest three are wrong: the 18th of 19 is the second of them
    found = conformal_confidence(np.arange(1, 20) / 20.0, errors, 0.1)
    assert found == pytest.approx(0.15)


def test_split_conformal_keeps_its_promise_on_average() -> None:
    """Over simulated judges, of all new rows at most a tenth is decided wrongly."""
    wrong = []
    for seed in range(400):
        generator = np.random.default_rng(seed)
        gaps = generator.uniform(0, 0.5, 60)
        flawed = generator.random(60) < 0.45 * np.exp(-gaps * 4)
        confidence = conformal_confidence(gaps[:-1], flawed[:-1], 0.1)
        assert confidence is not None
        wrong.append(bool(flawed[-1] and gaps[-1] >= confidence))
    assert np.mean(wrong) <= 0.1 + 0.03


@pytest.mark.slow
def test_the_promise_holds_as_often_as_it_says() -> None:
    """Over simulated judges the kept rows' true error exceeds the promise in about 10 % at most."""
    broken = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        gaps = generator.uniform(0, 0.5, 300)
        rates = 0.35 * np.exp(-gaps * 8)
        found = abstention(gaps, generator.random(300) < rates, 0.1)
        if found.confidence is not None:
            fine = np.linspace(found.confidence, 0.5, 1000)
            broken += float((0.35 * np.exp(-fine * 8)).mean()) > 0.1
    assert broken / 300 <= 0.13


def test_a_calibration_promises_when_asked() -> None:
    """With `max_judge_error` a calibration says how near the line the judge should abstain."""
    generator = np.random.default_rng(2)
    passed = generator.random(400) < 0.5
    judged = np.clip(0.5 + np.where(passed, 0.2, -0.2) + generator.normal(0, 0.15, 400), 0, 1)
    args = (judged.round(4).tolist(), passed.tolist())
    found = calibrated(*args, max_judge_error=0.05).abstention
    assert calibrated(*args).abstention is None
    assert found is not None
    assert found.confidence is not None
    assert found.n_errors / found.n_kept <= 0.05


def test_each_route_has_its_line_when_asked() -> None:
    """Routes that a judge scores differently get thresholds of their own; the rest, the whole's."""
    names = [f"t{n:03}" for n in range(160)]
    routes = ["refund" if n < 80 else "status" for n in range(160)]
    said = evidence(
        {name: "pass" if n % 2 else "fail" for n, name in enumerate(names)}, route=routes
    )
    lift = {"refund": 0.0, "status": 0.3}
    judged = {name: 0.35 + 0.2 * (n % 2) + lift[routes[n]] for n, name in enumerate(names)}
    found = fit(said, scores(judged), policy(by_route=True))
    lines = {route: part.threshold for route, part in found.routes.items()}
    read = parse_thresholds(thresholds([found], {"grounded": PINS}, {}))["grounded"]
    assert lines == {"refund": 0.45, "status": 0.75}
    assert (read.on("refund"), read.on("status"), read.on("sales")) == (0.45, 0.75, found.threshold)
    assert fit(said, scores(judged), policy()).routes == {}
