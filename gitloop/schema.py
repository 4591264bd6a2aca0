"""What a table is: its columns, its key, and every fault that rows can have against it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: Column name.
        dtype: polars type, exactly as stored.
        doc: One line: meaning, unit, range, direction.
        nullable: Whether null is a legal value.
        values: The closed set of legal values, or () where any value is legal.
    """

    name: str
    dtype: pl.DataType | type[pl.DataType]
    doc: str
    nullable: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name, schema version, key and columns.

    Attributes:
        name: Plural noun; also the stem of its file.
        version: Bumped when a column changes meaning or type.
        key: Columns that identify a row; rows are sorted by them.
        columns: In file order.
    """

    name: str
    version: int
    key: tuple[str, ...]
    columns: tuple[Column, ...] = field(repr=False)

    @property
    def schema(self) -> pl.Schema:
        """The polars schema, in file order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def empty(self) -> pl.DataFrame:
        """A frame with this table's schema and no rows."""
        return pl.DataFrame(schema=self.schema)

    def complete(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with absent nullable columns added as nulls."""
        absent = [
            pl.lit(None, dtype=column.dtype).alias(column.name)
            for column in self.columns
            if column.nullable and column.name not in rows.columns
        ]
        return rows.with_columns(absent)

    def order(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Complete rows in file order of their columns, sorted by key."""
        return rows.select([column.name for column in self.columns]).sort(*self.key)

    def problems(self, rows: pl.DataFrame) -> list[str]:
        """Every fault of the rows against this schema, one sentence each; [] if none."""
        known = {column.name for column in self.columns}
        found = [
            f"column {name!r} is not part of the table"
            for name in rows.columns
            if name not in known
        ]
        sound, schema = [], rows.schema
        for column in self.columns:
            fault = _fault(column, schema)
            if fault:
                found.append(fault)
            else:
                sound.append(column)
        if _has_value_faults(sound, rows):
            found += [fault for column in sound for fault in _value_faults(column, rows)]
        if {column.name for column in sound} >= set(self.key):
            found += _key_faults(self.key, rows)
        return found


def _fault(column: Column, schema: pl.Schema) -> str:
    """What is wrong with the column as a whole, or ""."""
    if column.name not in schema:
        return f"column {column.name!r} ({column.dtype}) is missing"
    actual = schema[column.name]
    if actual != column.dtype:
        return f"column {column.name!r} is {actual}, not {column.dtype}"
    return ""


def _has_value_faults(columns: list[Column], rows: pl.DataFrame) -> bool:
    """Whether any value of columns of the right type is at fault, in one pass over all of them."""
    checks = []
    for column in columns:
        values = pl.col(column.name)
        if not column.nullable:
            checks.append(values.is_null().any().alias(f"null {column.name}"))
        if column.values:
            alien = values.is_not_null() & ~values.is_in(list(column.values))
            checks.append(alien.any().alias(f"alien {column.name}"))
        if column.dtype == pl.Float64:
            bad = values.is_nan() | values.is_infinite()
            checks.append(bad.any().alias(f"bad {column.name}"))
    return bool(checks) and any(rows.select(checks).row(0)) if rows.height else False


def _value_faults(column: Column, rows: pl.DataFrame) -> list[str]:
    """What is wrong with single values of a column of the right type."""
    found = []
    values = rows[column.name]
    if not column.nullable and (n_null := values.null_count()):
        first = int(values.is_null().arg_true()[0])
        found.append(f"column {column.name!r} is empty in {n_null} rows, first in row {first}")
    if column.values:
        alien = values.is_not_null() & ~values.is_in(list(column.values))
        if alien.any():
            first = int(alien.arg_true()[0])
            found.append(
                f"column {column.name!r} holds {values[first]!r} in row {first};"
                f" it takes {', '.join(column.values)}"
            )
    if column.dtype == pl.Float64 and (bad := values.is_nan() | values.is_infinite()).any():
        first = int(bad.arg_true()[0])
        found.append(f"column {column.name!r} is not a finite number in row {first}")
    return found


def _key_faults(key: tuple[str, ...], rows: pl.DataFrame) -> list[str]:
    """Which key values stand in more than one row."""
    repeated = rows.filter(pl.struct(key).is_duplicated()).select(key).unique(maintain_order=True)
    if repeated.is_empty():
        return []
    sample = ", ".join(str(value) for value in repeated.row(0))
    return [f"{repeated.height} keys ({', '.join(key)}) stand in more than one row, first {sample}"]
