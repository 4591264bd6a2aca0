"""Group commit: whatever waits when the disk is free is written at once and synced once."""

from __future__ import annotations

import asyncio
import queue
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gitloop.capture.journal import Journal
from gitloop.collector.metrics import Metrics

Outcome = Literal["durable", "repeated", "conflict"]

_KNOWN_PER_GENERATION = 250_000
_MAX_GROUP_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One line on its way to the disk.

    Attributes:
        line: With its line break.
        identity: Hash of its id, or None where a repetition does no harm.
        content: Hash of what must be equal in a repetition.
    """

    line: bytes
    identity: int | None = None
    content: int = 0


class Known:
    """Which ids were taken in lately, with which content; forgets the oldest, never grows beyond.

    What is forgotten costs a line in the spool: sealing finds repetitions and conflicts again,
    among all events there are.

    Args:
        most: Ids remembered for certain; at most twice as many are held.
    """

    def __init__(self, most: int = _KNOWN_PER_GENERATION) -> None:
        self._most = most
        self._young: dict[int, set[int]] = {}
        self._old: dict[int, set[int]] = {}

    def outcome(self, identity: int, content: int) -> Outcome:
        """What another event of this id and content is; it is known from now on."""
        contents = self._young.get(identity)
        if contents is None:
            contents = self._old.get(identity, set())
            if len(self._young) >= self._most:
                self._old, self._young = self._young, {}
            self._young[identity] = contents
        if content in contents:
            return "repeated"
        is_first = not contents
        if len(contents) < self._most:
            contents.add(content)
        return "durable" if is_first else "conflict"

    def forget(self, identity: int) -> None:
        """Know nothing about the id: what was said about it did not reach the disk."""
        self._young.pop(identity, None)
        self._old.pop(identity, None)


@dataclass(slots=True)
class _Request:
    """Entries that are answered together."""

    entries: Sequence[Entry]
    future: asyncio.Future[list[Outcome]]


class Committer:
    """Makes entries durable in one spool, from a thread of its own.

    Args:
        folder: The spool.
        min_free_bytes: Room on its disk below which it takes nothing.
        metrics: Told of every sync.
    """

    def __init__(self, folder: Path, min_free_bytes: int, metrics: Metrics) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._metrics = metrics
        self._journal = Journal(lambda: str(folder))
        self._known = Known()
        self._waiting: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"commit {folder.parent.name}")
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to take entries, for the running event loop.

        Raises:
            OSError: The spool cannot be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def commit(self, entries: Sequence[Entry]) -> list[Outcome]:
        """What became of each entry, when all of them are on the disk.

        Raises:
            OSError: The disk did not take them; none of them counts as known.
        """
        future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Request(entries, future))
        return await future

    def stop(self) -> None:
        """Finish what waits and give the file back."""
        self._waiting.put(None)
        self._thread.join()
        self._journal.close()

    def _work(self) -> None:
        is_open = True
        while is_open:
            group, is_open = self._group()
            if group:
                self._answer(group, self._commit(group))

    def _group(self) -> tuple[list[_Request], bool]:
        """What waits now, and whether more may come."""
        group: list[_Request] = []
        size = 0
        found = self._waiting.get()
        while found is not None:
            group.append(found)
            size += sum(len(entry.line) for entry in found.entries)
            if size >= _MAX_GROUP_BYTES:
                return group, True
            try:
                found = self._waiting.get_nowait()
            except queue.Empty:
                return group, True
        return group, False

    def _commit(self, group: list[_Request]) -> list[list[Outcome]] | OSError:
        """The outcomes of each request's entries, or why none of them is on the disk."""
        outcomes: list[list[Outcome]] = []
        lines: list[bytes] = []
        identities: list[int] = []
        for request in group:
            found: list[Outcome] = []
            for entry in request.entries:
                known = self._known
                outcome: Outcome = "durable"
                if entry.identity is not None:
                    outcome = known.outcome(entry.identity, entry.content)
                    identities.append(entry.identity)
                if outcome != "repeated":
                    lines.append(entry.line)
                found.append(outcome)
            outcomes.append(found)
        if lines:
            start = time.perf_counter()
            try:
                self._write(lines)
            except Exception as error:  # noqa: BLE001 -- whatever it was, nobody may wait for ever
                for identity in identities:
                    self._known.forget(identity)
                self._metrics.failed()
                return error if isinstance(error, OSError) else OSError(str(error))
            self._metrics.synced(len(lines), time.perf_counter() - start)
        return outcomes

    def _write(self, lines: list[bytes]) -> None:
        if shutil.disk_usage(self._folder).free < self._min_free_bytes:
            raise OSError("the disk is nearly full")
        _, ticket = self._journal.append(b"".join(lines), len(lines))
        self._journal.sync(ticket)

    def _answer(self, group: list[_Request], found: list[list[Outcome]] | OSError) -> None:
        def tell() -> None:
            for n, request in enumerate(group):
                if request.future.done():
                    continue  # its client went away
                if isinstance(found, OSError):
                    request.future.set_exception(found)
                else:
                    request.future.set_result(found[n])

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell)
