"""The join: total, conserved, and honest about what it filled in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.join import REASONS, REQUIRED, join, measure
from gitloop.signals import SIGNAL_TYPES
from gitloop.tables import DEBUG_ONLY, FEEDBACK, JOINED, LABELS, TRACES

NOW = datetime(2026, 5, 19, 14, 33, tzinfo=UTC)
CONTEXT = {"route": "refund", "user_cohort": "pro", "prompt_version": "support@2"}


def event(name: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """A thumbs_down on the trace t1 that carries its context."""
    signal = other.get("signal_type", "thumbs_down")
    return {
        **dict.fromkeys(FEEDBACK.schema.names()),
        "feedback_id": name,
        "trace_id": "t1",
        "signal_type": signal,
        "signal_class": SIGNAL_TYPES[signal],
        "score_source": "human",
        "created_at": NOW + timedelta(minutes=1),
        **CONTEXT,
        **other,
    }


def trace(name: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """A trace that carries its context."""
    return {
        **dict.fromkeys(TRACES.schema.names()),
        "trace_id": name,
        "created_at": NOW,
        "input": f"question {name}",
        "output": f"answer {name}",
        "status": "ok",
        **CONTEXT,
        **other,
    }


def feedback(*rows: dict[str, Any]) -> pl.DataFrame:
    """The events as a table."""
    return pl.DataFrame(list(rows), schema=FEEDBACK.schema)


def traces(*rows: dict[str, Any]) -> pl.DataFrame:
    """The traces as a table."""
    return pl.DataFrame(list(rows), schema=TRACES.schema)


def label(trace_id: str, verdict: str, annotator: str, **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """A label of one rubric."""
    return {
        **dict.fromkeys(LABELS.schema.names()),
        "label_id": f"{annotator}-{trace_id}",
        "trace_id": trace_id,
        "item_kind": "trace",
        "rubric": "grounded",
        "label": verdict,
        "score": {"pass": 1.0, "fail": 0.0}[verdict],
        "annotator": annotator,
        "role": "annotator",
        "guidance_version": "1",
        "created_at": NOW,
        **other,
    }


def labels(*rows: dict[str, Any]) -> pl.DataFrame:
    """The labels as a table."""
    return pl.DataFrame(list(rows), schema=LABELS.schema)


def test_an_event_meets_its_trace() -> None:
    """A joined row holds the event, what was asked and answered, and the unit of splitting."""
    found = join(feedback(event("a")), traces(trace("t1", session_id="s1", model="m")))
    row = found.joined.row(0, named=True)
    assert row["input"] == "question t1"
    assert row["output"] == "answer t1"
    assert (row["group_id"], row["session_id"], row["model"]) == ("s1", "s1", "m")
    assert row["trace_created_at"] == NOW
    assert JOINED.problems(found.joined) == []
    assert found.debug_only.is_empty()


@pytest.mark.parametrize("name", ["route", "user_cohort", "prompt_version"])
@pytest.mark.parametrize("blank", [None, ""])
def test_a_field_that_the_event_lacks_comes_from_its_trace(name: str, blank: str | None) -> None:
    """Absent or blank, the field is filled and counted as filled."""
    found = join(feedback(event("a", **{name: blank})), traces(trace("t1")))
    assert found.joined[name].to_list() == [CONTEXT[name]]
    assert found.n_filled[name] == 1
    assert found.n_conflicts[name] == 0


@pytest.mark.parametrize("name", ["route", "user_cohort", "prompt_version"])
def test_the_trace_wins_a_conflict(name: str) -> None:
    """Where both speak and disagree, the trace's word stands and the event's stays in metadata."""
    told = event("a", metadata='{"app": 2}', **{name: "other"})
    found = join(feedback(told, event("b")), traces(trace("t1")))
    assert found.joined[name].to_list() == [CONTEXT[name]] * 2
    assert json.loads(found.joined["metadata"][0]) == {"app": 2, "event_context": {name: "other"}}
    assert found.joined["metadata"][1] is None
    assert found.n_conflicts[name] == 1


@pytest.mark.parametrize(
    ("change", "trace_change", "reasons"),
    [
        ({"trace_id": None}, {}, ["missing_trace_id"]),
        ({"trace_id": "t9"}, {}, ["unknown_trace"]),
        ({"score_source": None}, {}, ["missing_score_source"]),
        ({"route": None}, {"route": None}, ["missing_route"]),
        ({"user_cohort": None}, {"user_cohort": ""}, ["missing_user_cohort"]),
        ({"prompt_version": ""}, {"prompt_version": None}, ["missing_prompt_version"]),
        (
            {"trace_id": None, "route": None, "score_source": None},
            {},
            ["missing_route", "missing_score_source", "missing_trace_id"],
        ),
    ],
)
def test_an_event_without_its_context_is_debug_only(
    change: dict[str, Any], trace_change: dict[str, Any], reasons: list[str]
) -> None:
    """Each thing that is missing is a reason of its own, sorted."""
    found = join(feedback(event("a", **change)), traces(trace("t1", **trace_change)))
    assert found.debug_only["reasons"].to_list() == [reasons]
    assert found.joined.is_empty()
    assert DEBUG_ONLY.problems(found.debug_only) == []


def test_a_late_trace_joins_at_the_next_run() -> None:
    """An orphan of today is joined when its trace has come."""
    early = join(feedback(event("a")), traces())
    late = join(feedback(event("a")), traces(trace("t1")))
    assert early.debug_only["reasons"].to_list() == [["unknown_trace"]]
    assert late.joined.height == 1


def test_an_event_that_names_only_its_span_finds_the_trace() -> None:
    """A span id that one trace has names the trace; one that two traces have names none."""
    span = dict.fromkeys(("parent_span_id", "name", "kind", "status", "input", "output"))
    spans = [{**span, "span_id": "s1", "started_at": None, "ended_at": None, "attributes": None}]
    told = feedback(event("a", trace_id=None, span_id="s1"))
    found = join(told, traces(trace("t1", spans=spans), trace("t2")))
    assert found.joined["trace_id"].to_list() == ["t1"]
    assert found.n_resolved == 1
    ambiguous = join(told, traces(trace("t1", spans=spans), trace("t2", spans=spans)))
    assert ambiguous.debug_only["reasons"].to_list() == [["missing_trace_id"]]


_BLANK = st.sampled_from([None, "", "x", "y"])
_EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "trace_id": st.sampled_from([None, "", "t0", "t1", "t2", "t9"]),
            "span_id": st.sampled_from([None, "s0", "s1"]),
            "session_id": _BLANK,
            "route": _BLANK,
            "user_cohort": _BLANK,
            "prompt_version": _BLANK,
            "score_source": st.sampled_from([None, "human", "api", "auto_grader"]),
            "signal_type": st.sampled_from(sorted(SIGNAL_TYPES)),
            "metadata": st.sampled_from([None, "{}", '{"a":1}', "[1]", "no JSON"]),
            "created_at": st.integers(-100, 100).map(lambda s: NOW + timedelta(seconds=s)),
        }
    ),
    max_size=12,
)
_TRACES = st.lists(
    st.fixed_dictionaries(
        {
            "route": _BLANK,
            "user_cohort": _BLANK,
            "prompt_version": _BLANK,
            "session_id": _BLANK,
            "group_id": _BLANK,
            "created_at": st.sampled_from([None, NOW]),
        }
    ),
    max_size=3,
)


@settings(deadline=None, max_examples=50)
@given(_EVENTS, _TRACES)
def test_the_join_is_total_and_conserved(
    events: list[dict[str, Any]], known: list[dict[str, Any]]
) -> None:
    """Every event is in exactly one table, reasons are known and given, and the figures add up."""
    told = feedback(*(event(f"f{n}", **fields) for n, fields in enumerate(events)))
    asked = traces(*(trace(f"t{n}", **fields) for n, fields in enumerate(known)))
    found = join(told, asked)
    ids = [*found.joined["feedback_id"], *found.debug_only["feedback_id"]]
    assert sorted(ids) == sorted(told["feedback_id"])
    reasons = found.debug_only["reasons"].to_list()
    assert all(given and set(given) <= set(REASONS) for given in reasons)
    assert found.joined.select(pl.col(REQUIRED).is_null().any()).row(0) in (
        (False,) * len(REQUIRED),
        (None,) * len(REQUIRED),
    )
    assert JOINED.problems(found.joined) == []
    assert DEBUG_ONLY.problems(found.debug_only) == []
    kept = ("signal_type", "created_at", "score_source", "comment")
    both = pl.concat(
        table.select("feedback_id", *kept) for table in (found.joined, found.debug_only)
    ).sort("feedback_id")
    assert both.equals(told.select("feedback_id", *kept).sort("feedback_id"))
    metrics = measure(found, told, asked, labels())
    assert metrics["n_events"] == metrics["n_joined"] + metrics["n_debug_only"]
    for name in ("signal_type", "route"):
        assert sum(row["n_events"] for row in metrics["coverage"][name].values()) == told.height
    json.dumps(metrics, allow_nan=False)


@settings(deadline=None, max_examples=50)
@given(st.permutations(range(6)), st.permutations(range(4)))
def test_the_order_of_rows_does_not_matter(order: list[int], trace_order: list[int]) -> None:
    """The same events and traces in any order give the same tables and figures."""
    events = [event(f"f{n}", trace_id=f"t{n}", route=None if n % 2 else "x") for n in range(6)]
    known = [trace(f"t{n}") for n in range(4)]

    def result(by: list[int], trace_by: list[int]) -> tuple[pl.DataFrame, pl.DataFrame, str]:
        told, asked = feedback(*(events[n] for n in by)), traces(*(known[n] for n in trace_by))
        found = join(told, asked)
        metrics = json.dumps(measure(found, told, asked, labels()), sort_keys=True)
        return found.joined, found.debug_only, metrics

    first, second = result(list(range(6)), list(range(4))), result(order, trace_order)
    assert first[0].equals(second[0])
    assert first[1].equals(second[1])
    assert first[2] == second[2]


def test_rates_have_every_trace_of_the_slice_as_their_exposure() -> None:
    """A trace with two thumbs_down counts once; traces without feedback count as exposed."""
    told = feedback(event("a"), event("b"), event("c", trace_id="t2", signal_type="retry"))
    asked = traces(trace("t1"), trace("t2", route="order"), trace("t3"), trace("t4", route=None))
    metrics = measure(join(told, asked), told, asked, labels())
    down = metrics["rates"]["all"]["signals"]["thumbs_down"]
    assert (down["n_hits"], down["n"], down["rate"]) == (1, 4, 0.25)
    # Wilson (1927) for 1 of 4, as statsmodels' proportion_confint(1, 4, method="wilson") has it.
    assert (down["low"], down["high"]) == (0.045587, 0.699358)
    by_route = metrics["rates"]["route"]
    assert {name: row["n_traces"] for name, row in by_route.items()} == {
        "(none)": 1,
        "order": 1,
        "refund": 2,
    }
    assert by_route["refund"]["signals"]["retry"]["n_hits"] == 0
    assert by_route["order"]["implicit"]["rate"] == 1.0


def test_clock_skew_duplicates_and_orphans_are_counted() -> None:
    """An event before its trace, one that equals another, and those without a trace are figures."""
    told = feedback(
        event("a", created_at=NOW - timedelta(seconds=90)),
        event("b"),
        event("c"),
        event("d", trace_id="t8"),
        event("e", trace_id="t9"),
        event("f", trace_id="t9"),
    )
    asked = traces(trace("t1"))
    metrics = measure(join(told, asked), told, asked, labels(), n_repeated=3)
    assert metrics["clock_skew"] == {
        "n_checked": 3,
        "n_before_trace": 1,
        "largest_s": 90.0,
        "median_delay_s": 60.0,
    }
    assert metrics["duplicates"] == {"n_alike": 2, "n_repeated_rows": 3}
    assert metrics["orphans"] == {"n_events": 3, "n_traces": 2}
    assert metrics["reasons"]["unknown_trace"] == 3


def test_no_event_and_no_trace_is_no_rate() -> None:
    """Empty tables give zero counts and rates of null, never a division by zero."""
    metrics = measure(join(feedback(), traces()), feedback(), traces(), labels())
    assert metrics["join_rate"] is None
    assert metrics["rates"]["all"]["any"]["rate"] is None
    assert metrics["clock_skew"]["median_delay_s"] is None


def test_an_implicit_signal_is_held_against_what_people_said() -> None:
    """Precision counts labelled traces; a senior's label and the annotators' mean settle them."""
    told = feedback(
        *(event(f"r{n}", trace_id=f"t{n}", signal_type="retry") for n in range(5)),
        event("c", trace_id="t1", signal_type="copy"),
        event("u", trace_id="t4", signal_type="thumbs_up"),
    )
    asked = traces(*(trace(f"t{n}") for n in range(5)))
    said = labels(
        label("t0", "fail", "ada"),
        label("t1", "pass", "ada"),
        label("t2", "pass", "ada"),
        label("t2", "fail", "bo", role="senior"),
        label("t3", "pass", "ada"),
        label("t3", "fail", "bo"),
        label("t3", "fail", "cy"),
    )
    found = measure(join(told, asked), told, asked, said)["precision"]
    assert (found["labels"]["retry"]["n_hits"], found["labels"]["retry"]["n"]) == (3, 4)
    assert (found["labels"]["copy"]["n_hits"], found["labels"]["copy"]["n"]) == (1, 1)
    assert (found["thumbs"]["retry"]["n_hits"], found["thumbs"]["retry"]["n"]) == (0, 1)
