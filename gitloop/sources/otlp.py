"""OTLP: requests of spans as JSON (one document, or one a line) or as protobuf, gzip or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import orjson
import polars as pl

from gitloop.sources import cells
from gitloop.sources.lines import BROKEN_GZIP, objects, open_plain
from gitloop.sources.otel import Attributes, OtelSpan, SpanEvent, with_content_events
from gitloop.sources.protobuf import ProtobufError, trace_request
from gitloop.sources.spanned import Fault, feedback_frames, trace_frames

_KEY = re.compile(rb'"(resourceSpans|resource_spans)"\s*:')
_ZERO = re.compile(r"^0*$")
_MAX_DEPTH = 64
_STATUS = {0: "unset", 1: "ok", 2: "error"}
_STATUS_NAMES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


class OtlpSource:
    """Reads what an OpenTelemetry exporter sends, or what a collector writes to a file.

    The spans of one file are put together into traces in memory.
    """

    id: ClassVar[str] = "otlp"
    version: ClassVar[str] = "1"
    reads_attributes: ClassVar[bool] = True

    def accepts(self, path: Path, head: bytes) -> bool:
        """Whether it begins with a request's JSON, or is named and begins as its protobuf."""
        if _KEY.search(head[:4096]):
            return head.lstrip()[:1] in (b"{", b"[")
        name = path.name.removesuffix(".gz")
        return name.endswith((".pb", ".bin", ".otlp", ".protobuf")) and head[:1] == b"\n"

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`.

        Raises:
            TableError: It is no OTLP, or a span has no ids or a time that is none.
        """
        return trace_frames(_spans, path, self.id, columns)

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`: the annotations and evaluations on the spans."""
        return feedback_frames(_spans, path, self.id, columns)


def request_spans(place: int, request: Mapping[str, Any], fault: Fault) -> Iterator[OtelSpan]:
    """The spans of one request in its JSON form; `fault` is told of those that are none."""
    for resource_spans in _objects(place, request, fault, "resourceSpans", "resource_spans"):
        resource = flat(_list(_object(resource_spans, "resource"), "attributes"))
        for scope_spans in _objects(place, resource_spans, fault, "scopeSpans", "scope_spans"):
            scope = _scope(_object(scope_spans, "scope"))
            for raw in _objects(place, scope_spans, fault, "spans"):
                try:
                    yield _span(place, raw, resource, scope)
                except cells.CellError as error:
                    fault(place, f"a span with a time that is {error}")
                except (AttributeError, TypeError, ValueError) as error:
                    fault(place, f"a span that is none: {error}")
                except KeyError as error:
                    fault(place, f"a span without {error.args[0]}")


def flat(attributes: list[Any]) -> Attributes:
    """A list of OTLP key-value pairs as a dict."""
    found = {}
    for pair in attributes:
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            found[pair["key"]] = _value(pair.get("value"), 0)
    return found


def _spans(path: Path, fault: Fault) -> Iterator[OtelSpan]:
    n_requests = 0
    for place, request in _requests(path, fault):
        if not any(name in request for name in ("resourceSpans", "resource_spans")):
            fault(place, "no OTLP request of spans: it has no resourceSpans")
            continue
        n_requests += 1
        yield from request_spans(place, request, fault)


def _requests(path: Path, fault: Fault) -> Iterator[tuple[int, dict[str, Any]]]:
    """The requests in the file: its lines where the first is one, else the whole document."""
    try:
        with open_plain(path) as handle:
            first = handle.readline()
            is_protobuf = first[:1] == b"\n" and not _is_json(first + handle.readline())
            handle.seek(0)
            is_whole = is_protobuf or first.lstrip()[:1] == b"[" or not _is_json(first)
            content = handle.read() if is_whole else b""
    except BROKEN_GZIP as error:
        fault(1, f"the gzip data is broken: {error}")
        return
    if is_protobuf:
        try:
            yield 1, trace_request(content)
        except ProtobufError as error:
            fault(1, f"no OTLP protobuf: {error}")
    elif content:
        yield from _document(content, fault)
    else:
        yield from objects(path, fault)


def _document(content: bytes, fault: Fault) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        fault(error.lineno, f"not valid JSON: {str(error.msg).split(': line')[0]}")
        return
    for n, request in enumerate(found if isinstance(found, list) else [found], start=1):
        if isinstance(request, dict):
            yield n, request
        else:
            fault(n, f"a JSON {type(request).__name__}, not a request")


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _scope(raw: Mapping[str, Any]) -> Attributes:
    """The instrumentation scope, under the names that OTel gives it outside of OTLP."""
    named = {f"otel.scope.{name}": raw[name] for name in ("name", "version") if raw.get(name)}
    further = flat(_list(raw, "attributes"))
    return named | {f"otel.scope.{name}": value for name, value in further.items()}


def _span(place: int, raw: Mapping[str, Any], resource: Attributes, scope: Attributes) -> OtelSpan:
    """One span of OTLP's JSON form.

    Raises:
        KeyError: It has no traceId or no spanId.
        CellError: A time in it is none.
    """
    trace_id, span_id = _id(raw, "traceId", "trace_id"), _id(raw, "spanId", "span_id")
    if trace_id is None:
        raise KeyError("traceId")
    if span_id is None:
        raise KeyError("spanId")
    events = tuple(
        SpanEvent(
            str(event.get("name", "")),
            _time(_get(event, "timeUnixNano", "time_unix_nano")),
            flat(_list(event, "attributes")),
        )
        for event in _list(raw, "events")
    )
    links = tuple(
        (_id(link, "traceId", "trace_id") or "", _id(link, "spanId", "span_id") or "")
        for link in _list(raw, "links")
    )
    status = raw.get("status") or {}
    code = status.get("code", 0)
    return OtelSpan(
        place=place,
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=_id(raw, "parentSpanId", "parent_span_id"),
        name=str(raw.get("name", "")),
        started_at=_time(_get(raw, "startTimeUnixNano", "start_time_unix_nano")),
        ended_at=_time(_get(raw, "endTimeUnixNano", "end_time_unix_nano")),
        status=_STATUS.get(_STATUS_NAMES.get(code, code), "unset"),
        status_message=str(status.get("message") or ""),
        attributes=with_content_events(scope | flat(_list(raw, "attributes")), events),
        events=events,
        links=links,
        resource=resource,
    )


def _value(value: Any, depth: int) -> Any:  # noqa: ANN401 -- an AnyValue is anything
    """An OTLP AnyValue as a plain value."""
    if not isinstance(value, dict) or depth > _MAX_DEPTH:
        return value
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return [_value(item, depth + 1) for item in _list(value["arrayValue"] or {}, "values")]
    if "kvlistValue" in value:
        return flat(_list(value["kvlistValue"] or {}, "values"))
    return _get(value, "stringValue", "boolValue", "doubleValue", "bytesValue")


def _id(raw: Mapping[str, Any], *names: str) -> str | None:
    """An id in lower case; None where it is absent, empty or all zeros."""
    found = _get(raw, *names)
    return None if found is None or _ZERO.match(str(found)) else str(found).lower()


def _time(nanoseconds: Any) -> Any:  # noqa: ANN401 -- a datetime or None
    if nanoseconds in (None, "", 0, "0"):
        return None
    if isinstance(nanoseconds, str):
        if not nanoseconds.isdecimal():
            raise cells.CellError(f"{nanoseconds!r}, not a number of nanoseconds")
        nanoseconds = int(nanoseconds)
    return cells.since_epoch(nanoseconds)


def _get(raw: Mapping[str, Any], *names: str) -> Any:  # noqa: ANN401 -- foreign data
    return next((raw[name] for name in names if name in raw), None)


def _object(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _objects(
    place: int, raw: Mapping[str, Any], fault: Fault, *names: str
) -> Iterator[dict[str, Any]]:
    """The objects in a list of the message; `fault` is told of what is no object."""
    for item in _list(raw, *names):
        if isinstance(item, dict):
            yield item
        else:
            fault(place, f"{names[0]} holds a JSON {type(item).__name__}, not an object")


def _list(raw: Mapping[str, Any], *names: str) -> list[Any]:
    found = _get(raw, *names)
    return found if isinstance(found, list) else []
