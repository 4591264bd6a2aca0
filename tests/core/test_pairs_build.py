"""Preference pairs: only what somebody preferred to the same prompt, counted when left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.pairs import (
    Line,
    Remedies,
    Rerun,
    Written,
    failures_of,
    from_clusters,
    from_scores,
    from_sessions,
    from_thumbs,
    from_votes,
    known_scores,
    outcomes_of,
    rewards,
    split_of,
    worth_judging,
)
from gitloop.core.pairs.preferences import Found, Preference
from gitloop.tables import JOINED, MEMBERS, PAIRS, SCORES
from tests.paired import AT, built, preference, trace, votes

TRACES = {"a": trace("a", "good"), "b": trace("b", "bad")}
LINES = {"g": Line(0.5, ">=", 0.05), "h": Line(0.5, ">=", 0.05)}


def pair_of(one: Preference) -> tuple[str | None, str | None]:
    """Chosen and rejected."""
    return one.chosen, one.rejected


def test_a_majority_is_a_pair_with_its_margin() -> None:
    """Two of three voters prefer b: b is chosen, the margin is a third, the two are named."""
    found = from_votes(votes(("x", "b"), ("y", "b"), ("z", "a")), TRACES)
    (one,) = found.preferences
    assert (pair_of(one), one.margin, one.annotators) == (("bad", "good"), 0.333333, ("x", "y"))
    assert found.dropped == {}


@pytest.mark.parametrize(
    ("cast", "traces", "reason"),
    [
        ((("x", "tie"), ("y", "tie")), TRACES, "no majority"),
        ((("x", "a"), ("y", "b")), TRACES, "no majority"),
        ((("x", "a"),), {}, "a trace is unknown"),
    ],
)
def test_ties_and_split_votes_are_no_pairs(
    cast: tuple[tuple[str, str], ...], traces: dict[str, Any], reason: str
) -> None:
    """Nobody is taught by a coin flip."""
    found = from_votes(votes(*cast), traces)
    assert (found.preferences, found.dropped) == ((), {reason: 1})


def members(*of: tuple[str, str | None]) -> pl.DataFrame:
    """Failures with their clusters."""
    rows: list[dict[str, Any]] = [
        {"trace_id": t, "cluster_id": c, "probability": 1.0, "weight": 1.0, "text": "",
         "feedback_ids": []}
        for t, c in of
    ]  # fmt: skip
    return MEMBERS.complete(pl.DataFrame(rows)).select(MEMBERS.schema.names())


def remedied(
    traces: dict[str, Any],
    written: dict[str, Written] | None = None,
    known: dict[str, dict[str, float]] | None = None,
    reruns: dict[str, Rerun] | None = None,
) -> Found:
    """What path B makes of the one failure b."""
    failed = failures_of(members(("b", "c-1"), ("noise", None)), traces)
    remedies = Remedies(written or {}, known or {}, reruns or {}, frozenset({"b", "noise"}))
    return from_clusters(failed, traces, remedies, LINES, holdout_rate=0.0)


def test_a_failure_is_paired_with_what_a_person_wrote() -> None:
    """A person's own text is chosen over a cluster's member, and the cluster is kept."""
    (one,) = remedied(TRACES, {"b": Written("better", ("amara",))}).preferences
    assert pair_of(one) == ("better", "bad")
    assert (one.place.cluster_id, one.verified_by, one.annotators) == ("c-1", "edit", ("amara",))


def test_a_passing_trace_answers_a_failure() -> None:
    """An answer to the same prompt that passes the rubrics is chosen; the margin is theirs."""
    (one,) = remedied(TRACES, known={"a": {"g": 0.9}, "b": {"g": 0.2}}).preferences
    assert (pair_of(one), one.verified_by, one.margin) == (("good", "bad"), "trace", 0.7)
    failing = remedied(TRACES, known={"a": {"g": 0.4}, "b": {"g": 0.2}})
    assert failing.dropped == {"no verified answer": 1}


def test_a_failure_is_no_remedy() -> None:
    """A trace with a signal of failure is never chosen, however well a rubric scores it."""
    traces = {"b": TRACES["b"], "noise": trace("noise", "nice words")}
    found = remedied(traces, known={"noise": {"g": 1.0}, "b": {"g": 0.0}})
    assert found.dropped == {"no verified answer": 1}


@pytest.mark.parametrize(
    ("rerun", "known", "reason"),
    [
        (Rerun("fixed", {"g": 0.3}), {"g": 0.2}, "the application's answer now does not pass"),
        (Rerun("fixed", {}), {"g": 0.2}, "the application's answer now does not pass"),
        (Rerun("bad ", {"g": 0.9}), {"g": 0.2}, "the application still says the same"),
        (Rerun("fixed", {"g": 0.9}), {"g": 0.9}, "the rubrics see no difference to the failure"),
        (Rerun("fixed", {"g": 0.9}), {}, "the rubrics see no difference to the failure"),
    ],
)
def test_a_fix_is_chosen_only_when_it_was_run_and_passes(
    rerun: Rerun, known: dict[str, float], reason: str
) -> None:
    """An answer that nobody judged, that fails, or that changes nothing verifies no fix."""
    assert remedied(TRACES, known={"b": known}, reruns={"b": rerun}).dropped == {reason: 1}


def test_a_verified_rerun_is_chosen() -> None:
    """What the application says now is chosen where the rubric passes it and not the failure."""
    found = remedied(
        {"b": TRACES["b"]}, known={"b": {"g": 0.2}}, reruns={"b": Rerun("fixed", {"g": 0.9})}
    )
    (one,) = found.preferences
    assert (one.chosen, one.verified_by, one.margin, one.chosen_id) == ("fixed", "rerun", 0.7, None)


def scores(*given: tuple[str, str, float]) -> pl.DataFrame:
    """Scores of traces."""
    rows = [
        {"item_id": t, "rubric": r, "rubric_version": "1", "rubric_sha256": "",
         "judge": "local/1", "replicate": 0, "status": "ok", "score": s}
        for t, r, s in given
    ]  # fmt: skip
    return SCORES.complete(pl.DataFrame(rows)).select(SCORES.schema.names())


def scored(traces: dict[str, Any], *given: tuple[str, str, float], most: int = 4) -> Found:
    """What path A makes of the scores."""
    known = known_scores(scores(*given))
    return from_scores(known, traces, LINES, holdout_rate=0.0, most=most)


def test_scores_pair_answers_to_one_prompt_only() -> None:
    """A passing answer is chosen over a failing one to the same prompt; case is no difference."""
    traces = {
        "a": trace("a", "good", "What now?"),
        "b": trace("b", "bad", "what  now"),
        "c": trace("c", "else", "another question"),
    }
    found = scored(traces, ("a", "g", 0.9), ("b", "g", 0.2), ("c", "g", 0.1))
    assert [(one.chosen_id, one.rejected_id, one.margin) for one in found.preferences] == [
        ("a", "b", 0.7)
    ]


def test_two_passing_answers_are_no_pair() -> None:
    """Scores are thresholded: both pass, so neither is rejected."""
    assert scored(TRACES, ("a", "g", 0.9), ("b", "g", 0.6)).preferences == ()


def test_rubrics_that_contradict_each_other_teach_nothing() -> None:
    """An answer that wins on one rubric and loses on another is no preference."""
    given = (("a", "g", 0.9), ("b", "g", 0.2), ("a", "h", 0.1), ("b", "h", 0.9))
    found = scored(TRACES, *given)
    assert found.preferences == ()
    assert found.dropped == {"the rubrics contradict each other": 2}


def test_one_prompt_makes_few_pairs() -> None:
    """Beyond pairs.max_per_prompt the closest pairs go, and are counted."""
    traces = {f"t{n}": trace(f"t{n}", f"answer {n}") for n in range(6)}
    given = [("t0", "g", 0.9), *((f"t{n}", "g", n / 20) for n in range(1, 6))]
    found = scored(traces, *given, most=2)
    assert [one.rejected_id for one in found.preferences] == ["t1", "t2"]
    assert found.dropped == {"more pairs than pairs.max_per_prompt": 3}


def test_only_prompts_with_two_answers_are_worth_judging() -> None:
    """A judge is asked about nothing that cannot become a pair; whole prompts are taken."""
    traces = TRACES | {"c": trace("c", "alone", "other"), "d": trace("d", None)}
    assert worth_judging(traces, 10) == ["a", "b"]
    assert worth_judging(traces, 1) == []


def test_a_reward_needs_every_score() -> None:
    """The weighted mean of all rubrics, or no reward at all."""
    known = {"a": {"g": 1.0, "h": 0.5}, "b": {"g": 1.0}}
    found = rewards(known, TRACES, LINES, {"g": 3.0})
    assert found.select("trace_id", "reward", "passes").rows() == [("a", 0.875, True)]


def joined(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Joined events: trace, signal, answer."""
    values = [
        {**trace(t, output), "feedback_id": f"f{n}", "signal_type": signal,
         "signal_class": "explicit", "value": None, "trace_created_at": AT}
        for n, (t, signal, output) in enumerate(rows)
    ]  # fmt: skip
    frame = pl.DataFrame(values, schema_overrides=dict(JOINED.schema))
    return JOINED.complete(frame).select(JOINED.schema.names())


def test_thumbs_pair_answers_to_one_prompt() -> None:
    """Up over down on one prompt; an answer with both is neither, a lone down is counted."""
    events = joined(
        ("a", "thumbs_up", "good"), ("b", "thumbs_down", "bad"), ("c", "thumbs_up", "torn"),
        ("c", "thumbs_down", "torn"),
    )  # fmt: skip
    found = from_thumbs(events, holdout_rate=0.0)
    assert [pair_of(one) for one in found.preferences] == [("good", "bad")]
    assert found.dropped == {"thumbs up and down on one answer": 1}
    alone = from_thumbs(joined(("b", "thumbs_down", "bad")), holdout_rate=0.0)
    assert alone.dropped == {"no thumbed-up answer to the same prompt": 1}


def sessions(*turns: tuple[str, str, str]) -> dict[str, Any]:
    """Traces of sessions: session, question, answer."""
    rows = [
        trace(f"{n}", output, question, session_id=session)
        for n, (session, question, output) in enumerate(turns)
    ]
    return {row["trace_id"]: row for row in rows}


def ended(traces: dict[str, Any], **outcomes: float) -> Found:
    """What session outcomes make of the traces."""
    events = [
        {"signal_type": "outcome", "trace_id": None, "session_id": session, "value": value,
         "created_at": AT}
        for session, value in outcomes.items()
    ]  # fmt: skip
    return from_sessions(outcomes_of(events, traces), traces, holdout_rate=0.0, most=4)


def test_sessions_are_compared_where_they_part() -> None:
    """The first answers that differ to the same words are the pair; what came before is history."""
    traces = sessions(
        ("won", "Hi", "Hello"), ("won", "Refund?", "Done"), ("lost", "hi!", "Hello"),
        ("lost", "Refund?", "No"), ("lost", "Why?", "Because"),
    )  # fmt: skip
    (one,) = ended(traces, won=1.0, lost=0.0).preferences
    assert pair_of(one) == ("Done", "No")
    assert one.history == (("user", "hi!"), ("assistant", "Hello"))


def test_sessions_that_ask_different_things_are_no_pair() -> None:
    """After different questions, answers do not compare."""
    traces = sessions(
        ("won", "Hi", "Hello"), ("won", "Refund?", "Done"), ("lost", "Hi", "Hello"),
        ("lost", "Invoice?", "No"),
    )  # fmt: skip
    assert ended(traces, won=1.0, lost=0.0).dropped == {
        "the sessions ask different things before an answer differs": 1
    }
    assert ended({}, gone=1.0).dropped == {"an outcome of an unknown session": 1}


def test_what_is_left_out_is_counted_by_reason() -> None:
    """Missing texts, equal answers, lost margins and repeats each have a count."""
    found = built(
        preference(margin=0.5),
        replace(preference(), rejected=None),
        preference(chosen="x ", rejected="x"),
        preference(rejected="z", margin=0.0),
        preference(margin=0.5, source="thumbs"),
    )
    assert PAIRS.problems(found.pairs) == []
    assert found.pairs["also_from"].to_list() == [["thumbs"]]
    assert found.dropped == {
        "a text is missing": 1,
        "both answers are the same": 1,
        "neither answer is better": 1,
        "the same pair again": 1,
    }


@pytest.mark.parametrize(
    ("margin", "noise", "is_close"),
    [(0.05, 0.0, True), (0.2, 0.2, True), (0.2, 0.1, False), (None, 0.0, False)],
)
def test_a_low_margin_goes_to_review(margin: float | None, noise: float, *, is_close: bool) -> None:
    """Below min_margin, or not above the noise: a person looks first."""
    (row,) = built(preference(margin=margin, noise=noise)).pairs.to_dicts()
    assert (row["review"] is not None) == is_close


def test_sources_that_contradict_each_other_teach_nothing() -> None:
    """Opposite preferences on one prompt both go."""
    found = built(preference(), preference(chosen="y", rejected="x", source="thumbs"))
    assert found.pairs.is_empty()
    assert found.dropped == {"the sources contradict each other": 2}


@given(st.text(), st.floats(0, 0.99))
def test_a_group_never_changes_side(group_id: str, rate: float) -> None:
    """The split follows from the group alone, and a larger holdout keeps whom it had."""
    if split_of(group_id, rate) == "holdout":
        assert split_of(group_id, min(rate + 0.005, 1.0)) == "holdout"


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), min_size=1))
def test_no_pair_lies_on_two_sides(groups: list[tuple[str, str]]) -> None:
    """Every group of every pair is of the pair's side; mixed pairs are counted."""
    found = built(
        *(preference(f"p{n}", groups=tuple(sorted(set(two)))) for n, two in enumerate(groups)),
        holdout_rate=0.5,
    )
    for row in found.pairs.iter_rows(named=True):
        assert {split_of(group, 0.5) for group in row["groups"]} == {row["split"]}
    assert found.pairs.height + sum(found.dropped.values()) == len(groups)
