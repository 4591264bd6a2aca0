"""POST /v1/traces: OTLP over HTTP, as JSON or protobuf. A request becomes one line of OTLP JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from gitloop.collector.commits import Entry
from gitloop.collector.refusals import Refusal
from gitloop.sources.otlp.requests import KEYS, RECEIVED_AT, filtered
from gitloop.sources.protobuf import ProtobufError, trace_request

JSON = b"application/json"
PROTOBUF = b"application/x-protobuf"

_LONGEST_WORDS = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """What a body holds.

    Attributes:
        n_spans: Spans that are sound.
        entries: The line with all of them; none where there is no span.
        n_refused: Spans that are not.
        words: What is wrong with the first of them, or "".
    """

    n_spans: int
    entries: list[Entry]
    n_refused: int
    words: str


def read(body: bytes, content_type: bytes, now: datetime) -> Reading:
    """The spans in a body; those with a fault are left out and counted.

    Args:
        body: An ExportTraceServiceRequest.
        content_type: The request's, without its parameters.
        now: When it came, UTC.

    Raises:
        Refusal: It is of another type, or no such request.
    """
    request = _request(body, content_type)
    found: list[str] = []
    kept, n_spans = filtered(request, lambda _place, words: found.append(words), lambda _span: True)
    if not n_spans:
        return Reading(0, [], len(found), "; ".join(found[:3])[:_LONGEST_WORDS])
    kept[RECEIVED_AT] = now.astimezone(UTC).isoformat(timespec="milliseconds")
    try:
        line = orjson.dumps(kept, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as error:
        raise Refusal(400, f"the request cannot be kept: {error}") from error
    return Reading(n_spans, [Entry(line)], len(found), "; ".join(found[:3])[:_LONGEST_WORDS])


def answer(reading: Reading, content_type: bytes) -> bytes:
    """An ExportTraceServiceResponse in the encoding of the request."""
    if content_type == PROTOBUF:
        if not reading.n_refused:
            return b""
        partial = _field(1, reading.n_refused) + _field(2, reading.words)
        return b"\x0a" + _varint(len(partial)) + partial
    if not reading.n_refused:
        return b"{}"
    partial_success = {
        "rejectedSpans": str(reading.n_refused),
        "errorMessage": reading.words,
    }
    return orjson.dumps({"partialSuccess": partial_success})


def status_message(words: str) -> bytes:
    """A google.rpc.Status, which OTLP wants in the body of a refusal in protobuf."""
    return _field(2, words)


def _request(body: bytes, content_type: bytes) -> Mapping[str, Any]:
    if content_type == PROTOBUF:
        try:
            return trace_request(body)
        except ProtobufError as error:
            raise Refusal(400, f"no OTLP request in protobuf: {error}") from error
    if content_type != JSON:
        raise Refusal(415, f"spans come as {JSON.decode()} or {PROTOBUF.decode()}")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"the body is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise Refusal(400, f"a JSON {type(found).__name__}, not an OTLP request")
    if found and not any(name in found for name in KEYS):
        raise Refusal(400, "no OTLP request of spans: it has no resourceSpans")
    return found


def _field(number: int, value: int | str) -> bytes:
    """A protobuf field: a number as a varint, text as bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    encoded = value.encode("utf-8", "replace")
    return _varint(number << 3 | 2) + _varint(len(encoded)) + encoded


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
