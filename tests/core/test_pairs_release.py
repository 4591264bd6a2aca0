"""A tuned model ships when it gains, keeps what is not traded, and prefers what people prefer."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.pairs.release import (
    Preferred,
    gain_check,
    holdout_checks,
    is_number,
    veto_checks,
)
from gitloop.params import Release
from gitloop.records import Check
from gitloop.stats.multiplicity import spend

POLICY = Release(floor=0.6, min_pairs=10)


def pairs(n: int, groups: int | None = None) -> list[dict[str, Any]]:
    """Holdout pairs, each in a group of its own or in so many groups."""
    return [{"pair_id": f"p{i:03}", "groups": [f"g{i % (groups or n)}"]} for i in range(n)]


def right(n: int, n_right: int, first: int = 0) -> dict[str, tuple[float, float] | None]:
    """A model that is right about `n_right` pairs, from the `first` on."""
    return {
        f"p{i:03}": (-1.0, -2.0) if first <= i < first + n_right else (-2.0, -1.0) for i in range(n)
    }


def held(base: dict[str, Any], tuned: dict[str, Any], rows: list[dict[str, Any]]) -> list[Check]:
    """The checks on the holdout."""
    found = Preferred(rows, base, tuned)
    return holdout_checks(found, POLICY, alpha=0.05, max_error_rate=0.02)


def outcomes(found: list[Check]) -> list[tuple[str, str, int]]:
    """Kind, outcome and exit code of each."""
    return [(check.kind, check.outcome, check.exit_code) for check in found]


@pytest.mark.parametrize(
    ("n_base", "n_tuned", "expected"),
    [
        (50, 90, [("holdout", "pass", 0), ("ahead", "pass", 0)]),
        (50, 50, [("holdout", "fail", 2), ("ahead", "fail", 2)]),
        (90, 80, [("holdout", "pass", 0), ("ahead", "fail", 2)]),
        (60, 63, [("holdout", "inconclusive", 3), ("ahead", "inconclusive", 3)]),
    ],
)
def test_the_holdout_decides(n_base: int, n_tuned: int, expected: list[Any]) -> None:
    """Accuracy is held against the floor and against the base model, with intervals."""
    found = held(right(100, n_base), right(100, n_tuned), pairs(100))
    assert outcomes(found) == expected
    assert found[0].observed == n_tuned / 100
    assert found[0].interval is not None
    assert found[1].effect == pytest.approx((n_tuned - n_base) / 100)


def test_a_later_look_wants_more() -> None:
    """What the first look passes, against floor and base, a tenth one leaves open."""
    given = Preferred(pairs(100), right(100, 66, 5), right(100, 75))
    of_look = [
        outcomes(holdout_checks(given, POLICY, alpha=spend(0.05, n), max_error_rate=0.02))
        for n in (1, 10)
    ]
    assert of_look[0] == [("holdout", "pass", 0), ("ahead", "pass", 0)]
    assert of_look[1] == [("holdout", "inconclusive", 3), ("ahead", "inconclusive", 3)]


def test_a_tie_is_not_right() -> None:
    """Giving both answers the same is no preference."""
    flat = {f"p{i:03}": (-1.0, -1.0) for i in range(20)}
    assert held(flat, flat, pairs(20))[0].observed == 0.0


def test_pairs_of_one_group_widen_the_interval() -> None:
    """Twenty pairs of two conversations are not twenty facts."""
    alone = held(right(20, 5), right(20, 15), pairs(20))[0].interval
    grouped = held(right(20, 5), right(20, 15), pairs(20, groups=2))[0].interval
    assert alone is not None
    assert grouped is not None
    assert grouped.high - grouped.low > alone.high - alone.low


def test_missing_numbers_never_pass() -> None:
    """Above the error budget there is no verdict; too few pairs give none either."""
    tuned = right(100, 90) | {"p000": None, "p001": None, "p002": None}
    assert outcomes(held(right(100, 50), tuned, pairs(100)))[0] == ("errors", "error", 5)
    assert outcomes(held(right(9, 1), right(9, 9), pairs(9))) == [("holdout", "error", 5)]
    assert outcomes(held({}, {}, [])) == [("holdout", "error", 5)]


def cells(tuned: list[float], base: list[float], rubric: str = "grounded") -> pl.DataFrame:
    """Cells of one rubric."""
    return pl.DataFrame(
        {
            "row_id": [f"r{i:03}" for i in range(len(tuned))],
            "rubric": rubric,
            "group": list(range(len(tuned))),
            "verdict": tuned,
            "baseline": base,
            "score": tuned,
            "baseline_score": base,
        }
    )


def vetoed(tuned: list[float], base: list[float], noise: float = 0.05) -> Check:
    """The veto of the one rubric."""
    (found,) = veto_checks(
        cells(tuned, base), ["grounded"], {"grounded": noise}, alpha=0.05, seed=0
    )
    return found


@pytest.mark.parametrize(
    ("n_lost", "noise", "outcome"),
    [(0, 0.05, "pass"), (3, 0.05, "fail"), (2, 0.05, "inconclusive"), (6, 0.2, "fail")],
)
def test_a_critical_rubric_vetoes(n_lost: int, noise: float, outcome: str) -> None:
    """A loss beyond the noise floor vetoes, significant or not; so does a sure smaller one."""
    tuned = [0.0] * n_lost + [1.0] * (50 - n_lost)
    assert vetoed(tuned, [1.0] * 50, noise).outcome == outcome


def test_a_veto_without_a_verdict_blocks() -> None:
    """A rubric that nobody judged rules no loss out."""
    (found,) = veto_checks(cells([], []), ["refusal"], {}, alpha=0.05, seed=0)
    assert (found.outcome, found.exit_code) == ("error", 5)


@pytest.mark.parametrize(("gain", "outcome"), [(0.2, "pass"), (0.0, "fail"), (-0.1, "fail")])
def test_the_average_must_gain(gain: float, outcome: str) -> None:
    """No gain on average is no reason to ship."""
    base = [0.5 + (i % 3) / 100 for i in range(30)]
    tuned = [value + gain + (i % 2) / 1000 - 0.0005 for i, value in enumerate(base)]
    tuned = base if gain == 0 else tuned
    assert gain_check(cells(tuned, base), alpha=0.05, seed=0).outcome == outcome
    empty = gain_check(cells([], []), alpha=0.05, seed=0)
    assert (empty.outcome, empty.exit_code) == ("error", 5)


@given(st.lists(st.booleans(), min_size=10, max_size=40), st.integers(0, 9))
def test_a_model_is_never_ahead_of_itself(is_right: list[bool], flip: int) -> None:
    """Equal models fail "ahead"; one more right pair never lowers the accuracy."""
    same = {f"p{i:03}": (1.0, 0.0) if ok else (0.0, 1.0) for i, ok in enumerate(is_right)}
    rows = pairs(len(is_right))
    before = held(same, same, rows)
    assert before[-1].outcome == "fail"
    better = same | {f"p{flip:03}": (1.0, 0.0)}
    assert (held(same, better, rows)[0].observed or 0) >= (before[0].observed or 0)


def test_what_a_number_is() -> None:
    """NaN, infinity, text and truth values are none."""
    assert [is_number(value) for value in (1, -2.5, math.nan, math.inf, "1", True, None)] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip
