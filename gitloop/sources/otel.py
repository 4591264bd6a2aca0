"""Spans of any encoding, and how they become traces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gitloop.sources import cells
from gitloop.sources.aliases import Aliases
from gitloop.sources.messages import answer, documents, peeled, question
from gitloop.sources.spans import in_order

Attributes = dict[str, Any]

SUMMED = ("n_input_tokens", "n_output_tokens", "cost_usd")
"""Our fields that are sums over the spans of a trace."""

_COST_DIGITS = 12

CONTENT_EVENTS = frozenset(
    {
        "gen_ai.client.inference.operation.details",
        "gen_ai.content.prompt",
        "gen_ai.content.completion",
    }
)
"""Span events in whose attributes older and newer gen_ai conventions put messages."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened within a span."""

    name: str
    at: datetime | None
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class OtelSpan:
    """A span, whatever it was encoded in.

    Attributes:
        place: Number of the line or item it came from, for messages.
        trace_id: 32 hex digits, lower case, or whatever the exporter uses.
        span_id: 16 hex digits, lower case, or whatever the exporter uses.
        parent_span_id: Its parent's, or None for a root.
        name: What was done.
        started_at: UTC.
        ended_at: UTC.
        status: "ok", "error" or "unset".
        status_message: What went wrong, or "".
        attributes: Flat; `metadata` is parsed where it is JSON text.
        events: In order.
        links: (trace_id, span_id) of each span that it points to.
        resource: Attributes of what emitted it.
    """

    place: int
    trace_id: str
    span_id: str
    parent_span_id: str | None
    name: str
    started_at: datetime | None
    ended_at: datetime | None
    status: str
    status_message: str
    attributes: Attributes
    events: tuple[SpanEvent, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    resource: Attributes = field(default_factory=dict)


def with_content_events(span_attributes: Attributes, events: Sequence[SpanEvent]) -> Attributes:
    """The attributes with metadata parsed, and with those of events that carry messages."""
    merged = dict(span_attributes)
    for event in events:
        if event.name in CONTENT_EVENTS:
            for name, value in event.attributes.items():
                merged.setdefault(name, value)
    metadata = cells.mapping(merged.get("metadata"))
    if metadata is not None:
        merged["metadata"] = metadata
    return merged


def trace_row(trace_id: str, spans: Sequence[OtelSpan], aliases: Aliases) -> dict[str, Any]:
    """A trace as a row of TRACES, from its spans in any order.

    What the root says comes before what its descendants say. Tokens and cost are summed over the
    spans that have no descendant with such a figure, so that none counts twice.
    """
    ordered = sorted(spans, key=_by_start)
    roots = _roots(ordered)
    llms = [span for span in ordered if aliases.kind(span.attributes) == "LLM"]
    first = [*roots, *(span for span in ordered if span not in roots)]
    starts = [span.started_at for span in ordered if span.started_at]
    ends = [span.ended_at for span in ordered if span.ended_at]
    row: dict[str, Any] = {
        "trace_id": trace_id,
        "created_at": min(starts, default=None),
        "input": _first_text("input", question, [*roots, *llms, *ordered], aliases) or "",
        "output": _first_text("output", answer, [*roots, *reversed(llms)], aliases),
        "context": _context(ordered, aliases),
        "model": _first("model", [*llms, *first], aliases),
        "status": "error" if any(span.status == "error" for span in roots) else "ok",
        "latency_s": _latency(starts, ends),
        "spans": in_order([_span_cells(span, aliases) for span in ordered]),
        "attributes": _trace_attributes(roots, first),
    }
    for name in SUMMED:
        row[name] = _sum(name, ordered, aliases)
    for name in ("session_id", "group_id", "route", "user_cohort", "prompt_version"):
        row[name] = _first(name, first, aliases)
    return row


def _by_start(span: OtelSpan) -> tuple[bool, float, str]:
    start = span.started_at
    return (start is None, start.timestamp() if start else 0.0, span.span_id)


def _roots(ordered: Sequence[OtelSpan]) -> list[OtelSpan]:
    """The spans whose parent is not part of the trace: one, where the trace is whole."""
    ids = {span.span_id for span in ordered}
    whole = [span for span in ordered if span.parent_span_id is None]
    return whole or [span for span in ordered if span.parent_span_id not in ids]


def _first(name: str, spans: Iterable[OtelSpan], aliases: Aliases) -> Any:  # noqa: ANN401
    for span in spans:
        found = aliases.find(name, span.attributes)
        if found is None:
            found = aliases.find(name, span.resource)
        if found is not None:
            return found
    return None


def _first_text(name: str, read: Any, spans: Iterable[OtelSpan], aliases: Aliases) -> str | None:  # noqa: ANN401
    for span in spans:
        text: str | None = read(aliases.find(name, span.attributes))
        if text:
            return text
    return None


def _context(ordered: Sequence[OtelSpan], aliases: Aliases) -> str | None:
    found = [documents(aliases.find("context", span.attributes)) for span in ordered]
    return "\n\n".join(dict.fromkeys(text for text in found if text)) or None


def _latency(starts: Sequence[datetime], ends: Sequence[datetime]) -> float | None:
    if not starts or not ends:
        return None
    return max(0.0, (max(ends) - min(starts)).total_seconds())


def _sum(name: str, ordered: Sequence[OtelSpan], aliases: Aliases) -> float | int | None:
    figures: dict[str, float | int] = {}
    for span in ordered:
        found = aliases.find(name, span.attributes)
        try:
            if found is not None:
                figures[span.span_id] = (
                    cells.amount(found) if name == "cost_usd" else cells.count(found)
                )
        except cells.CellError:
            continue  # the span keeps what it said in its attributes
    parents = {span.span_id: span.parent_span_id for span in ordered}
    counted_below: set[str] = set()
    for span_id in figures:
        above = parents.get(span_id)
        while above is not None and above not in counted_below:
            counted_below.add(above)
            above = parents.get(above)
    lowest = [value for span_id, value in figures.items() if span_id not in counted_below]
    return round(sum(lowest), _COST_DIGITS) if lowest else None


def _span_cells(span: OtelSpan, aliases: Aliases) -> dict[str, Any]:
    """A span as the column `spans` holds it."""
    left = dict(span.attributes)
    texts = {}
    for name, key in (("input", "input.value"), ("output", "output.value")):
        found = aliases.find(name, span.attributes)
        texts[name] = None if found is None else cells.text(found)
        if found is not None and left.get(key) is found:
            del left[key]
    if span.events:
        left["events"] = [
            {"name": event.name, "at": event.at and cells.iso(event.at), **event.attributes}
            for event in span.events
        ]
    if span.links:
        left["links"] = [{"trace_id": trace, "span_id": other} for trace, other in span.links]
    if span.status_message:
        left["status_message"] = span.status_message
    return {
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": span.name,
        "kind": aliases.kind(span.attributes),
        "started_at": span.started_at,
        "ended_at": span.ended_at,
        "status": span.status,
        **texts,
        "attributes": cells.json_text(left) if left else None,
    }


_OF_THE_TRACE = ("user.id", "enduser.id", "langfuse.user.id", "tag.tags", "metadata")


def _trace_attributes(roots: Sequence[OtelSpan], spans: Sequence[OtelSpan]) -> Mapping[str, Any]:
    """What is said about the trace as a whole: its resource, its user, its tags and metadata."""
    found: dict[str, Any] = {}
    for span in reversed(spans):
        found |= {f"resource.{name}": value for name, value in span.resource.items()}
    for span in reversed(roots):
        found |= {name: span.attributes[name] for name in _OF_THE_TRACE if name in span.attributes}
        found["name"] = span.name
    return {name: peeled(value) if name == "metadata" else value for name, value in found.items()}
