"""Spans by trace, from inputs of any size: what is too large for memory is sorted on the disk."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from gitloop.errors import DataError
from gitloop.sources.otel import OtelSpan

IN_MEMORY_BYTES = 64 << 20
"""Spans of an input up to this size are grouped in memory; they take about five times as much."""

_BUCKET_BYTES = 16 << 20
_MOST_BUCKETS = 400  # open files; a process may have 1,024
_PACKING = 8  # how much smaller gzip makes spans, about

Trace = tuple[str, list[OtelSpan]]


def by_trace(spans: Iterable[OtelSpan], n_bytes: int) -> Iterator[Trace]:
    """The id and the spans of each trace; a span that came twice word for word, once.

    In order of appearance where the input is small. Else the spans go through files in the system's
    temporary directory, one for some of the traces, and each file's traces follow one another: the
    memory that is needed does not grow with the input.

    Args:
        spans: In any order; one trace's may lie far apart.
        n_bytes: About how large the input is.

    Raises:
        DataError: The temporary directory is full.
    """
    if n_bytes <= IN_MEMORY_BYTES:
        yield from _grouped(spans).items()
        return
    with tempfile.TemporaryDirectory(prefix="gitloop-spans-") as folder:
        try:
            paths = _scattered(spans, Path(folder), min(_MOST_BUCKETS, n_bytes // _BUCKET_BYTES))
        except OSError as error:
            raise DataError(
                f"the spans do not fit into {folder}: {error.strerror}",
                hint="set TMPDIR to a directory with room for the file",
            ) from error
        for path in paths:
            yield from _grouped(_gathered(path)).items()
            path.unlink()


def n_bytes_of(path: Path) -> int:
    """About how many bytes of spans a file holds, packed or not."""
    with path.open("rb") as handle:
        is_packed = handle.read(2) == b"\x1f\x8b"
    return path.stat().st_size * (_PACKING if is_packed else 1)


def _grouped(spans: Iterable[OtelSpan]) -> dict[str, list[OtelSpan]]:
    traces: dict[str, list[OtelSpan]] = {}
    seen: dict[tuple[str, str], OtelSpan] = {}
    for span in spans:
        first = seen.get((span.trace_id, span.span_id))
        if first is None:
            seen[span.trace_id, span.span_id] = span
        if first is None or not _is_repetition(first, span):
            traces.setdefault(span.trace_id, []).append(span)
    return traces


def _scattered(spans: Iterable[OtelSpan], folder: Path, n: int) -> list[Path]:
    """Files that hold all spans, each trace's in one file."""
    paths = [folder / str(number) for number in range(max(n, 1))]
    with ExitStack() as opened:
        handles: list[BinaryIO] = [opened.enter_context(path.open("wb")) for path in paths]
        for span in spans:
            digest = blake2b(span.trace_id.encode("utf-8", "replace"), digest_size=4).digest()
            pickle.dump(span, handles[int.from_bytes(digest, "big") % len(handles)], protocol=5)
    return paths


def _gathered(path: Path) -> Iterator[OtelSpan]:
    with path.open("rb") as handle:
        while True:
            try:
                yield pickle.load(handle)  # noqa: S301 -- this process wrote it, in its own directory
            except EOFError:
                return


def _is_repetition(first: OtelSpan, other: OtelSpan) -> bool:
    return (first.name, first.started_at, first.ended_at, first.attributes) == (
        other.name,
        other.started_at,
        other.ended_at,
        other.attributes,
    )
