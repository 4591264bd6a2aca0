"""OTLP requests in their JSON form, whatever they were encoded in, and the spans in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gitloop.sources import cells
from gitloop.sources.otel import Attributes, OtelSpan, SpanEvent, with_content_events
from gitloop.sources.spanned import Fault

KEYS = ("resourceSpans", "resource_spans")
"""What a request of spans has: its JSON name, and the name that some tools write."""

RECEIVED_AT = "receivedAt"
"""What the collector adds to a request: when it came. OTLP knows no such field and skips it."""

_SCOPES = ("scopeSpans", "scope_spans")
_ZERO = re.compile(r"^0*$")
_MAX_DEPTH = 64
_STATUS = {0: "unset", 1: "ok", 2: "error"}
_STATUS_NAMES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


def request_spans(place: int, request: Mapping[str, Any], fault: Fault) -> Iterator[OtelSpan]:
    """The spans of one request in its JSON form; `fault` is told of those that are none."""
    for resource_spans in _objects(place, request, fault, *KEYS):
        resource = flat(_list(_object(resource_spans, "resource"), "attributes"))
        for scope_spans in _objects(place, resource_spans, fault, *_SCOPES):
            scope = _scope(_object(scope_spans, "scope"))
            for raw in _objects(place, scope_spans, fault, "spans"):
                span = _sound(place, raw, (resource, scope), fault)
                if span is not None:
                    yield span


def filtered(
    request: Mapping[str, Any], fault: Fault, is_wanted: Callable[[OtelSpan], bool]
) -> tuple[dict[str, Any], int]:
    """The request with its sound and wanted spans alone, as they were, and how many those are."""
    n = 0
    resources = []
    for resource_spans in _objects(1, request, fault, *KEYS):
        scopes = []
        for scope_spans in _objects(1, resource_spans, fault, *_SCOPES):
            spans = []
            for raw in _objects(1, scope_spans, fault, "spans"):
                span = _sound(1, raw, ({}, {}), fault)
                if span is not None and is_wanted(span):
                    spans.append(raw)
            if spans:
                scopes.append({**scope_spans, "spans": spans})
                n += len(spans)
        if scopes:
            others = {name: it for name, it in resource_spans.items() if name not in _SCOPES}
            resources.append({**others, _SCOPES[0]: scopes})
    return {KEYS[0]: resources}, n


def _sound(
    place: int, raw: Mapping[str, Any], owners: tuple[Attributes, Attributes], fault: Fault
) -> OtelSpan | None:
    """The span with what its resource and scope say; None, and a word, where it is none."""
    try:
        return _span(place, raw, *owners)
    except cells.CellError as error:
        fault(place, f"a span with a time that is {error}")
    except (AttributeError, TypeError, ValueError) as error:
        fault(place, f"a span that is none: {error}")
    except KeyError as error:
        fault(place, f"a span without {error.args[0]}")
    return None


def flat(attributes: list[Any]) -> Attributes:
    """A list of OTLP key-value pairs as a dict."""
    found = {}
    for pair in attributes:
        if isinstance(pair, dict) and isinstance(pair.get("key"), str):
            found[pair["key"]] = _value(pair.get("value"), 0)
    return found


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
        number = int(value["intValue"])
        return number if -(1 << 63) <= number < 1 << 63 else str(number)
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
    if isinstance(nanoseconds, str) and not nanoseconds.isdecimal():
        raise cells.CellError(f"{nanoseconds!r}, not a number of nanoseconds")
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
