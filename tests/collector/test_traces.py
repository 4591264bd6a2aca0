"""POST /v1/traces: OTLP in both encodings becomes lines that sealing reads, or is refused."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gitloop.collector.refusals import Refusal
from gitloop.collector.traces import JSON, PROTOBUF, read
from tests.collected import Answer, ask, lines, living, settings

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "openinference_replay"
NOW = datetime(2026, 5, 19, 14, 33, tzinfo=UTC)


def span(**other: Any) -> dict[str, Any]:  # noqa: ANN401
    """A span in OTLP's JSON form."""
    return {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "name": "answer",
        "startTimeUnixNano": "1747665180000000000",
        "endTimeUnixNano": "1747665181000000000",
        **other,
    }


def request(*spans: Any) -> bytes:  # noqa: ANN401
    """A request with the spans."""
    scopes = [{"scope": {"name": "app"}, "spans": list(spans)}]
    return json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": scopes}]}).encode()


def asked(folder: Path, *bodies: tuple[bytes, dict[str, str]]) -> list[Answer]:
    """The answers to bodies that are sent one after the other."""

    async def scenario() -> list[Answer]:
        async with living(settings(folder)) as app:
            return [await ask(app, "POST /v1/traces", *body) for body in bodies]

    return asyncio.run(scenario())


def kind(name: bytes, **other: str) -> dict[str, str]:
    """Headers of a request of this content type."""
    return {"content-type": name.decode(), **other}


def test_json_and_protobuf_become_lines(tmp_path: Path) -> None:
    """The answer has the encoding of the request; the line holds the request and when it came."""
    sound, packed = asked(
        tmp_path,
        (request(span()), kind(b"application/json; charset=utf-8")),
        (gzip.compress(request(span())), kind(JSON, **{"content-encoding": "gzip"})),
    )
    assert (sound.status, sound.body, packed.status) == (200, b"{}", 200)
    found = lines(tmp_path / "traces")
    assert len(found) == 2
    assert found[0]["resourceSpans"] == json.loads(request(span()))["resourceSpans"]
    assert datetime.fromisoformat(found[0]["receivedAt"]).tzinfo is not None


def test_the_replayed_protobuf_is_taken_whole(tmp_path: Path) -> None:
    """The 135 spans of the real exporter's protobuf arrive as they do in its JSON."""
    if not DATA.exists():
        pytest.skip(f"the shared public data is not at {DATA}")
    (answer,) = asked(tmp_path, ((DATA / "spans.otlp.pb").read_bytes(), kind(PROTOBUF)))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    (found,) = lines(tmp_path / "traces")
    spans = [
        one
        for resource in found["resourceSpans"]
        for scope in resource["scopeSpans"]
        for one in scope["spans"]
    ]
    assert len(spans) == 135


def test_faulty_spans_are_counted_and_the_others_taken(tmp_path: Path) -> None:
    """OTLP's partial success says how many were refused and why, in either encoding."""
    body = request(span(), span(traceId="00"), span(startTimeUnixNano="-5"), 7)
    (answer,) = asked(tmp_path, (body, kind(JSON)))
    partial = answer.value["partialSuccess"]
    assert (answer.status, partial["rejectedSpans"]) == (200, "3")
    assert "a span without traceId" in partial["errorMessage"]
    (found,) = lines(tmp_path / "traces")
    assert len(found["resourceSpans"][0]["scopeSpans"][0]["spans"]) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", JSON, 200),
        (b"", PROTOBUF, 200),
        (b"", JSON, 400),
        (b"[]", JSON, 400),
        (b'{"resourceMetrics":[]}', JSON, 400),
        (b'{"resourceSpans":[{"scopeSpans":"x"}]}', JSON, 200),
        (b"\xff\xff", PROTOBUF, 400),
        (b"\n\x05abc", PROTOBUF, 400),
        (b"{}", b"text/plain", 415),
        (b"[" * 100_000, JSON, 400),
        (request(span(attributes=[{"key": "x", "value": {"intValue": "9" * 6000}}])), JSON, 200),
    ],
)
def test_what_is_no_request_leaves_no_line(
    tmp_path: Path, body: bytes, content_type: bytes, status: int
) -> None:
    """Emptiness is success without a line; anything else is a 4xx in the sender's encoding."""
    (answer,) = asked(tmp_path, (body, kind(content_type)))
    assert answer.status == status
    assert lines(tmp_path / "traces") == []
    if content_type == PROTOBUF:
        assert answer.headers["content-type"] == "application/x-protobuf"


def test_values_nested_without_end_are_refused(tmp_path: Path) -> None:
    """A list in a list in a list, deeper than any line could hold, is no server error."""
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(150):
        value = {"arrayValue": {"values": [value]}}
    (answer,) = asked(
        tmp_path, (request(span(attributes=[{"key": "a", "value": value}])), kind(JSON))
    )
    assert answer.status in (200, 400)


_FIELD = st.tuples(st.integers(0, 2**8), st.integers(0, 7), st.binary(max_size=12))


@hypothesis_settings(deadline=None, max_examples=300)
@given(
    st.binary(max_size=120)
    | st.lists(_FIELD, max_size=6).map(
        lambda fields: b"".join(
            bytes([(number << 3 | wire) & 0x7F, len(data)]) + data for number, wire, data in fields
        )
    ),
    st.sampled_from([JSON, PROTOBUF]),
)
def test_any_bytes_are_spans_or_a_refusal(body: bytes, content_type: bytes) -> None:
    """Whatever comes under either content type is read or refused; nothing else happens."""
    try:
        reading = read(body, content_type, NOW)
    except Refusal:
        return
    assert (reading.n_spans > 0) == bool(reading.entries)


_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["key", "value", "intValue", "arrayValue", "values", "stringValue", "x"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@hypothesis_settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "traceId",
                "spanId",
                "parentSpanId",
                "name",
                "startTimeUnixNano",
                "endTimeUnixNano",
                "attributes",
                "events",
                "links",
                "status",
                "kind",
            ]
        ),
        _VALUE,
    )
)
def test_any_span_is_taken_or_counted(fields: dict[str, Any]) -> None:
    """A span with anything in any field is in the line, or among those that were refused."""
    try:
        body = request({**span(), **fields})
        reading = read(body, JSON, NOW)
    except Refusal:
        return
    assert reading.n_spans + reading.n_refused == 1
