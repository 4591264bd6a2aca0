"""Implicit signals in traces: each rule finds its case, and leaves what looks like it alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.capture import RULES, derive
from gitloop.tables import FEEDBACK, TRACES

NOW = datetime(2026, 5, 19, 14, tzinfo=UTC)
ANSWER = "Your parcel left the warehouse on Monday and arrives on Thursday before noon."


def session(*turns: tuple[str, str], gap_s: int = 60, **other: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """A session of (question, answer) pairs, and another one hours later, so that it has ended."""
    rows = [
        {
            **dict.fromkeys(TRACES.schema.names()),
            "trace_id": f"t{n}",
            "session_id": "s1",
            "created_at": NOW + timedelta(seconds=n * gap_s),
            "input": question,
            "output": answer,
            "status": "ok",
            "route": "order",
            **other,
        }
        for n, (question, answer) in enumerate(turns)
    ]
    later = {**rows[0], "trace_id": "later", "session_id": "s2", "input": "Hi", "output": "Hello."}
    return [*rows, {**later, "created_at": NOW + timedelta(hours=5)}]


def found(
    rows: list[dict[str, Any]], feedback: pl.DataFrame | None = None
) -> list[tuple[str, str]]:
    """(trace, signal) of every derived event."""
    traces = pl.DataFrame(rows, schema=TRACES.schema)
    events = derive(traces, FEEDBACK.empty() if feedback is None else feedback)
    assert FEEDBACK.problems(events) == []
    return sorted(events.select("trace_id", "signal_type").iter_rows())


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        ([("Where is my parcel?", "Soon."), ("where is my PARCEL", "Soon.")], "regenerate"),
        (
            [("Where is my parcel now?", "Soon."), ("Where is my parcel right now?", "Soon.")],
            "retry",
        ),
        ([("Write it.", ANSWER), (ANSWER.replace("Thursday", "Friday"), "Thanks.")], "edit"),
        ([("Where is it?", "Soon."), ("Let me talk to a human", "Sure.")], "escalate"),
        ([("Where is it?", "Soon."), ("I want a real person!", "Sure.")], "escalate"),
        ([("Where is it?", "Which order do you mean?")], "abandon"),
    ],
)
def test_each_rule_finds_its_case(turns: list[tuple[str, str]], wanted: str) -> None:
    """The signal lies on the answer that was not enough, with rule and confidence."""
    rows = session(*turns)
    assert found(rows) == [("t0", wanted)]
    event = derive(pl.DataFrame(rows, schema=TRACES.schema), FEEDBACK.empty()).row(0, named=True)
    metadata = json.loads(event["metadata"])
    assert metadata["rule"] == RULES[wanted]
    assert 0 < metadata["confidence"] <= 1
    assert (event["signal_class"], event["score_source"]) == ("implicit", "auto_grader")
    assert (event["session_id"], event["route"]) == ("s1", "order")


@pytest.mark.parametrize(
    "turns",
    [
        [("Where is my parcel?", "Soon."), ("Can I return the shoes?", "Yes.")],
        [("Write it.", ANSWER), (f"Translate this: {ANSWER}", "Done.")],
        [("Write it.", "Ok."), ("Ok!", "Done.")],
        [("Does a person check my returns?", "No."), ("Thanks", "Welcome.")],
        [("Which agent sold it?", "None."), ("Thanks", "Welcome.")],
        [("Where is it?", "On its way.")],
    ],
)
def test_what_only_looks_like_a_signal_is_left_alone(turns: list[tuple[str, str]]) -> None:
    """New questions, quoted answers, short words and talk about people give nothing."""
    assert found(session(*turns)) == []


def test_time_and_session_bound_the_rules() -> None:
    """The same question an hour later, in another session or at an unknown time is no retry."""
    again = [("Where is my parcel?", "Soon."), ("Where is my parcel?", "Soon.")]
    assert found(session(*again, gap_s=3600)) == []
    rows = session(*again)
    rows[1]["session_id"] = "s3"
    assert found(rows) == []
    rows = session(*again)
    rows[1]["created_at"] = None
    assert found(rows) == []
    assert found(session(*again, session_id=None)) == []


def test_a_session_that_may_still_go_on_was_not_abandoned() -> None:
    """Without half an hour of later traffic nobody knows whether the user has left."""
    rows = session(("Where is it?", "Which order?"))
    assert found(rows[:1]) == []
    assert found(rows) == [("t0", "abandon")]
    assert found(session(("Where is it?", ""), status="error")) != []


def test_a_handover_tool_is_an_escalation_of_its_own_turn() -> None:
    """A tool span that transfers to people says so more surely than words do."""
    spans = [{"span_id": "1", "name": "transfer_to_human_agents", "kind": "TOOL"}]
    rows = session(("Fix it", "Done."), ("Really?", "I hand you over."), spans=None)
    rows[1]["spans"] = spans
    assert found(rows) == [("t1", "escalate")]


def test_what_the_application_recorded_itself_is_not_derived_again() -> None:
    """A trace that has the signal already keeps it alone."""
    rows = session(("Where is my parcel?", "Soon."), ("Where is my parcel?", "Soon."))
    told = {
        **dict.fromkeys(FEEDBACK.schema.names()),
        "feedback_id": "f",
        "trace_id": "t0",
        "signal_type": "regenerate",
        "signal_class": "implicit",
        "created_at": NOW,
    }
    assert found(rows, pl.DataFrame([told], schema=FEEDBACK.schema)) == []


_TEXTS = st.sampled_from(
    ["Where is it?", "where is it", "Where is it now?", "I want a human agent", ANSWER, "", "?"]
)
_ROWS = st.lists(
    st.tuples(_TEXTS, _TEXTS, st.sampled_from(["s1", "s2", None]), st.integers(0, 7200)),
    max_size=10,
)


@settings(deadline=None, max_examples=60)
@given(_ROWS, st.randoms())
def test_the_same_traces_give_the_same_events(
    drawn: list[tuple[str, str, str | None, int]],
    dice: Any,  # noqa: ANN401
) -> None:
    """Whatever the order of the rows, events fit the table, are unique, and found only once."""
    rows = [
        {
            **dict.fromkeys(TRACES.schema.names()),
            "trace_id": f"t{n}",
            "session_id": name,
            "created_at": NOW + timedelta(seconds=after),
            "input": asked,
            "output": said,
            "status": "ok",
        }
        for n, (asked, said, name, after) in enumerate(drawn)
    ]
    shuffled = list(rows)
    dice.shuffle(shuffled)
    one, other = (
        derive(pl.DataFrame(it, schema=TRACES.schema), FEEDBACK.empty()) for it in (rows, shuffled)
    )
    assert one.equals(other)
    assert FEEDBACK.problems(one) == []
    assert derive(pl.DataFrame(rows, schema=TRACES.schema), one).is_empty()
