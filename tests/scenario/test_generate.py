"""The generated world: repeatable, of realistic density, and honest about what is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest

from gitloop.scenario.generate import Scenario, generate
from gitloop.scenario.truth import ACCIDENTS, FAILS
from gitloop.tables import FEEDBACK, TRACES

NEGATIVE = {"thumbs_down", "retry", "regenerate", "abandon", "edit", "escalate"}
SIGNS = {
    "invented_window": r"within 60 days",
    "invented_fee": r"fee of [\d.]+ EUR",
    "claimed_delivered": r"it was delivered on",
    "promised_callback": r"\bcall\b|call-back",
    "no_human": r"thank you for your patience",
    "leaked_note": r"\[internal\]|Note on file",
    "refused": r"can't help|not able to",
    "vague": r"in your account|page in your account",
}
"""Failure → what its answers say and sound answers do not."""


@pytest.fixture(scope="module")
def world() -> Scenario:
    """A world of the demo's size."""
    return generate(7)


@pytest.mark.slow
def test_two_processes_make_the_same_bytes() -> None:
    """The hash seed of the process does not show, neither in the world nor in the labels."""
    code = (
        "from gitloop.scenario.generate import generate;"
        "from gitloop.scenario.people import label;"
        "s = generate(3, 300);"
        "print(s.to_json(), label(s, s.truth, annotator='bo'))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    assert len(printed[0]) > 100_000


def test_another_seed_makes_another_world() -> None:
    """The seed matters."""
    assert generate(1, 50).to_json() == generate(1, 50).to_json()
    assert generate(1, 50).to_json() != generate(2, 50).to_json()


@pytest.mark.parametrize("n_traces", [1, 2, 37])
def test_small_worlds_have_the_size_asked_for(n_traces: int) -> None:
    """The number of traces is exact, down to one."""
    assert len(generate(5, n_traces).traces) == n_traces


def test_rows_fit_the_schemas(world: Scenario) -> None:
    """Traces and feedback have no fault against their tables."""
    traces = pl.DataFrame(world.traces, schema=TRACES.schema, orient="row")
    feedback = pl.DataFrame(world.feedback, schema=FEEDBACK.schema, orient="row")
    assert TRACES.problems(TRACES.order(TRACES.complete(traces))) == []
    assert FEEDBACK.problems(FEEDBACK.order(FEEDBACK.complete(feedback))) == []
    assert set(world.traces[0]) <= set(TRACES.schema)
    assert set(world.feedback[0]) == set(FEEDBACK.schema)


def test_routes_cohorts_and_versions_occur(world: Scenario) -> None:
    """Three routes, four cohorts and two prompt versions have traffic worth slicing."""
    for column, n_expected in (("route", 3), ("user_cohort", 4), ("prompt_version", 2)):
        counts = Counter(trace[column] for trace in world.traces)
        assert len(counts) == n_expected
        assert min(counts.values()) >= 100


def test_times_lie_in_the_two_weeks(world: Scenario) -> None:
    """Traces and feedback fall in 4 to 17 May 2026, and the prompt changes at half time."""
    start, middle, end = (datetime(2026, 5, day, tzinfo=UTC) for day in (4, 11, 18))
    times = [row["created_at"] for row in (*world.traces, *world.feedback)]
    assert start <= min(times)
    assert max(times) < end
    assert all(
        (trace["created_at"] < middle) == (trace["prompt_version"] == "support@1")
        for trace in world.traces
    )


@pytest.mark.parametrize("seed", [0, 7, 42])
def test_feedback_has_realistic_density(seed: int) -> None:
    """1–3 % of the traces have explicit feedback, 15–25 % implicit, 150–250 failures a signal."""
    world = generate(seed)
    known = [event for event in world.feedback if event["trace_id"] in world.truth]
    explicit = {event["trace_id"] for event in known if event["signal_class"] == "explicit"}
    implicit = {event["trace_id"] for event in known if event["signal_class"] == "implicit"}
    negative = {event["trace_id"] for event in known if event["signal_type"] in NEGATIVE}
    assert 0.01 <= len(explicit) / len(world.traces) <= 0.03
    assert 0.15 <= len(implicit) / len(world.traces) <= 0.25
    assert 150 <= sum(world.truth[trace_id].failed for trace_id in negative) <= 250


def test_signals_are_noisy_evidence(world: Scenario) -> None:
    """Some sound answers draw negative signals, some failures none, and some please."""
    negative = {e["trace_id"] for e in world.feedback if e["signal_type"] in NEGATIVE}
    failed = {trace_id for trace_id, true in world.truth.items() if true.failed}
    sound = set(world.truth) - failed
    assert 0.005 <= len(negative & sound) / len(sound) <= 0.05
    assert len(failed - negative) / len(failed) >= 0.2


def test_some_events_lack_their_context(world: Scenario) -> None:
    """A few events have no trace, an unknown one, or no cohort, version or source."""
    unknown = [e for e in world.feedback if e["trace_id"] and e["trace_id"] not in world.truth]
    lost = {
        column: sum(event[column] is None for event in world.feedback)
        for column in ("user_cohort", "prompt_version", "score_source")
    }
    assert unknown
    assert min(lost.values()) >= 1
    assert len(unknown) + sum(lost.values()) <= 10


@pytest.mark.parametrize("seed", [0, 7, 42])
def test_shapes_and_accidents_occur(seed: int) -> None:
    """At least six failure shapes have the numbers of a cluster, and accidents have not."""
    true = generate(seed).truth.values()
    shapes = Counter(one.shape for one in true if one.shape)
    accidents = Counter(one.accident for one in true if one.accident)
    assert sum(count >= 20 for count in shapes.values()) >= 6
    assert set(shapes) | set(ACCIDENTS) == set(FAILS)
    assert len(accidents) >= 3
    assert max(accidents.values()) <= 12


def test_truth_agrees_with_the_outputs(world: Scenario) -> None:
    """An answer is sound exactly if it equals the reference, and each shape shows in the text."""
    for trace in world.traces:
        true = world.truth[trace["trace_id"]]
        sound = trace["output"] == world.references[trace["trace_id"]]
        assert sound is not true.failed
        if true.accident is None:
            seen = {name for name, sign in SIGNS.items() if re.search(sign, trace["output"])}
            assert seen == {true.shape} & set(SIGNS)


def test_sound_answers_invent_no_figure(world: Scenario) -> None:
    """Every figure of a reference stands in the context or in the question."""
    for trace in world.traces:
        given = set(re.findall(r"[\d.]*\d", f"{trace['context']} {trace['input']}"))
        assert set(re.findall(r"[\d.]*\d", world.references[trace["trace_id"]])) <= given


def test_no_text_needs_masking(world: Scenario) -> None:
    """No text looks like an e-mail address, a phone, card or account number."""
    personal = re.compile(r"\S@\S|\+?\d[\d \-]{8,}|\b[A-Z]{2}\d{2}[A-Z\d]{8,}")
    texts = [trace[column] for trace in world.traces for column in ("input", "context", "output")]
    assert [text for text in texts if personal.search(text)] == []
