"""The recorded annotators err at their own rate, and the senior does not."""

from __future__ import annotations

import polars as pl
import pytest

from gitloop.scenario.generate import Scenario, generate
from gitloop.scenario.people import PEOPLE, disputed, label
from gitloop.scenario.truth import RUBRICS
from gitloop.tables import LABELS


@pytest.fixture(scope="module")
def world() -> Scenario:
    """A world of the demo's size."""
    return generate(7)


def test_labels_fit_the_schema(world: Scenario) -> None:
    """The three people's labels together have no fault against the table."""
    rows = [row for name in PEOPLE for row in label(world, world.truth, annotator=name)]
    labels = pl.DataFrame(rows, schema=LABELS.schema, orient="row")
    assert LABELS.problems(LABELS.order(LABELS.complete(labels))) == []
    assert {key for row in rows for key in row} <= set(LABELS.schema)


@pytest.mark.parametrize(("name", "low", "high"), [("amara", 0.04, 0.08), ("bo", 0.07, 0.11)])
def test_annotators_err_at_their_rate(world: Scenario, name: str, low: float, high: float) -> None:
    """Amara is wrong on about 6 % of the verdicts, Bo on about 9 %."""
    rows = label(world, world.truth, annotator=name)
    wrong = [
        row for row in rows if row["label"] != world.truth[row["trace_id"]].verdict(row["rubric"])
    ]
    assert low <= len(wrong) / len(rows) <= high


def test_the_senior_is_right(world: Scenario) -> None:
    """Chen settles each dispute as it should be."""
    pair = [label(world, world.truth, annotator=name) for name in ("amara", "bo")]
    ids = disputed(*pair)
    rows = label(world, ids, annotator="chen")
    assert {row["role"] for row in rows} == {"senior"}
    assert len(rows) == len(ids) * len(RUBRICS)
    assert all(row["label"] == world.truth[row["trace_id"]].verdict(row["rubric"]) for row in rows)


def test_disputed_names_what_differs(world: Scenario) -> None:
    """A trace is disputed exactly if two labels under one rubric differ."""
    one = label(world, world.truth, annotator="amara")
    two = label(world, world.truth, annotator="bo")
    expected = {
        left["trace_id"]
        for left, right in zip(
            sorted(one, key=lambda row: (row["trace_id"], row["rubric"])),
            sorted(two, key=lambda row: (row["trace_id"], row["rubric"])),
            strict=True,
        )
        if left["label"] != right["label"]
    }
    assert sorted(expected) == disputed(one, two)
    assert disputed(one, one) == []


def test_a_verdict_does_not_depend_on_the_order(world: Scenario) -> None:
    """The same items in another order, or with others, get the same labels."""
    ids = [trace["trace_id"] for trace in world.traces[:40]]
    some = label(world, ids[:10], annotator="bo")
    assert label(world, ids[::-1], annotator="bo") == label(world, ids, annotator="bo")
    assert [row for row in label(world, ids, annotator="bo") if row["trace_id"] in ids[:10]] == some


def test_labels_come_after_the_traces_with_their_cluster(world: Scenario) -> None:
    """A label is later than all traffic and names the cluster it was shown for, if any."""
    first, second = (trace["trace_id"] for trace in world.traces[:2])
    rows = label(world, [first, second, first], annotator="amara", clusters={first: "c-1"})
    assert {row["trace_id"]: row["cluster_id"] for row in rows} == {first: "c-1", second: None}
    assert len(rows) == 2 * len(RUBRICS)
    assert min(row["created_at"] for row in rows) > world.traces[-1]["created_at"]


def test_references_are_facts_of_the_context(world: Scenario) -> None:
    """What an answer should have said keeps every figure of the good answer's facts."""
    by_id = {trace["trace_id"]: trace for trace in world.traces}
    for row in label(world, list(by_id)[:200], annotator="chen"):
        assert row["reference"] in world.references[row["trace_id"]]
        assert row["reference"].split(".")[0] in by_id[row["trace_id"]]["context"]


def test_nobody_else_labels(world: Scenario) -> None:
    """An unknown annotator is an error."""
    with pytest.raises(KeyError):
        label(world, world.truth, annotator="dana")
