"""The spools: JSON-lines files that recorders and the collector append to, until they are sealed.

    data/feedback/spool/<random>.jsonl            open: one per recording process
    data/feedback/spool/sealing/<random>.jsonl    claimed: no recorder writes to it any more
    data/feedback/spool/aside/<random>.jsonl      lines that are no events, kept as they were found

data/traces/spool is laid out alike; its lines are OTLP requests.

A file is claimed by renaming it under the lock that every append holds (`capture/files.py`). What
is claimed stays until its events are durable elsewhere: a sealer can be killed at any moment.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gitloop.errors import DataError
from gitloop.storage.files import replacing

FOLDERS = {"feedback": "data/feedback/spool", "traces": "data/traces/spool"}
"""Table → its spool: events, and what the collector got of spans."""

_CLAIMED = "sealing"
_ASIDE = "aside"
_LOCK = ".seal.lock"


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """One claimed file, read.

    Attributes:
        path: Where it lies.
        events: Line number, from 1, and content of every line that is a JSON object.
        lines: Every line as it was found.
        broken: Numbers of the other lines.
        is_torn: Whether the last line was cut off: a process was killed while it wrote.
    """

    path: Path
    events: tuple[tuple[int, dict[str, Any]], ...]
    lines: tuple[bytes, ...]
    broken: tuple[int, ...]
    is_torn: bool


@contextmanager
def sealing(spool: Path) -> Iterator[None]:
    """The right to bring rows in, held by one process at a time.

    Raises:
        DataError: Another process seals or imports just now.
    """
    spool.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(spool / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(
                "another process is sealing or importing", hint="wait for it, then run the command"
            ) from error
        yield
    finally:
        os.close(descriptor)


def claimed(spool: Path) -> list[Path]:
    """The files that were claimed and not yet discarded, by name."""
    return sorted((spool / _CLAIMED).glob("*.jsonl"))


def claim(spool: Path) -> list[Path]:
    """Take every open file from its recorder; recorders go on in new ones. Returns what is claimed.

    Waits for an append that is under way, and for nothing else.
    """
    (spool / _CLAIMED).mkdir(parents=True, exist_ok=True)
    for path in sorted(spool.glob("*.jsonl")):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            path.rename(spool / _CLAIMED / path.name)
        finally:
            os.close(descriptor)
    return claimed(spool)


def read(path: Path) -> SpoolFile:
    """The events in a claimed file; a line that is no JSON object is broken, never an error.

    Zero bytes at the end are room that its process had reserved and not used when it was killed.
    """
    content = path.read_bytes().rstrip(b"\0")
    lines = content.split(b"\n")
    is_torn = bool(lines[-1])
    if not is_torn:
        lines.pop()
    events = []
    broken = []
    for n, line in enumerate(lines, start=1):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            events.append((n, value))
        elif line.strip():
            broken.append(n)
    return SpoolFile(path, tuple(events), tuple(lines), tuple(broken), is_torn)


def set_aside(spool: Path, file: SpoolFile, numbers: Sequence[int]) -> Path:
    """Keep lines that are no events, byte for byte, under the file's own name."""
    target = spool / _ASIDE / file.path.name
    with replacing(target) as temporary:
        temporary.write_bytes(b"".join(file.lines[n - 1] + b"\n" for n in sorted(numbers)))
    return target


def discard(paths: Sequence[Path]) -> None:
    """Remove claimed files whose lines are durable elsewhere."""
    for path in paths:
        path.unlink(missing_ok=True)


def count_waiting(spool: Path) -> int:
    """How many lines wait to be sealed, open and claimed."""
    return sum(_count_lines(path) for path in [*spool.glob("*.jsonl"), *claimed(spool)])


def count_aside(spool: Path) -> int:
    """How many lines were set aside and wait for a person to look at them."""
    return sum(_count_lines(path) for path in sorted((spool / _ASIDE).glob("*.jsonl")))


def _count_lines(path: Path) -> int:
    n = 0
    try:
        with path.open("rb") as handle:
            while block := handle.read(1 << 20):
                n += block.count(b"\n")
    except FileNotFoundError:
        pass  # a sealer took it meanwhile
    return n
