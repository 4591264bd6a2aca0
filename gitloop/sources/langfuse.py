"""Langfuse: a trace with its observations and scores, one a file, a list, a page, or one a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from gitloop.sources import cells
from gitloop.sources.aliases import FIELDS, Aliases
from gitloop.sources.annotations import Annotation, event_row
from gitloop.sources.documents import items
from gitloop.sources.lines import objects
from gitloop.sources.messages import peeled
from gitloop.sources.otel import SUMMED, OtelSpan, trace_row
from gitloop.sources.spanned import Fault, row_frames
from gitloop.tables import FEEDBACK, TRACES

Row = dict[str, Any]

_KINDS = {"EVAL": "LLM", "ANNOTATION": "HUMAN", "API": "API"}
_OF_SPANS = frozenset(
    {
        "id", "traceId", "startTime", "endTime", "parentObservationId", "type", "name", "level",
        "statusMessage", "input", "output", "model", "usageDetails", "costDetails", "metadata",
        "projectId",
    }
)  # fmt: skip
_OF_TRACES = ("userId", "tags", "release", "version", "environment", "metadata", "name")


class LangfuseSource:
    """Reads traces as Langfuse's API and user interface export them."""

    id: ClassVar[str] = "langfuse"
    version: ClassVar[str] = "1"
    reads_attributes: ClassVar[bool] = True

    def accepts(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether it is JSON in which Langfuse's names of a trace or an observation stand."""
        is_json = head.lstrip()[:1] in (b"{", b"[")
        has_trace = b'"observations"' in head or b'"traceId"' in head or b'"sessionId"' in head
        return is_json and has_trace and b'"projectId"' in head and b'"timestamp"' in head

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`.

        Raises:
            TableError: An item is no trace.
        """
        aliases = Aliases(columns)

        def rows(path: Path, fault: Fault) -> Iterator[tuple[int, Row]]:
            for place, trace, observations in _traces(path, fault):
                try:
                    yield place, _trace(place, trace, observations, aliases)
                except (cells.CellError, KeyError, TypeError, AttributeError) as error:
                    fault(place, f"no trace of Langfuse: {error}")

        return row_frames(rows, path, TRACES, self.id, columns)

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`: the scores on the traces."""

        def rows(path: Path, fault: Fault) -> Iterator[tuple[int, Row]]:
            for place, trace, _ in _traces(path, lambda _n, _words: None):
                for score in cells.objects_in(trace.get("scores")):
                    try:
                        yield place, _score(score, trace)
                    except (cells.CellError, TypeError, AttributeError) as error:
                        fault(place, f"no score of Langfuse: {error}")

        return row_frames(rows, path, FEEDBACK, self.id, columns, may_be_empty=True)


def _traces(path: Path, fault: Fault) -> Iterator[tuple[int, Row, list[Row]]]:
    """The place, the trace and the observations of every item."""
    for place, item in _items(path, fault):
        inner = item.get("trace")
        trace: Row = inner if isinstance(inner, dict) else item
        if not isinstance(trace.get("id"), str) or not trace["id"]:
            fault(place, "no trace of Langfuse: it has no id")
            continue
        # An export holds the observations twice; the list beside the trace has their texts.
        beside = cells.objects_in(item.get("observations"))
        yield place, trace, beside or cells.objects_in(trace.get("observations"))


def _items(path: Path, fault: Fault) -> Iterator[tuple[int, Row]]:
    if path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        yield from objects(path, fault)
        return
    yield from items(path, fault, ("data",))


def _trace(place: int, trace: Row, observations: list[Row], aliases: Aliases) -> Row:
    """A trace as a row of TRACES: its own input and output come before its observations'."""
    trace_id = str(trace["id"])
    spans = [_span(place, trace_id, observation) for observation in observations]
    head = _head(place, trace_id, trace)
    row = trace_row(trace_id, [head, *spans], aliases)
    row["spans"] = [span for span in row["spans"] if span["span_id"]] or None
    row["status"] = (
        "error" if any(s.status == "error" and s.parent_span_id is None for s in spans) else "ok"
    )
    row["latency_s"] = row["latency_s"] or trace.get("latency")
    row["attributes"] = {name: peeled(trace[name]) for name in _OF_TRACES if trace.get(name)}
    return row


def _head(place: int, trace_id: str, trace: Row) -> OtelSpan:
    """What the trace says about itself, as a span without an id that comes before all others."""
    attributes = _metadata(trace.get("metadata"))
    for figure in SUMMED:  # the observations have them, and none may count twice
        for name in FIELDS[figure]:
            attributes.pop(name, None)
    for name, value in (
        ("input.value", _text(trace.get("input"))),
        ("output.value", _text(trace.get("output"))),
        ("session.id", trace.get("sessionId")),
    ):
        if value is not None:
            attributes[name] = value
    started = trace.get("timestamp")
    at = cells.time(started) if started else None
    return OtelSpan(
        place, trace_id, "", None, str(trace.get("name") or ""),
        at, None, "unset", "", attributes,
    )  # fmt: skip


def _span(place: int, trace_id: str, raw: Row) -> OtelSpan:
    """An observation as a span."""
    attributes: Row = {
        f"langfuse.{name}": value
        for name, value in raw.items()
        if name not in _OF_SPANS and value not in (None, "", [], {})
    }
    attributes |= _metadata(raw.get("metadata"))
    if raw.get("promptName"):
        version = raw.get("promptVersion")
        named = raw["promptName"] if version is None else f"{raw['promptName']}@{version}"
        attributes["langfuse.observation.prompt.version"] = named
    usage = raw.get("usageDetails") or {}
    cost = raw.get("costDetails") or {}
    for name, value in (
        ("langfuse.observation.type", raw.get("type")),
        ("input.value", _text(raw.get("input"))),
        ("output.value", _text(raw.get("output"))),
        ("gen_ai.response.model", raw.get("model")),
        ("gen_ai.usage.input_tokens", usage.get("input")),
        ("gen_ai.usage.output_tokens", usage.get("output")),
        ("gen_ai.cost.total", cost.get("total") or None),
    ):
        if value is not None:
            attributes[name] = value
    times = [cells.time(raw[name]) if raw.get(name) else None for name in ("startTime", "endTime")]
    return OtelSpan(
        place=place,
        trace_id=trace_id,
        span_id=str(raw["id"]),
        parent_span_id=raw.get("parentObservationId"),
        name=str(raw.get("name") or ""),
        started_at=times[0],
        ended_at=times[1],
        status="error" if raw.get("level") == "ERROR" else "unset",
        status_message=str(raw.get("statusMessage") or ""),
        attributes=attributes,
    )


def _score(raw: Row, trace: Row) -> Row:
    """A score as a row of FEEDBACK: its evaluator, config and label stay in metadata."""
    kind = _KINDS.get(str(raw.get("source")), raw.get("source"))
    further = {
        "identifier": raw.get("id"),
        **{
            name: raw[name]
            for name in ("configId", "queueId", "executionTraceId", "dataType", "authorUserId")
            if raw.get(name)
        },
        **(cells.mapping(raw.get("metadata")) or {}),
    }
    scope = "span" if raw.get("observationId") else "trace"
    label = raw.get("stringValue")
    annotation = Annotation(
        scope, str(raw.get("name")), raw.get("value"), label, raw.get("comment"), kind, further
    )
    target = {"trace_id": raw.get("traceId") or trace["id"]}
    if raw.get("observationId"):
        target["span_id"] = raw["observationId"]
    row = event_row(annotation, target, raw.get("timestamp") or raw.get("createdAt"))
    return row | {"session_id": raw.get("sessionId") or trace.get("sessionId")}


def _metadata(value: Any) -> Row:  # noqa: ANN401 -- foreign data
    """Metadata as attributes: those that came over OpenTelemetry lie in its `attributes`."""
    metadata = cells.mapping(value) or {}
    inner = cells.mapping(metadata.get("attributes")) or {}
    own = {name: it for name, it in metadata.items() if name != "attributes"}
    return {**inner, **({"metadata": own} if own else {})}


def _text(value: Any) -> Any:  # noqa: ANN401 -- foreign data
    """A text without the layers of JSON that the export puts around it."""
    found = peeled(value)
    return None if found in (None, "") else found
