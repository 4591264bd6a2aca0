"""A request's body, whole, unpacked, and never larger than it may be."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gitloop.collector.metrics import Metrics
from gitloop.collector.refusals import Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_GZIP = 16 + zlib.MAX_WBITS
_BUSY_S = 1
_MOST_MEMBERS = 8  # each costs a copy of what follows it


class ClientGoneError(Exception):
    """The client went away before its body was there: there is nobody to answer."""


class Bodies:
    """Reads bodies within a budget of memory that all requests share.

    Args:
        max_body_bytes: Largest body, as it comes and as it is when it is unpacked.
        max_held_bytes: Most bytes of all bodies that are held at a time.
        body_s: Seconds that a body may take to arrive.
        metrics: Its `held_bytes` is the budget that is spent.
    """

    def __init__(
        self, max_body_bytes: int, max_held_bytes: int, body_s: float, metrics: Metrics
    ) -> None:
        self._max_body_bytes = max_body_bytes
        self._max_held_bytes = max_held_bytes
        self._body_s = body_s
        self._metrics = metrics

    async def read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The body; whoever asked for it calls `release` with its length when it is used up.

        Raises:
            Refusal: It is too large, too slow, packed in a way that is not known or broken, or
                there is no room for it now.
            ClientGoneError: The client left.
        """
        self._check_length(headers)
        encoding = headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"identity", b"gzip", b""):
            raise Refusal(415, "the body is neither plain nor gzip")
        packed = await self._arrived(receive)
        if encoding != b"gzip":
            return packed
        try:
            unpacked = unpack(packed, self._max_body_bytes)
        except Refusal:
            self.release(len(packed))
            raise
        self._metrics.held_bytes += len(unpacked) - len(packed)
        return unpacked

    def release(self, n: int) -> None:
        """Give room back."""
        self._metrics.held_bytes -= n

    def _check_length(self, headers: dict[bytes, bytes]) -> None:
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced[:20]) > self._max_body_bytes:
            raise self._too_large()
        if self._metrics.held_bytes >= self._max_held_bytes:
            raise self._busy()

    async def _arrived(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        held = 0
        is_whole = False
        try:
            async with asyncio.timeout(self._body_s):
                while not is_whole:
                    message = await receive()
                    chunk = message.get("body", b"")
                    held += len(chunk)
                    self._metrics.held_bytes += len(chunk)
                    self._check(message, held)
                    chunks.append(chunk)
                    is_whole = not message.get("more_body", False)
        except TimeoutError:
            raise Refusal(408, f"the body took longer than {self._body_s:g} s") from None
        finally:
            if not is_whole:
                self.release(held)
        self._metrics.add("body_bytes_total", held)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _check(self, message: Message, held: int) -> None:
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        if held > self._max_body_bytes:
            raise self._too_large()
        if self._metrics.held_bytes > self._max_held_bytes:
            raise self._busy()

    def _too_large(self) -> Refusal:
        return Refusal(413, f"the body is larger than {self._max_body_bytes:,} bytes")

    def _busy(self) -> Refusal:
        self._metrics.add("limited_total", limit="memory")
        return Refusal(429, "too much is waiting for the disk", retry_after_s=_BUSY_S)


def unpack(packed: bytes, most: int) -> bytes:
    """What the gzip data holds; at most `most` bytes are ever made of it.

    Raises:
        Refusal: It would be more, or it is broken or cut off.
    """
    found: list[bytes] = []
    left = most
    for _ in range(_MOST_MEMBERS):
        if not packed:
            return b"".join(found)
        member = zlib.decompressobj(_GZIP)
        try:
            content = member.decompress(packed, left + 1)
        except zlib.error as error:
            raise Refusal(400, f"the gzip data is broken: {error}") from error
        if len(content) > left or member.unconsumed_tail:
            raise Refusal(413, f"the body is larger than {most:,} bytes when it is unpacked")
        if not member.eof:
            raise Refusal(400, "the gzip data is cut off")
        found.append(content)
        left -= len(content)
        packed = member.unused_data
    raise Refusal(400, f"the gzip data has more than {_MOST_MEMBERS} members")
