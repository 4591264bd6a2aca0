"""Real exports and real feedback, where the shared public data is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gitloop.sources.openinference import OpenInferenceSource
from gitloop.sources.otlp import OtlpSource
from gitloop.steps.capture import import_files
from gitloop.steps.join import join
from tests.repositories import Repository

DATA = Path(__file__).parents[2].parent / "shared" / "data"
COLUMNS = {"route": "gitloop.route", "user_cohort": "gitloop.user_cohort"}
ENCODINGS = (
    (OtlpSource, "spans.otlp.jsonl"),
    (OtlpSource, "spans.otlp.pb"),
    (OpenInferenceSource, "spans.sdk.jsonl"),
)


def shared(name: str) -> Path:
    """A file of the shared data; skips the test, and says so, when it is not there."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the shared public data is not at {path}")
    return path


def spans(traces: pl.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Every span by its ids, without times and what only one encoding carries."""
    found = {}
    for trace in traces.iter_rows(named=True):
        for span in trace["spans"]:
            attributes = json.loads(span["attributes"])
            for event in attributes.get("events", ()):
                event.pop("at")
            kept = {
                name: value
                for name, value in attributes.items()
                if not name.startswith("otel.scope.")
            }
            times = ("started_at", "ended_at")
            content = {name: value for name, value in span.items() if name not in times}
            found[trace["trace_id"], span["span_id"]] = {**content, "attributes": kept}
    return found


def test_three_encodings_are_the_same_spans() -> None:
    """OTLP JSON, OTLP protobuf and SDK JSON lines: 135 spans, 45 traces, 3 error roots."""
    read = [
        pl.concat(source().traces(shared(f"openinference_replay/{name}"), COLUMNS))
        for source, name in ENCODINGS
    ]
    for traces in read:
        assert traces.height == 45
        assert traces["spans"].list.len().sum() == 135
        assert traces.filter(pl.col("status") == "error").height == 3
    first = read[0].sort("trace_id")
    assert first.equals(read[1].sort("trace_id"))
    assert spans(read[0]) == spans(read[1]) == spans(read[2])
    content = [
        name for name in first.columns if name not in ("spans", "source", "created_at", "latency_s")
    ]
    assert first.select(content).equals(read[2].sort("trace_id").select(content))


@pytest.mark.parametrize("name", [name for _, name in ENCODINGS])
def test_all_replayed_traces_join_through_the_index(
    repository: Repository, tmp_path: Path, name: str
) -> None:
    """An event on each of the 45 traces joins, its context filled as the index has it."""
    index = pl.read_ndjson(shared("openinference_replay/index.jsonl"))
    events = tmp_path / "events.jsonl"
    rows = [
        {"trace_id": trace_id, "signal_type": "copy", "score_source": "human"}
        for trace_id in index["otel_trace_id"]
    ]
    events.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    spans_file = shared(f"openinference_replay/{name}")
    import_files(
        repository.root, [spans_file, events], constants={"created_at": "2026-11-22T00:00:00Z"}
    )
    metrics = join(repository.root).metrics
    assert (metrics["n_events"], metrics["n_joined"]) == (45, 45)
    joined = pl.read_parquet(repository.root / "loop/join/joined.parquet")
    both = index.join(joined, left_on="otel_trace_id", right_on="trace_id")
    for field in ("route", "user_cohort", "prompt_version", "session_id", "model"):
        assert both[field].equals(both[f"{field}_right"], null_equal=True), field


def test_every_real_export_is_loaded(repository: Repository) -> None:
    """Each file is recognised without being told its format, and what users asked is found."""
    folder = shared("trace_exports")
    files = sorted(folder.glob("*/*.json"))
    report = import_files(repository.root, files)
    assert {(it.form, it.n_traces) for it in report.files} == {("langfuse", 1), ("otlp", 1)}
    assert report.traces.n_new == len(files) == 11
    scores = [
        score
        for path in folder.glob("langfuse/*.json")
        for score in json.loads(path.read_text(encoding="utf-8"))["trace"]["scores"]
    ]
    assert report.feedback.n_new == len(scores)
    traces = pl.concat(pl.read_parquet(repository.root / part) for part in report.traces.parts)
    asked = set(traces.filter(pl.col("source") == "langfuse")["input"])
    assert {"What is Langfuse?", "Say 'Hello World!'", "hi"} <= asked
    assert "" not in asked
    assert import_files(repository.root, files).traces.n_repeated == 11


def test_feedbackqa_is_2529_events_on_978_traces(repository: Repository) -> None:
    """Real ratings and comments import and join whole, twice with the same result."""
    repository.gen({"params.yaml": "capture: {columns: {value: score}}\n"})
    files = [shared("feedbackqa/traces.jsonl"), shared("feedbackqa/feedback.jsonl")]
    constants = {
        "created_at": "2022-07-13T00:00:00Z",
        "score_source": "human",
        "user_cohort": "public",
        "prompt_version": "dense-retriever",
    }
    first = import_files(repository.root, files, constants=constants)
    again = import_files(repository.root, files, constants=constants)
    assert (first.traces.n_new, first.feedback.n_new) == (978, 2529)
    assert (again.traces.n_repeated, again.feedback.n_repeated) == (978, 2529)
    metrics = join(repository.root).metrics
    assert (metrics["n_traces"], metrics["n_events"], metrics["n_joined"]) == (978, 2529, 2529)
    assert metrics["rates"]["all"]["signals"]["rating"]["n_hits"] == 978
