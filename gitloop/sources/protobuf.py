"""OTLP's protobuf encoding, read without generated code: a request of spans as its JSON form.

Field numbers are those of opentelemetry-proto (trace/v1, common/v1, resource/v1), which are frozen;
unknown fields are skipped, as protobuf demands.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from gitloop.sources.lines import MAX_ITEM_BYTES

_MAX_DEPTH = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Reader = Callable[[Any, int], Any]
Layout = Mapping[int, tuple[str, Reader, bool]]


class ProtobufError(ValueError):
    """The bytes are not the message that they should be."""


def trace_request(data: bytes) -> dict[str, Any]:
    """An ExportTraceServiceRequest as its JSON form.

    Raises:
        ProtobufError: The bytes are cut off, nested too deep, or no such message.
    """
    return _message(data, _REQUEST, 0)


def trace_requests(handle: BinaryIO) -> Iterator[dict[str, Any]]:
    """The parts of an ExportTraceServiceRequest in a file, each as a request of its own.

    Requests that were written one after the other are one request, as protobuf has it.

    Raises:
        ProtobufError: The bytes are cut off, nested too deep, no such message, or a part is larger
            than may be held.
    """
    at = 0
    while (key := _read_varint(handle, at)) is not None:
        number, kind, at = key[0] >> 3, key[0] & 7, key[1]
        if number == 0:
            raise ProtobufError(f"field number 0 at byte {at}")
        size = _read_varint(handle, at) if kind in (_VARINT, _BYTES) else None
        if kind in (_VARINT, _BYTES) and size is None:
            raise ProtobufError(f"cut off at byte {at}")
        if size is not None:
            at = size[1]
        left = {_VARINT: 0, _BYTES: size[0] if size else 0, _FIXED64: 8, _FIXED32: 4}.get(kind)
        if left is None:
            raise ProtobufError(f"wire type {kind} at byte {at}")
        if left > MAX_ITEM_BYTES:
            raise ProtobufError(f"a part of more than {MAX_ITEM_BYTES >> 20:,} MB at byte {at}")
        data = handle.read(left)
        if len(data) < left:
            raise ProtobufError(f"cut off at byte {at + len(data)}")
        at += left
        if number in _REQUEST:
            name, read, _ = _REQUEST[number]
            yield {name: [read(data if kind == _BYTES else left, 1)]}


def _read_varint(handle: BinaryIO, at: int) -> tuple[int, int] | None:
    """The number at the handle, and where it ends; None at the end of the file."""
    value = shift = 0
    while byte := handle.read(1):
        at += 1
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            break
    if not shift:
        return None
    raise ProtobufError(f"cut off at byte {at}")


def _message(data: Any, layout: Layout, depth: int) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(data, bytes):
        raise ProtobufError("a number stands where a message should")
    if depth > _MAX_DEPTH:
        raise ProtobufError(f"messages are nested deeper than {_MAX_DEPTH}")
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        if number not in layout:
            continue
        name, read, is_repeated = layout[number]
        item = read(value, depth + 1)
        if is_repeated:
            found.setdefault(name, []).append(item)
        else:
            found[name] = item
    return found


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and raw value of each field."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: Any
        if kind == _VARINT:
            value, at = _varint(data, at)
        elif kind == _BYTES:
            size, at = _varint(data, at)
            value, at = _slice(data, at, size)
        elif kind in (_FIXED64, _FIXED32):
            raw, at = _slice(data, at, 8 if kind == _FIXED64 else 4)
            value = int.from_bytes(raw, "little")
        else:
            raise ProtobufError(f"wire type {kind} at byte {at}")
        if number == 0:
            raise ProtobufError(f"field number 0 at byte {at}")
        yield number, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtobufError(f"cut off at byte {at}")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def _slice(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(data):
        raise ProtobufError(f"cut off at byte {len(data)}")
    return data[at : at + size], at + size


def _text(value: Any, _depth: int) -> str:  # noqa: ANN401 -- raw field values
    if not isinstance(value, bytes):
        raise ProtobufError("a number stands where text should")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ProtobufError(f"text that is not UTF-8: {value[:20]!r}") from error


def _hex(value: Any, _depth: int) -> str:  # noqa: ANN401 -- raw field values
    if not isinstance(value, bytes):
        raise ProtobufError("a number stands where bytes should")
    return value.hex()


def _number(value: Any, _depth: int) -> int:  # noqa: ANN401 -- raw field values
    if not isinstance(value, int):
        raise ProtobufError("bytes stand where a number should")
    return value


def _signed(value: Any, depth: int) -> int:  # noqa: ANN401 -- raw field values
    number = _number(value, depth)
    return number - (1 << 64) if number >= 1 << 63 else number


def _double(value: Any, depth: int) -> float:  # noqa: ANN401 -- raw field values
    found: float = struct.unpack("<d", _number(value, depth).to_bytes(8, "little"))[0]
    return found


def _bool(value: Any, depth: int) -> bool:  # noqa: ANN401 -- raw field values
    return bool(_number(value, depth))


def _of(layout: Callable[[], Layout]) -> Reader:
    """Reads a nested message; the layout is asked for late, as values nest in values."""
    return lambda value, depth: _message(value, layout(), depth)


_KEY_VALUE: Layout = {1: ("key", _text, False), 2: ("value", _of(lambda: _ANY_VALUE), False)}
_ANY_VALUE: Layout = {
    1: ("stringValue", _text, False),
    2: ("boolValue", _bool, False),
    3: ("intValue", _signed, False),
    4: ("doubleValue", _double, False),
    5: ("arrayValue", _of(lambda: {1: ("values", _of(lambda: _ANY_VALUE), True)}), False),
    6: ("kvlistValue", _of(lambda: {1: ("values", _of(lambda: _KEY_VALUE), True)}), False),
    7: ("bytesValue", _hex, False),
}
_ATTRIBUTES = ("attributes", _of(lambda: _KEY_VALUE), True)
_EVENT: Layout = {
    1: ("timeUnixNano", _number, False),
    2: ("name", _text, False),
    3: _ATTRIBUTES,
}
_LINK: Layout = {1: ("traceId", _hex, False), 2: ("spanId", _hex, False), 4: _ATTRIBUTES}
_STATUS: Layout = {2: ("message", _text, False), 3: ("code", _number, False)}
_SPAN: Layout = {
    1: ("traceId", _hex, False),
    2: ("spanId", _hex, False),
    4: ("parentSpanId", _hex, False),
    5: ("name", _text, False),
    7: ("startTimeUnixNano", _number, False),
    8: ("endTimeUnixNano", _number, False),
    9: _ATTRIBUTES,
    11: ("events", _of(lambda: _EVENT), True),
    13: ("links", _of(lambda: _LINK), True),
    15: ("status", _of(lambda: _STATUS), False),
}
_SCOPE: Layout = {1: ("name", _text, False), 2: ("version", _text, False), 3: _ATTRIBUTES}
_SCOPE_SPANS: Layout = {
    1: ("scope", _of(lambda: _SCOPE), False),
    2: ("spans", _of(lambda: _SPAN), True),
}
_RESOURCE_SPANS: Layout = {
    1: ("resource", _of(lambda: {1: _ATTRIBUTES}), False),
    2: ("scopeSpans", _of(lambda: _SCOPE_SPANS), True),
}
_REQUEST: Layout = {1: ("resourceSpans", _of(lambda: _RESOURCE_SPANS), True)}
