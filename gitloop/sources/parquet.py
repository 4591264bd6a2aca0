"""Plain Parquet: one trace or one event a row, columns by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from gitloop.errors import DataError
from gitloop.schema import Table
from gitloop.sources.kinds import is_feedback
from gitloop.sources.rows import ROWS_PER_BATCH, RowReader, batched
from gitloop.tables import FEEDBACK, TRACES


class ParquetSource:
    """Reads Parquet, a batch at a time.

    A file with a column signal_type holds feedback, any other holds traces.
    """

    id: ClassVar[str] = "parquet"
    version: ClassVar[str] = "1"
    reads_attributes: ClassVar[bool] = False

    def accepts(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether the first four bytes are Parquet's."""
        return head[:4] == b"PAR1"

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`; none when the file holds feedback."""
        if not is_feedback(parquet_names(path), columns):
            yield from _frames(path, TRACES, columns)

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`; none when the file holds traces."""
        if is_feedback(parquet_names(path), columns):
            yield from _frames(path, FEEDBACK, columns)


def feedback_table(path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    """The file's events, whatever its columns are called."""
    return _frames(path, FEEDBACK, columns)


def _frames(path: Path, table: Table, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    reader = RowReader(table, columns, ParquetSource.id, path.name, unit="row")
    return reader.frames(batched(parquet_rows(path)))


def parquet_names(path: Path) -> list[str]:
    """The names of the file's columns.

    Raises:
        DataError: It is no Parquet file.
    """
    return [str(name) for name in _open(path).schema_arrow.names]


def parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number and the values of every row.

    Raises:
        DataError: It is no Parquet file.
    """
    n = 0
    try:
        for batch in _open(path).iter_batches(batch_size=ROWS_PER_BATCH):
            for row in batch.to_pylist():
                n += 1
                yield n, row
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _open(path: Path) -> Any:  # noqa: ANN401 -- pyarrow ships no types
    try:
        return pq.ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path.name} is not a readable Parquet file: {str(error).splitlines()[0]}",
        hint="export it again",
    )
