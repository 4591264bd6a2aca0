"""The lines of a JSON-lines file, each parsed strictly and on its own: nothing is guessed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from gitloop.errors import DataError

BROKEN_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)
"""What reading a gzip file raises when it is cut off or damaged."""

MAX_ITEM_BYTES = 256 << 20
"""The longest line, and the largest item of a document: what has to be held at once."""

_BOM = b"\xef\xbb\xbf"
_BUFFER = 1 << 20
_MOST_LINES, _MOST_BYTES = 2_000, 1 << 20  # so much stays in the processor's cache
_NOTHING = object()


def open_plain(path: Path) -> BinaryIO:
    """The file opened for reading bytes, unpacked when it is gzip.

    Raises:
        DataError: It cannot be opened.
    """
    try:
        with path.open("rb") as handle:
            is_packed = handle.read(2) == b"\x1f\x8b"
        return (
            cast("BinaryIO", gzip.open(path, "rb"))
            if is_packed
            else path.open("rb", buffering=_BUFFER)
        )
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be read: {error.strerror}", hint="check the path and its rights"
        ) from error


def objects(path: Path, fault: Callable[[int, str], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and the object of every line; blank lines are skipped.

    Args:
        path: A JSON-lines file, possibly gzip.
        fault: Told the line's number and what is wrong, for each line that is no object.
    """
    for places, found in object_batches(path, fault):
        yield from zip(places, found, strict=True)


def object_batches(
    path: Path, fault: Callable[[int, str], None]
) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """As `objects`, some lines at a time: up to 2,000 of them, or about a megabyte."""
    places: list[int] = []
    found: list[dict[str, Any]] = []
    n = n_bytes = 0
    with open_plain(path) as handle:
        try:
            while line := handle.readline(MAX_ITEM_BYTES + 1):
                n += 1
                try:
                    value = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    if len(line) > MAX_ITEM_BYTES:
                        fault(n, f"a line of more than {MAX_ITEM_BYTES >> 20:,} MB")
                        break
                    value = _looked_at_again(n, line, error, fault)
                if isinstance(value, dict):
                    places.append(n)
                    found.append(value)
                    n_bytes += len(line)
                    if n_bytes >= _MOST_BYTES or len(found) >= _MOST_LINES:
                        yield places, found
                        places, found, n_bytes = [], [], 0
                elif value is not _NOTHING:
                    fault(n, f"a JSON {type(value).__name__}, not an object")
        except BROKEN_GZIP as error:
            fault(n + 1, f"the gzip data is broken: {error}")
    if found:
        yield places, found


def _looked_at_again(
    n: int, line: bytes, error: orjson.JSONDecodeError, fault: Callable[[int, str], None]
) -> object:
    """The value of a line that begins the file with a byte order mark; `_NOTHING` for no value."""
    if not line.strip() or line.strip() == _BOM:
        return _NOTHING
    if n == 1 and line.startswith(_BOM):
        try:
            return orjson.loads(line.removeprefix(_BOM))
        except orjson.JSONDecodeError as inner:
            line, error = line.removeprefix(_BOM), inner
    fault(n, _why(line, error))
    return _NOTHING


def _why(content: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        content.decode()
    except UnicodeDecodeError as broken:
        return f"byte {broken.start + 1} is not UTF-8"
    reason = str(error.msg).split(": line 1")[0]
    return f"not valid JSON at character {error.pos + 1}: {reason}"
