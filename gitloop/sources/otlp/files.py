"""The requests in a file: one a line, one document, or protobuf; none of them is held whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from gitloop.sources.documents import WHOLE_BYTES, items
from gitloop.sources.lines import BROKEN_GZIP, objects, open_plain
from gitloop.sources.otlp.requests import KEYS
from gitloop.sources.protobuf import ProtobufError, trace_requests
from gitloop.sources.spanned import Fault

_OF_A_PART = ("resource", "scopeSpans", "scope_spans")

Request = tuple[int, dict[str, Any]]


def requests(path: Path, fault: Fault) -> Iterator[Request]:
    """The place and the request of each line, item or message; `fault` is told of what is none."""
    try:
        with open_plain(path) as handle:
            first = handle.readline(WHOLE_BYTES)
            second = handle.readline(WHOLE_BYTES) if first == b"\n" else b""
        is_protobuf = first[:1] == b"\n" and not _is_json(first + second)
        if is_protobuf:
            yield from _messages(path, fault)
        elif first.lstrip()[:1] == b"[" or not _is_json(first):
            yield from _items(path, fault)
        else:
            yield from objects(path, fault)
    except BROKEN_GZIP as error:
        fault(1, f"the gzip data is broken: {error}")


def _items(path: Path, fault: Fault) -> Iterator[Request]:
    """The requests of a document; of one request, its parts as requests of their own."""
    for n, item in items(path, fault, KEYS):
        is_part = any(name in item for name in _OF_A_PART)
        yield n, ({KEYS[0]: [item]} if is_part else item)


def _messages(path: Path, fault: Fault) -> Iterator[Request]:
    n = 0
    with open_plain(path) as handle:
        try:
            for n, request in enumerate(trace_requests(handle), start=1):
                yield n, request
        except ProtobufError as error:
            fault(n + 1, f"no OTLP protobuf: {error}")


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
