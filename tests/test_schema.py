"""Tables: every fault at once, and the same bytes for the same rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from gitloop.errors import DataError, ExitCode, TableError
from gitloop.schema import Column, Table
from gitloop.storage import parquet
from gitloop.tables import ALL

FRUITS = Table(
    "fruits",
    1,
    ("fruit_id",),
    (
        Column("fruit_id", pl.String, "identifies the fruit"),
        Column("colour", pl.String, "how it looks", values=("red", "green")),
        Column("weight", pl.Float64, "grams", nullable=True),
    ),
)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """A missing column, a wrong type and an unknown column are three lines of one error."""
    rows = pl.DataFrame({"colour": [1], "size": [2]})
    with pytest.raises(TableError) as caught:
        parquet.write(tmp_path / "fruits.parquet", FRUITS, rows)
    assert caught.value.problems == [
        "column 'size' is not part of the table",
        "column 'fruit_id' (String) is missing",
        "column 'colour' is Int64, not String",
    ]
    assert caught.value.exit_code == ExitCode.DATA
    assert list(tmp_path.iterdir()) == []


def test_values_and_keys_are_checked() -> None:
    """Nulls, values outside a closed set, NaN and duplicate keys are faults."""
    rows = pl.DataFrame(
        {
            "fruit_id": ["a", "a", None],
            "colour": ["red", "blue", "green"],
            "weight": [1.0, float("nan"), None],
        }
    )
    assert FRUITS.problems(rows) == [
        "column 'fruit_id' is empty in 1 rows, first in row 2",
        "column 'colour' holds 'blue' in row 1; it takes red, green",
        "column 'weight' is not a finite number in row 1",
        "1 keys (fruit_id) stand in more than one row, first a",
    ]


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    """Row order does not show in the file, and nullable columns may be left out."""
    rows = pl.DataFrame({"fruit_id": ["b", "a"], "colour": ["red", "green"]})
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    parquet.write(one, FRUITS, rows)
    parquet.write(other, FRUITS, rows.reverse())
    assert one.read_bytes() == other.read_bytes()
    assert parquet.read(one, FRUITS)["fruit_id"].to_list() == ["a", "b"]


def test_a_broken_file_is_a_data_error(tmp_path: Path) -> None:
    """A file that is no Parquet, or not there, says so and names the next command."""
    broken = tmp_path / "x.parquet"
    broken.write_bytes(b"PAR1 but not really")
    for path in (broken, tmp_path / "missing.parquet"):
        with pytest.raises(DataError) as caught:
            parquet.read(path, FRUITS)
        assert caught.value.hint


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_every_table_is_documented(table: Table) -> None:
    """Keys are columns, columns are told apart, and each has a meaning."""
    names = [column.name for column in table.columns]
    assert set(table.key) <= set(names)
    assert len(set(names)) == len(names)
    assert all(column.doc for column in table.columns)
    assert table.problems(table.empty()) == []
