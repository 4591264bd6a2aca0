"""Plain CSV with a header line; separator and quoting as RFC 4180 has them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import polars as pl

from gitloop.schema import Table
from gitloop.sources.kinds import is_feedback
from gitloop.sources.lines import BROKEN_GZIP, open_plain
from gitloop.sources.rows import RowReader, batched
from gitloop.tables import FEEDBACK, TRACES

_MAX_FIELD = 1 << 30


class CsvSource:
    """Reads CSV, gzip or not, a batch at a time; an empty field is an absent one.

    A file with a column signal_type holds feedback, any other holds traces.
    """

    id: ClassVar[str] = "csv"
    version: ClassVar[str] = "1"
    reads_attributes: ClassVar[bool] = False

    def accepts(self, path: Path, head: bytes) -> bool:
        """Whether the name ends in .csv and the first line has a comma."""
        name = path.name.removesuffix(".gz")
        return name.endswith(".csv") and b"," in head.split(b"\n", 1)[0]

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`; none when the file holds feedback."""
        if not is_feedback(_header(path), columns):
            yield from _frames(path, TRACES, columns)

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`; none when the file holds traces."""
        if is_feedback(_header(path), columns):
            yield from _frames(path, FEEDBACK, columns)


def feedback_table(path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    """The file's events, whatever its header looks like."""
    return _frames(path, FEEDBACK, columns)


def _frames(path: Path, table: Table, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    reader = RowReader(table, columns, CsvSource.id, path.name)
    return reader.frames(batched(csv_rows(path, reader.fault)))


def _header(path: Path) -> list[str]:
    with _text(path) as handle:
        try:
            return next(csv.reader(handle), [])
        except (UnicodeDecodeError, csv.Error, *BROKEN_GZIP):
            return []


def csv_rows(path: Path, fault: Callable[[int, str], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number of the last line and the fields of every row; `fault` is told of broken ones."""
    csv.field_size_limit(_MAX_FIELD)
    with _text(path) as handle:
        reader = csv.reader(handle, strict=True)
        try:
            header = next(reader, [])
            repeated = sorted({name for name in header if header.count(name) > 1})
            if repeated:
                fault(1, f"column {repeated[0]!r} stands in the header twice")
                return
            for row in reader:
                if len(row) == len(header):
                    yield reader.line_num, dict(zip(header, row, strict=True))
                elif row:
                    fault(reader.line_num, f"{len(row)} fields, but the header has {len(header)}")
        except UnicodeDecodeError as error:
            fault(reader.line_num + 1, f"not UTF-8: byte {error.object[error.start]:#04x}")
        except csv.Error as error:
            fault(reader.line_num, f"not valid CSV: {error}")
        except BROKEN_GZIP as error:
            fault(reader.line_num + 1, f"the gzip data is broken: {error}")


def _text(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(cast("Any", open_plain(path)), encoding="utf-8-sig", newline="")
