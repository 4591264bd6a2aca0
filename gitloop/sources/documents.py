"""The items of a JSON document: a list of objects, or an object with the list under a known key.

A small document is parsed whole. A large one is cut into its items without being held: every
bracket and string is looked at once, and each item is parsed on its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from gitloop.sources.lines import BROKEN_GZIP, MAX_ITEM_BYTES, open_plain

WHOLE_BYTES = 64 << 20
"""A document up to this size is parsed at once."""

_CHUNK = 1 << 20
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[\[\]{}]', re.DOTALL)
_BETWEEN = b", \t\r\n"

Fault = Callable[[int, str], None]


def items(
    path: Path, fault: Fault, keys: Collection[str], whole_bytes: int = WHOLE_BYTES
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and the object of every item of the document.

    Args:
        path: A JSON file, possibly gzip.
        fault: Told the item's number (the line's, where the document cannot be parsed) and what is
            wrong.
        keys: Names under which an object holds the list; an object without is itself the item.
        whole_bytes: Size from which the document is not held.
    """
    try:
        with open_plain(path) as handle:
            content = handle.read(whole_bytes + 1)
            if len(content) <= whole_bytes:
                yield from _whole(content, fault, keys)
            else:
                yield from _cut(content, handle, fault, keys)
    except BROKEN_GZIP as error:
        fault(1, f"the gzip data is broken: {error}")


def _whole(
    content: bytes, fault: Fault, keys: Collection[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        fault(error.lineno, f"not valid JSON: {str(error.msg).split(': line')[0]}")
        return
    if isinstance(found, dict):
        listed = next((found[name] for name in keys if isinstance(found.get(name), list)), None)
        found = found if listed is None else listed
    for n, item in enumerate(found if isinstance(found, list) else [found], start=1):
        if isinstance(item, dict):
            yield n, item
        else:
            fault(n, f"a JSON {type(item).__name__}, not an object")


def _cut(
    head: bytes, handle: BinaryIO, fault: Fault, keys: Collection[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    n = 0
    try:
        for n, text in enumerate(_Cutter(head, handle, keys).items(), start=1):
            try:
                item = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                fault(n, f"not valid JSON: {str(error.msg).split(': line')[0]}")
                continue
            if isinstance(item, dict):
                yield n, item
            else:
                fault(n, f"a JSON {type(item).__name__}, not an object")
    except ValueError as error:
        fault(n + 1, str(error))


class _Cutter:
    """Finds where each item begins and ends."""

    def __init__(self, head: bytes, handle: BinaryIO, keys: Collection[str]) -> None:
        self._handle = handle
        self._keys = {b'"' + name.encode() + b'"' for name in keys}
        self._buffer = head
        self._at = 0  # looked at up to here
        self._depth = 0
        self._list_depth = -1  # the depth of the list whose items are wanted; -1 outside of one
        self._start = -1  # where the item begins
        self._after = 0  # where the last one ended
        self._key = b""

    def items(self) -> Iterator[bytes]:
        """The text of each item.

        Raises:
            ValueError: The document is cut off, an item is larger than it may be, or something
                that is no object stands among the items.
        """
        chunk = _CHUNK
        while True:
            is_open = yield from self._scan()
            more = self._handle.read(chunk)
            if not more:
                if is_open or self._depth:
                    raise ValueError("not valid JSON: the document is cut off")
                return
            keep = self._start if self._start >= 0 else min(self._after, self._at)
            keep = keep if self._list_depth >= 0 else self._at
            self._buffer = self._buffer[keep:] + more
            self._at -= keep
            self._after = max(0, self._after - keep)
            if self._start >= 0:
                self._start -= keep
            if len(self._buffer) > MAX_ITEM_BYTES:
                raise ValueError(f"an item of more than {MAX_ITEM_BYTES >> 20:,} MB")
            # An item that spans many chunks is copied a few times only.
            chunk = max(_CHUNK, len(self._buffer))

    def _scan(self) -> Generator[bytes, None, bool]:
        """Look at the rest of the buffer; says whether it ends within a string."""
        for token in _TOKEN.finditer(self._buffer, self._at):
            first = self._buffer[token.start()]
            if first == 0x22:  # a string
                if not token[1]:
                    self._at = token.start()
                    return True
                if self._depth == 1:
                    self._key = token[0]
            elif first in b"[{":
                self._open(first, token.start())
            else:
                self._depth -= 1
                if self._depth == self._list_depth and self._start >= 0:
                    yield self._buffer[self._start : token.end()]
                    self._start, self._after = -1, token.end()
                elif self._depth < self._list_depth:
                    self._expect_nothing(token.start())
                    self._list_depth = -1
            self._at = token.end()
        self._at = len(self._buffer)
        return False

    def _open(self, first: int, place: int) -> None:
        if self._depth == self._list_depth:
            self._expect_nothing(place)
            self._start = place
        elif self._list_depth < 0 and first == 0x5B:
            is_wanted = self._depth == 0 or (self._depth == 1 and self._key in self._keys)
            if is_wanted:
                self._list_depth, self._after = self._depth + 1, place + 1
        self._depth += 1

    def _expect_nothing(self, place: int) -> None:
        between = self._buffer[self._after : place].strip(_BETWEEN)
        if between:
            raise ValueError(f"{between[:20]!r} stands among the items, not an object")
