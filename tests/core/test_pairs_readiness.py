"""The doctor says yes, not yet, or prompts first; and never yes for what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gitloop.core.pairs.agreement import measure, units_of
from gitloop.core.pairs.labelling import chosen_side
from gitloop.core.pairs.readiness import Facts, diagnose
from gitloop.params import PairAgreement, Readiness
from tests.paired import pair_rows

ROWS = pair_rows(40)
SAID = {
    row["pair_id"]: dict.fromkeys(("x", "y"), chosen_side(row["chosen"], row["rejected"]))
    for row in ROWS
}
STRATA = tuple(measure(units_of(ROWS), SAID, PairAgreement(), seed=0))
READY = Facts(
    n_conversations=200_000,
    days=30.0,
    n_pairs=900,
    n_train=800,
    n_prompts=400,
    per_route={"refund": 500, "account": 300},
    rubric_days={"grounded": 120},
    calibration={"grounded": ""},
    strata=STRATA,
    search="no improvement",
    judge_model="large",
    target_model="small",
)
POLICY = Readiness()


def test_everything_in_place_is_yes() -> None:
    """Volume, stable and calibrated rubrics, agreement, dense pairs, prompts exhausted."""
    found = diagnose(READY, POLICY)
    assert (found.verdict, found.reasons) == ("yes", ())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"n_conversations": 1000}, "1,000 conversations a month"),
        ({"rubric_days": {"grounded": 3}}, "grounded 3 days ago"),
        ({"rubric_days": {"grounded": None}}, "rubrics changed"),
        ({"rubric_days": {}}, "no rubric is pinned"),
        ({"calibration": {"grounded": "is not calibrated"}}, "a noisy reward: grounded is not"),
        ({"calibration": {}}, "no rubric is calibrated"),
        ({"strata": ()}, "no pair to agree on"),
        ({"strata": tuple(measure(units_of(ROWS), {}, PairAgreement(), seed=0))}, "unmeasured"),
        ({"n_train": 20}, "20 of 900 pairs may train"),
        ({"per_route": {"refund": 500, "account": 2}}, "account 2; 400 prompts, 2.0 pairs each"),
        ({"per_route": {}}, "no route has a pair"),
        ({"judge_model": "small"}, "the judge is the model to be tuned"),
        ({"search": "no headroom"}, "little left to tune"),
    ],
)
def test_one_thing_amiss_is_not_yet(change: dict[str, object], told: str) -> None:
    """Each is a reason of its own, in words."""
    found = diagnose(replace(READY, **change), POLICY)  # type: ignore[arg-type]
    assert found.verdict == "not yet"
    assert len(found.reasons) == 1
    assert told in found.reasons[0]


@pytest.mark.parametrize(
    "change",
    [
        {"search": ""},
        {"search": "proposed"},
        {"search": "too few rows"},
        {"n_conversations": 0},
        {"n_pairs": 0, "n_train": 0},
    ],
)
def test_prompts_come_first(change: dict[str, object]) -> None:
    """Untried or still gaining prompts, no traffic, no pair: weights can wait."""
    found = diagnose(replace(READY, **change), POLICY)  # type: ignore[arg-type]
    assert found.verdict == "use prompt optimisation first"


def test_a_short_span_is_scaled_to_a_month() -> None:
    """Fifty thousand in ten days are enough; a single busy hour is no month."""
    assert diagnose(replace(READY, n_conversations=50_000, days=10.0), POLICY).verdict == "yes"
    assert diagnose(replace(READY, n_conversations=3_000, days=0.01), POLICY).verdict == "not yet"
