"""Which traces failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.failures import failures
from gitloop.params import Failures
from gitloop.tables import JOINED, SIGNAL_TYPES

AT = datetime(2026, 5, 4, tzinfo=UTC)


def joined(*events: tuple[str, str, float | None]) -> pl.DataFrame:
    """Joined events of (trace, signal, value)."""
    rows: list[dict[str, Any]] = [
        {
            "feedback_id": f"f{n}",
            "trace_id": trace,
            "signal_type": signal,
            "signal_class": SIGNAL_TYPES[signal],
            "value": value,
            "created_at": AT,
            "group_id": trace,
            "input": f"question {trace}",
            "output": f"answer {trace}",
            "comment": f"comment {n}",
        }
        for n, (trace, signal, value) in enumerate(events)
    ]
    return JOINED.order(JOINED.complete(pl.DataFrame(rows, schema_overrides=dict(JOINED.schema))))


def test_weights_of_one_trace_add_up() -> None:
    """Two weak signals make a failure that one does not."""
    found = failures(
        joined(("a", "abandon", None), ("b", "abandon", None), ("b", "retry", None)),
        Failures(),
        ("input", "output"),
    )
    assert found.select("trace_id", "weight", "text").to_dicts() == [
        {"trace_id": "b", "weight": 1.0, "text": "question b\nanswer b"}
    ]
    assert found["feedback_ids"].to_list() == [["f1", "f2"]]


def test_low_ratings_and_scores_count_as_thumbs_down() -> None:
    """A rating under the line is a failure; one on it, or without a value, is not."""
    found = failures(
        joined(
            ("a", "rating", 2.0),
            ("b", "rating", 3.0),
            ("c", "rating", None),
            ("d", "rubric_score", 0.4),
            ("e", "thumbs_up", None),
        ),
        Failures(),
        ("input",),
    )
    assert found["trace_id"].to_list() == ["a", "d"]


def test_comments_belong_to_the_text_when_asked_for() -> None:
    """All comments of a trace's weighty events, in order."""
    found = failures(
        joined(("a", "thumbs_down", None), ("a", "edit", None)), Failures(), ("comment",)
    )
    assert found["text"].to_list() == ["comment 0\ncomment 1"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(sorted(SIGNAL_TYPES)))))
def test_every_failure_weighs_enough_and_stands_once(events: list[tuple[str, str]]) -> None:
    """No trace stands twice, and none below the line stands at all."""
    if not events:
        return
    found = failures(joined(*[(t, s, None) for t, s in events]), Failures(), ("input",))
    assert found["trace_id"].is_unique().all()
    assert (found["weight"] >= 0.5).all()
