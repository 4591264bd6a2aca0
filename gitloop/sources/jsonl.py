"""Plain JSON lines: one trace or one event a line, columns by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import polars as pl

from gitloop.schema import Table
from gitloop.sources.kinds import is_feedback
from gitloop.sources.lines import object_batches, objects
from gitloop.sources.rows import RowReader
from gitloop.tables import FEEDBACK, TRACES


class JsonlSource:
    """Reads JSON lines, gzip or not, a batch at a time.

    A file whose first object has a signal_type holds feedback, any other holds traces.
    """

    id: ClassVar[str] = "jsonl"
    version: ClassVar[str] = "1"
    reads_attributes: ClassVar[bool] = False

    def accepts(self, path: Path, head: bytes) -> bool:
        """Whether the name ends in .jsonl or .ndjson and the first line opens an object."""
        name = path.name.removesuffix(".gz")
        return (
            name.endswith((".jsonl", ".ndjson")) and head.lstrip(b"\xef\xbb\xbf \r\n")[:1] == b"{"
        )

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`; none when the file holds feedback.

        Raises:
            TableError: Every line that is no trace, when all were read.
        """
        if not _holds_feedback(path, columns):
            yield from _frames(path, TRACES, columns)

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`; none when the file holds traces.

        Raises:
            TableError: Every line that is no event, when all were read.
        """
        if _holds_feedback(path, columns):
            yield from _frames(path, FEEDBACK, columns)


def feedback_lines(path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    """The file's events, whatever its first line looks like."""
    return _frames(path, FEEDBACK, columns)


def _frames(path: Path, table: Table, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    reader = RowReader(table, columns, JsonlSource.id, path.name)
    return reader.frames(object_batches(path, reader.fault))


def _holds_feedback(path: Path, columns: Mapping[str, str]) -> bool:
    for _, first in objects(path, lambda _n, _words: None):
        return is_feedback(first, columns)
    return False
