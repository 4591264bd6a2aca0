"""What all sources of spans share: a file's spans as frames of traces, and of feedback."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.schema import Table
from gitloop.sources.aliases import Aliases
from gitloop.sources.annotations import event_rows, is_carrier
from gitloop.sources.grouping import by_trace, n_bytes_of
from gitloop.sources.otel import OtelSpan, trace_row
from gitloop.sources.rows import RowReader, batched
from gitloop.tables import FEEDBACK, TRACES

Fault = Callable[[int, str], None]
Spans = Callable[[Path, Fault], Iterable[OtelSpan]]
Rows = Callable[[Path, Fault], Iterable[tuple[int, dict[str, Any]]]]


def trace_frames(
    read: Spans, path: Path, form: str, columns: Mapping[str, str]
) -> Iterator[pl.DataFrame]:
    """Frames of the traces that the file's spans belong to.

    A trace of nothing but carriers of feedback about other traces is none of the application's.

    Raises:
        TableError: When all are read: every fault, or that there was nothing at all.
    """
    reader = _reader(TRACES, path, form, columns)
    aliases = Aliases(columns)
    n_spans = 0

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        nonlocal n_spans
        for trace_id, spans in by_trace(read(path, reader.fault), n_bytes_of(path)):
            n_spans += len(spans)
            if not all(is_carrier(span, aliases) for span in spans):
                yield spans[0].place, trace_row(trace_id, spans, aliases)

    yield from reader.batches(batched(rows()))
    reader.n_rows = reader.n_rows or n_spans
    reader.finish()


def feedback_frames(
    read: Spans, path: Path, form: str, columns: Mapping[str, str]
) -> Iterator[pl.DataFrame]:
    """Frames of the events that the file's spans carry; none at all is no fault.

    What is wrong with the spans themselves is `trace_frames`' to tell.
    """
    reader = _reader(FEEDBACK, path, form, columns)
    aliases = Aliases(columns)
    yield from reader.batches(batched(event_rows(read(path, lambda _n, _words: None), aliases)))
    reader.n_rows = max(reader.n_rows, 1)
    reader.finish()


def row_frames(
    read: Rows,
    path: Path,
    table: Table,
    form: str,
    columns: Mapping[str, str],
    *,
    may_be_empty: bool = False,
) -> Iterator[pl.DataFrame]:
    """Frames of rows that a source has put together itself.

    Raises:
        TableError: When all are read: every fault, or that there was none, where that is one.
    """
    reader = _reader(table, path, form, columns)
    yield from reader.batches(batched(read(path, reader.fault)))
    if may_be_empty:
        reader.n_rows = max(reader.n_rows, 1)
    reader.finish()


def _reader(table: Table, path: Path, form: str, columns: Mapping[str, str]) -> RowReader:
    """A reader of rows whose attributes were looked up already: only constants are left to fill."""
    constants = {name: theirs for name, theirs in columns.items() if theirs.startswith("=")}
    return RowReader(table, constants, form, path.name, unit="item", are_keys_unique=False)
