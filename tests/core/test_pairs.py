"""Preference pairs: only what somebody preferred, each once, counted when left out."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.pairs import Preference, build, from_clusters, from_scores, from_votes, split_of
from gitloop.tables import MEMBERS, PAIRS, SCORES, VOTES


def trace(trace_id: str, output: str | None, question: str = "Q") -> dict[str, Any]:
    """A trace, as far as pairs look at it."""
    return {
        "trace_id": trace_id,
        "input": question,
        "context": None,
        "output": output,
        "group_id": f"g-{trace_id}",
        "route": "refund",
        "user_cohort": "pro",
    }


def votes(*cast: tuple[str, str]) -> pl.DataFrame:
    """Votes on the pair of traces a and b."""
    rows = [
        {"pair_id": "p", "trace_id_a": "a", "trace_id_b": "b", "winner": winner, "annotator": who}
        for who, winner in cast
    ]
    return pl.DataFrame(rows, schema=VOTES.schema)


TRACES = {"a": trace("a", "good"), "b": trace("b", "bad")}


def test_a_majority_is_a_pair_with_its_margin() -> None:
    """Two of three voters prefer b: b is chosen, the margin is a third, the two are named."""
    found, dropped = from_votes(votes(("x", "b"), ("y", "b"), ("z", "a")), TRACES)
    assert [(one.chosen, one.rejected, one.margin, one.annotators) for one in found] == [
        ("bad", "good", 0.333333, ("x", "y"))
    ]
    assert dropped == {}


def test_ties_and_split_votes_are_no_pairs() -> None:
    """Nobody is taught by a coin flip."""
    assert from_votes(votes(("x", "tie"), ("y", "tie")), TRACES) == ([], {"no majority": 1})
    assert from_votes(votes(("x", "a"), ("y", "b")), TRACES) == ([], {"no majority": 1})
    assert from_votes(votes(("x", "a")), {}) == ([], {"a trace is unknown": 1})


def test_a_failure_is_paired_with_what_a_person_wrote() -> None:
    """Only a person's own text is chosen over a cluster's member, and the cluster is kept."""
    rows: list[dict[str, Any]] = [
        {"trace_id": t, "cluster_id": c, "probability": 1.0, "weight": 1.0, "text": "",
         "feedback_ids": []}
        for t, c in (("a", "c-1"), ("b", None))
    ]  # fmt: skip
    members = MEMBERS.complete(pl.DataFrame(rows)).select(MEMBERS.schema.names())
    found = from_clusters(members, TRACES, {"a": ("better", "amara"), "b": ("x", "bo")})
    assert [(one.chosen, one.rejected, one.place[2], one.annotators) for one in found] == [
        ("better", "good", "c-1", ("amara",))
    ]


def test_scores_pair_answers_to_one_prompt_only() -> None:
    """The best answer to a prompt is chosen over the others; another prompt's answer is not."""
    traces = TRACES | {"c": trace("c", "else", "another question")}
    rows = [
        {"item_id": t, "rubric": "g", "rubric_version": "1", "rubric_sha256": "",
         "judge": "local/1", "replicate": 0, "status": "ok", "score": s}
        for t, s in (("a", 0.9), ("b", 0.2), ("c", 0.1))
    ]  # fmt: skip
    scores = SCORES.complete(pl.DataFrame(rows)).select(SCORES.schema.names())
    assert [
        (one.chosen_id, one.rejected_id, one.margin) for one in from_scores(scores, traces, "g")
    ] == [("a", "b", 0.7)]


def test_what_is_left_out_is_counted_by_reason() -> None:
    """Missing texts, equal answers, small margins and repeats each have a count."""
    good = Preference("votes", "p", "x", "y", 0.5, "a", "b", "g", (), (None, None, None))
    wanting = [
        ("x", None, 0.5),
        ("x ", "x", 0.5),
        ("x", "z", 0.05),
        ("x", "y", 0.5),
    ]
    others = [
        Preference("votes", "p", chosen, rejected, margin, "a", "b", "g", (), (None, None, None))
        for chosen, rejected, margin in wanting
    ]
    built = build([good, *others], min_margin=0.1, holdout_rate=0.1)
    assert built.pairs.height == 1
    assert PAIRS.problems(built.pairs) == []
    assert built.dropped == {
        "a text is missing": 1,
        "both answers are the same": 1,
        "the margin is too small": 1,
        "the same pair again": 1,
    }


@given(st.text(), st.floats(0, 0.99))
def test_a_group_never_changes_side(group_id: str, rate: float) -> None:
    """The split follows from the group alone, and a larger holdout keeps whom it had."""
    if split_of(group_id, rate) == "holdout":
        assert split_of(group_id, min(rate + 0.005, 1.0)) == "holdout"
