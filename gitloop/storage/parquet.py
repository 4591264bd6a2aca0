"""Parquet files that fit their table, byte for byte the same for the same rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from gitloop.errors import DataError, TableError
from gitloop.schema import Table
from gitloop.storage.files import replacing


def write(path: Path, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Check the rows, sort them by key, and write them whole or not at all.

    The bytes depend on the rows and on the polars version alone: no statistics that could differ, a
    fixed compression level, one row group per 50,000 rows.

    Returns:
        The rows as written: every column, in order, sorted.

    Raises:
        TableError: The rows break the schema; nothing was written.
    """
    conformed = conform(table, rows, source=path.name)
    with replacing(path) as temporary:
        conformed.write_parquet(
            temporary, compression="zstd", compression_level=3, row_group_size=50_000
        )
    return conformed


def read(path: Path, table: Table, *, source: str = "") -> pl.DataFrame:
    """The table in the file.

    Raises:
        DataError: The file is not there, or is no Parquet file.
        TableError: Its rows break the schema.
    """
    name = source or path.name
    if not path.is_file():
        raise DataError(f"{name} does not exist", hint="run: dvc repro")
    try:
        rows = pl.read_parquet(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{name} is not a readable Parquet file: {str(error).splitlines()[0]}",
            hint=f"run: dvc checkout --force {name}",
        ) from error
    return conform(table, rows, source=name)


def conform(table: Table, rows: pl.DataFrame, *, source: str) -> pl.DataFrame:
    """The rows in the table's column order, sorted by key.

    Raises:
        TableError: The rows break the schema; every fault is named.
    """
    complete = table.complete(rows)
    problems = table.problems(complete)
    if problems:
        raise TableError(table.name, problems, source=source, hint=f"docs/tables.md: {table.name}")
    return table.order(complete)
