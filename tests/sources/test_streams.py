"""Files larger than memory: documents cut into items, spans sorted on the disk, bounds on both."""

from __future__ import annotations

import gzip
import io
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.errors import TableError
from gitloop.sources import documents, grouping, lines
from gitloop.sources.documents import items
from gitloop.sources.grouping import by_trace
from gitloop.sources.otel import OtelSpan
from gitloop.sources.otlp import OtlpSource
from gitloop.sources.protobuf import ProtobufError, trace_requests

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.lists(st.dictionaries(st.text(), _JSON, max_size=3), max_size=6)


def cut(path: Path, content: bytes, whole_bytes: int) -> tuple[list[Any], list[str]]:
    """The items of a document, and what is wrong with it."""
    path.write_bytes(content)
    faults: list[str] = []
    found = items(path, lambda n, words: faults.append(f"{n}: {words}"), ("data",), whole_bytes)
    return [item for _, item in found], faults


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is written again and again."""
    return tmp_path_factory.mktemp("cut") / "x.json"


@given(_OBJECTS, st.sampled_from([None, 1]), st.integers(1, 40), st.booleans())
def test_a_document_that_is_cut_has_the_same_items(
    scratch: Path, objects: list[Any], indent: int | None, whole_bytes: int, is_page: bool
) -> None:
    """Cut at any byte, in any layout, with brackets and quotes in texts: as if parsed at once."""
    page = {"meta": {"data": [[1], "]"]}, "x": "[{", "data": objects, "next": None}
    content = json.dumps(page if is_page else objects, indent=indent).encode()
    found, faults = cut(scratch, content, whole_bytes)
    assert (found, faults) == (objects, [])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'[{"a":1},{"b":2}', "3: not valid JSON: the document is cut off"),
        (b'[{"a":1},{"b":"x', "2: not valid JSON: the document is cut off"),
        (b'[{"a":1},5,{"b":2}]', "2: b'5' stands among the items"),
        (b'[{"a":1},{"b":}]', "2: not valid JSON"),
        (b'[{"a":1},[2]]', "2: a JSON list, not an object"),
    ],
)
def test_a_document_that_is_cut_has_the_same_faults(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    """What is torn, or no object, is told with the number of its item."""
    found, faults = cut(tmp_path / "x.json", content, 2)
    assert found[0] == {"a": 1}
    assert faults[0].startswith(fault[:30])


def test_an_item_larger_than_may_be_held_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line, an item and a message have a bound of their own; memory does not grow with them."""
    for module in (documents, lines):
        monkeypatch.setattr(module, "MAX_ITEM_BYTES", 1 << 20)
    huge = b'[{"a":"' + b"x" * (4 << 20) + b'"}]'
    found, faults = cut(tmp_path / "x.json", huge, 10)
    assert (found, faults) == ([], ["1: an item of more than 1 MB"])
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n' + huge)
    told: list[str] = []
    assert [n for n, _ in lines.objects(path, lambda n, words: told.append(f"{n}: {words}"))] == [1]
    assert told == ["2: a line of more than 1 MB"]


def test_a_message_cut_off_anywhere_is_no_request() -> None:
    """Protobuf that ends within a part, or is no such message, is refused."""
    part = b"\x0a\x04\x12\x02\x12\x00"
    assert (
        list(trace_requests(io.BytesIO(part * 3)))
        == [{"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}] * 3
    )
    for broken in (part[:1], part[:-1], b"\x0a\xff", b"\x0b", b"\x02\x00", b"\xff" * 12):
        with pytest.raises(ProtobufError):
            list(trace_requests(io.BytesIO(broken)))
    with pytest.raises(ProtobufError, match="number stands"):
        list(trace_requests(io.BytesIO(b"\x08\x01")))


def made(trace: int, number: int) -> OtelSpan:
    """A span."""
    ids = f"{trace:032x}", f"{number:016x}"
    return OtelSpan(0, *ids, None, "x", None, None, "ok", "", {"n": number, "text": "x" * 200})


def test_spans_sorted_on_the_disk_are_the_same_traces() -> None:
    """Whatever the order, and whether in memory or not: the same spans per trace, doubles once."""
    spans = [made(trace, number) for trace in range(40) for number in range(5)] * 2
    random.Random(0).shuffle(spans)
    small = dict(by_trace(spans, 0))
    large = dict(by_trace(spans, 200 << 20))
    assert small == large
    assert {len(found) for found in large.values()} == {5}


def test_the_memory_for_spans_does_not_grow_with_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Many spans that come in no order need no more than one file's worth of them at a time."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tracemalloc.start()
    spans = (made(number % 2000, number) for number in range(6_000))
    n = sum(len(found) for _, found in by_trace(spans, 4 << 30))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n == 6_000
    assert peak < 3 << 20
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_reads_as_a_small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTLP as a document, a list, lines and gzip, held or streamed: the same traces."""
    spans = [
        {
            "traceId": f"{n % 9:032x}" if n % 9 else "f" * 32,
            "spanId": f"{n + 1:016x}",
            "name": f"span {n}",
            "startTimeUnixNano": str(1_747_665_180_000_000_000 + n),
            "attributes": [{"key": "input.value", "value": {"stringValue": f'"[{{{n}'}}],
        }
        for n in range(60)
    ]
    parts = [
        {"resource": {"attributes": []}, "scopeSpans": [{"spans": spans[n::4]}]} for n in range(4)
    ]
    contents = {
        "a.json": json.dumps({"resourceSpans": parts}, indent=1),
        "b.json": json.dumps([{"resourceSpans": [part]} for part in parts]),
        "c.jsonl": "".join(json.dumps({"resourceSpans": [part]}) + "\n" for part in parts),
    }
    found = []
    for is_streamed in (False, True):
        if is_streamed:
            monkeypatch.setattr(grouping, "IN_MEMORY_BYTES", 0)
            monkeypatch.setattr(documents, "WHOLE_BYTES", 50)
            monkeypatch.setattr("gitloop.sources.otlp.files.WHOLE_BYTES", 5000)
        for name, content in contents.items():
            for path, packed in (
                (tmp_path / name, content.encode()),
                (tmp_path / f"{name}.gz", gzip.compress(content.encode())),
            ):
                path.write_bytes(packed)
                traces = pl.concat(OtlpSource().traces(path, {})).sort("trace_id")
                found.append(traces.drop("attributes"))
    assert found[0].height == 9
    assert all(traces.equals(found[0]) for traces in found)


def test_a_torn_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that ends within an item is refused whole, held or streamed."""
    monkeypatch.setattr(grouping, "IN_MEMORY_BYTES", 0)
    path = tmp_path / "x.json"
    path.write_text('{"resourceSpans": [\n{"scopeSpans": [{"spans": []}]}, {"scopeSpans": [')
    with pytest.raises(TableError, match="not valid JSON"):
        list(OtlpSource().traces(path, {}))
