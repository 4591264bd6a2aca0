"""Sealing what the collector took in: traces come in once they are whole, and none is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gitloop.steps.capture import seal
from gitloop.storage import spool
from gitloop.storage.dvc import Dvc
from gitloop.storage.parts import FOLDERS, read_parts
from gitloop.tables import FEEDBACK, TRACES
from tests.repositories import Repository

NOW = datetime(2026, 5, 19, 14, 33, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Now is a fixed time."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(NOW.timestamp())))


def span(
    trace: int, number: int, parent: int = 0, has: dict[str, str | float] | None = None
) -> dict[str, Any]:
    """A span in OTLP's JSON form."""
    values = [
        {"key": name, "value": {"doubleValue" if isinstance(it, float) else "stringValue": it}}
        for name, it in (has or {}).items()
    ]
    found = {
        "traceId": f"{trace:032x}",
        "spanId": f"{number:016x}",
        "name": f"span {number}",
        "startTimeUnixNano": str(1747665180000000000 + number),
        "endTimeUnixNano": str(1747665181000000000 + number),
        "attributes": [*values, {"key": "input.value", "value": {"stringValue": "Where is it?"}}],
    }
    return {**found, "parentSpanId": f"{parent:016x}"} if parent else found


def received(repository: Repository, ago_s: float, *spans: dict[str, Any], name: str = "a") -> Path:
    """Write a request down as the collector does."""
    path = repository.root / spool.FOLDERS["traces"] / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    at = (NOW - timedelta(seconds=ago_s)).isoformat()
    request = {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}], "receivedAt": at}
    with path.open("a") as handle:
        handle.write(json.dumps(request) + "\n")
    return path


def traces(repository: Repository) -> pl.DataFrame:
    """The table of traces, as a step reads it."""
    dvc = Dvc(repository.root, repository.root / ".git")
    return read_parts(repository.root, dvc, FOLDERS["traces"], TRACES)


def n_spans(repository: Repository) -> dict[int, int]:
    """Trace → how many spans it has."""
    rows = traces(repository).select("trace_id", pl.col("spans").list.len())
    return {int(trace_id, 16): n for trace_id, n in rows.iter_rows()}


def test_spans_of_several_requests_are_one_trace(repository: Repository) -> None:
    """Two files and three requests, one of them twice: each span is there once."""
    received(repository, 60, span(1, 2, parent=1))
    received(repository, 60, span(1, 1), span(2, 9), name="b")
    received(repository, 60, span(1, 1), span(2, 9), name="b")
    report = seal(repository.root).spans
    assert n_spans(repository) == {1: 2, 2: 1}
    assert (report.n_files, report.n_requests, report.n_waiting) == (2, 3, 0)
    assert seal(repository.root).spans.n_files == 0
    assert [path[:12] for path in report.traces.parts] == ["data/traces/"]


def test_a_trace_that_still_arrives_waits_whole(repository: Repository) -> None:
    """Its spans stay in the spool, the others are sealed; when it is whole it comes in at once."""
    received(repository, 60, span(1, 1), span(2, 3, parent=2))
    received(repository, 1, span(3, 1))
    first = seal(repository.root).spans
    assert (n_spans(repository), first.n_waiting) == ({1: 1}, 2)
    received(repository, 30, span(2, 2), name="b")
    second = seal(repository.root).spans
    assert (n_spans(repository), second.n_waiting) == ({1: 1, 2: 2}, 1)
    assert second.traces.n_conflicts == 0
    seal(repository.root, is_whole=True)
    assert n_spans(repository) == {1: 1, 2: 2, 3: 1}
    assert spool.count_waiting(repository.root / spool.FOLDERS["traces"]) == 0


def test_spans_that_come_too_late_are_kept_and_counted(repository: Repository) -> None:
    """A trace is taken in once: what follows contradicts it, and lies in data/conflicts."""
    received(repository, 60, span(1, 1))
    seal(repository.root)
    received(repository, 4000, span(1, 2, parent=1))
    late = seal(repository.root).spans
    assert (late.traces.n_new, late.traces.n_conflicts) == (0, 1)
    kept = pl.read_parquet(repository.root / late.traces.conflict_parts[0])
    assert kept["spans"].list.len().to_list() == [1]
    assert n_spans(repository) == {1: 1}


def test_scores_on_spans_become_events_in_both_stores(repository: Repository) -> None:
    """An evaluation on a span is feedback; one that is no number does not hold up the rest."""
    name, score = "gen_ai.evaluation.name", "gen_ai.evaluation.score.value"
    good: dict[str, str | float] = {name: "grounded", score: 0.25}
    bad: dict[str, str | float] = {name: "grounded", score: "many"}
    received(repository, 60, span(1, 1, has=good), span(2, 1, has=bad))
    report = seal(repository.root)
    dvc = Dvc(repository.root, repository.root / ".git")
    events = read_parts(repository.root, dvc, FOLDERS["feedback"], FEEDBACK)
    assert events["value"].to_list() == [0.25]
    assert n_spans(repository) == {1: 1, 2: 1}
    assert any("'many', not a number" in reason for reason in report.spans.reasons)
    assert report.stores[0].n_copied == 1


def test_lines_that_are_no_requests_are_set_aside(repository: Repository) -> None:
    """A torn last line is kept as it was found; the whole ones before it are sealed."""
    path = received(repository, 60, span(1, 1))
    with path.open("ab") as handle:
        handle.write(b'{"resourceSp')
    report = seal(repository.root).spans
    assert (report.n_requests, report.n_aside, report.n_torn) == (1, 1, 1)
    aside = repository.root / spool.FOLDERS["traces"] / "aside" / "a.jsonl"
    assert aside.read_bytes() == b'{"resourceSp\n'
    assert n_spans(repository) == {1: 1}


def test_a_seal_that_died_after_putting_spans_back_doubles_none(repository: Repository) -> None:
    """Claimed files that were not discarded, beside what was put back: every span counts once."""
    received(repository, 60, span(1, 1))
    path = received(repository, 1, span(2, 1))
    claimed = path.read_bytes()
    seal(repository.root)
    (path.parent / "sealing" / path.name).write_bytes(claimed)
    seal(repository.root)
    report = seal(repository.root, is_whole=True)
    assert n_spans(repository) == {1: 1, 2: 1}
    assert report.spans.traces.n_conflicts == 0
