"""OpenInference spans as JSON lines, one span a line, as the OpenTelemetry SDKs print them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import orjson
import polars as pl

from gitloop.sources import cells
from gitloop.sources.lines import objects
from gitloop.sources.otel import Attributes, OtelSpan, SpanEvent, with_content_events
from gitloop.sources.spanned import Fault, feedback_frames, trace_frames

_STATUS = {"ok": "ok", "error": "error"}


class OpenInferenceSource:
    """Reads spans as the OpenTelemetry SDKs print them, with attributes of any convention."""

    id: ClassVar[str] = "openinference"
    version: ClassVar[str] = "1"
    reads_attributes: ClassVar[bool] = True

    def accepts(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether the first line is an object with a context, a name and attributes."""
        line = head.lstrip(b"\xef\xbb\xbf \r\n").split(b"\n", 1)[0]
        try:
            first = orjson.loads(line)
        except orjson.JSONDecodeError:
            # The first span may be longer than the head.
            return line[:1] == b"{" and b'"context":' in line and b'"trace_id":' in line
        return isinstance(first, dict) and "trace_id" in (cells.mapping(first.get("context")) or {})

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`.

        Raises:
            TableError: A line is no span.
        """
        return trace_frames(_spans, path, self.id, columns)

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`: the annotations and evaluations on the spans."""
        return feedback_frames(_spans, path, self.id, columns)


def sdk_span(place: int, raw: Mapping[str, Any]) -> OtelSpan:
    """A span as an SDK prints it.

    Raises:
        KeyError: It has no ids.
        CellError: A time in it is none.
        TypeError: It is put together otherwise.
    """
    context = raw["context"]
    events = tuple(
        SpanEvent(
            str(event.get("name", "")), _time(event.get("timestamp")), event.get("attributes") or {}
        )
        for event in cells.objects_in(raw.get("events"))
    )
    links = tuple(
        (hex_id(link["context"]["trace_id"]) or "", hex_id(link["context"]["span_id"]) or "")
        for link in cells.objects_in(raw.get("links"))
        if isinstance(link.get("context"), dict)
    )
    status = raw.get("status") or {}
    code = str(status.get("status_code", "")).lower().removeprefix("statuscode.")
    trace_id, span_id = hex_id(context["trace_id"]), hex_id(context["span_id"])
    if trace_id is None or span_id is None:
        raise KeyError("ids")
    attributes: Attributes = dict(raw.get("attributes") or {})
    return OtelSpan(
        place=place,
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=hex_id(raw.get("parent_id")),
        name=str(raw.get("name", "")),
        started_at=_time(raw.get("start_time")),
        ended_at=_time(raw.get("end_time")),
        status=_STATUS.get(code, "unset"),
        status_message=str(status.get("description") or ""),
        attributes=with_content_events(attributes, events),
        events=events,
        links=links,
        resource=dict((raw.get("resource") or {}).get("attributes") or {}),
    )


def hex_id(value: Any) -> str | None:  # noqa: ANN401 -- foreign data
    """An id in lower case without its 0x; None where there is none."""
    return str(value).lower().removeprefix("0x") if value else None


def _spans(path: Path, fault: Fault) -> Iterator[OtelSpan]:
    for place, raw in objects(path, fault):
        try:
            yield sdk_span(place, raw)
        except KeyError as error:
            fault(place, f"a span without {error.args[0]}")
        except (cells.CellError, TypeError, AttributeError, ValueError) as error:
            fault(place, f"no span: {error}")


def _time(value: Any) -> Any:  # noqa: ANN401 -- a datetime or None
    return None if value in (None, "") else cells.time(value)
