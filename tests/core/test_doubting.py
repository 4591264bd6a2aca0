"""What to label next: boundary cases, and passes that people complained about."""

from __future__ import annotations

from typing import Any

import polars as pl

from gitloop.core.doubting import by_boundary, by_disagreement
from gitloop.tables import MEMBERS, SCORES


def members(margins: dict[str, float | None]) -> pl.DataFrame:
    """Failures of one cluster, with margins."""
    rows: list[dict[str, Any]] = [
        {
            "trace_id": trace_id,
            "cluster_id": "c-1",
            "probability": 1.0,
            "runner_up": None if margin is None else "c-2",
            "margin": margin,
            "is_soft": False,
            "weight": 1.0,
            "text": "x",
            "feedback_ids": [],
        }
        for trace_id, margin in margins.items()
    ]
    return pl.DataFrame(rows, schema=MEMBERS.schema)


def score(
    item_id: str, value: float | None, status: str = "ok", rubric: str = "r"
) -> dict[str, Any]:
    """A judge's score of a trace."""
    return {"item_id": item_id, "rubric": rubric, "status": status, "score": value}


def test_the_nearest_to_the_line_comes_first() -> None:
    """Margins rise, doubts fall; without a second choice there is no line."""
    found = by_boundary(members({"a": 0.9, "b": -0.1, "c": 0.2, "d": None}))
    assert [one.trace_id for one in found] == ["b", "c", "a"]
    assert [one.doubt for one in found] == [1.0, 0.8, 0.1]


def test_a_confident_pass_of_a_failure_comes_first() -> None:
    """Passes by their height above the line, then fails by their nearness to it."""
    rows: list[dict[str, Any]] = [
        score("a", 0.1),
        score("b", 0.95),
        score("c", 0.59),
        score("d", 0.7),
        score("e", None, "error"),
        score("stranger", 1.0),
        score("a", 1.0, rubric="uncalibrated"),
    ]
    scores = SCORES.complete(pl.DataFrame(rows, schema_overrides={"score": pl.Float64}))
    found = by_disagreement(members(dict.fromkeys("abcde", 0.5)), scores, {"r": 0.6})
    assert [one.trace_id for one in found] == ["b", "d", "c", "a"]
    assert all(one.doubt >= 0.5 for one in found[:2])
    assert all(one.doubt < 0.5 for one in found[2:])
    assert found[0].reason == "r passes it: 0.95, line 0.60"
