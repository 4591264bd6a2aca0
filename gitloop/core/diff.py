"""What changed between two versions of a golden set, by row and by cell.

Rows are told apart by `row_id`: the two versions are laid side by side, and compared column by
column. Parts are kept sorted, so where no row came or went they lie side by side already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

SCHEMA = "gitloop.diff/v1"

_KEY = "row_id"
_ASIDE = frozenset({_KEY, "promoted_in"})
_SUFFIX = "\n"
"""Ends the name of a column's later state; no column is called so."""

_Places = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Side:
    """A version that is compared.

    Attributes:
        name: What it is called: a revision, or "the work tree".
        version: The set's version; "" where it has none.
        n_rows: Rows of the whole set.
    """

    name: str
    version: str
    n_rows: int


@dataclass(frozen=True, slots=True)
class Flip:
    """One change of one label, over all the rows that it happened to.

    Attributes:
        rubric: The rubric.
        before: The old verdict, or None where the row had none.
        after: The new verdict, or None.
        row_ids: The rows, sorted.
    """

    rubric: str
    before: str | None
    after: str | None
    row_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """The change of one set.

    Attributes:
        columns: (column, old type or None, new type or None) where the schema changed.
        repeated: Keys that stand in more than one row, (before, after).
        retired: Rows that went.
        flips: Labels that changed.
        cells: Cells that changed, labels aside: row_id, column, before, after, as JSON values.
        added: Rows that came.
        n_changed: Rows of which a cell or a label changed.
    """

    columns: tuple[tuple[str, str | None, str | None], ...]
    repeated: tuple[int, int]
    retired: pl.DataFrame
    flips: tuple[Flip, ...]
    cells: tuple[tuple[str, str, Any, Any], ...]
    added: pl.DataFrame
    n_changed: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        n_rows = self.retired.height + self.added.height + self.n_changed
        return not (n_rows or self.columns)


def compare(before: pl.DataFrame, after: pl.DataFrame, where: Mapping[str, str]) -> Delta:
    """The change from `before` to `after`.

    Args:
        before: Golden rows, of any schema version that has a row_id.
        after: Golden rows; parts that both sides share may be left out on both.
        where: Column → value that a row must have on one side to be looked at.
    """
    columns = _schema_changes(before.schema, after.schema)
    before, after = _only(before, where), _only(after, where)
    shared = [
        column
        for column, dtype in after.schema.items()
        if column not in _ASIDE and before.schema.get(column) == dtype
    ]
    repeated = (_n_repeated(before[_KEY]), _n_repeated(after[_KEY]))
    pairs = _pairs(before[_KEY], after[_KEY], is_unique=not any(repeated))
    retired, both, added = _parted(before, after, pairs, shared)
    cells = [cell for column in shared if column != "labels" for cell in _cells(both, column)]
    flips = _flips(both) if "labels" in shared else ()
    rows = {cell[0] for cell in cells} | {row_id for flip in flips for row_id in flip.row_ids}
    return Delta(
        columns=columns,
        repeated=repeated,
        retired=retired.sort(_KEY),
        flips=flips,
        cells=tuple(cells),
        added=added.sort(_KEY),
        n_changed=len(rows),
    )


def document(
    name: str, sides: tuple[Side, Side], delta: Delta, *, n_reencoded: int, limit: int | None
) -> dict[str, Any]:
    """The change as JSON values: counts first, then at most `limit` of each kind.

    Args:
        name: The set.
        sides: What was compared.
        delta: The change.
        n_reencoded: Parts whose bytes changed and whose rows did not.
        limit: Rows, cells or row_ids of each kind that are listed; None for all.
    """
    before, after = sides
    return {
        "set": name,
        "before": {"name": before.name, "version": before.version, "n_rows": before.n_rows},
        "after": {"name": after.name, "version": after.version, "n_rows": after.n_rows},
        "counts": {
            "retired": delta.retired.height,
            "flipped": sum(len(flip.row_ids) for flip in delta.flips),
            "changed": delta.n_changed,
            "cells": len(delta.cells),
            "added": delta.added.height,
            "reencoded_parts": n_reencoded,
            "repeated_keys_before": delta.repeated[0],
            "repeated_keys_after": delta.repeated[1],
        },
        "columns": [
            {"column": column, "before": old, "after": new} for column, old, new in delta.columns
        ],
        "retired": _rows(delta.retired, limit),
        "flips": [
            {
                "rubric": flip.rubric,
                "before": flip.before,
                "after": flip.after,
                "n": len(flip.row_ids),
                "row_ids": list(flip.row_ids[:limit]),
            }
            for flip in delta.flips
        ],
        "cells": [
            {"row_id": row_id, "column": column, "before": old, "after": new}
            for row_id, column, old, new in delta.cells[:limit]
        ],
        "added": _rows(delta.added, limit),
    }


def _schema_changes(
    before: pl.Schema, after: pl.Schema
) -> tuple[tuple[str, str | None, str | None], ...]:
    names = list(dict.fromkeys([*before, *after]))
    types = [(n, _type(before.get(n)), _type(after.get(n))) for n in names]
    return tuple(change for change in types if change[1] != change[2])


def _type(dtype: Any) -> str | None:  # noqa: ANN401 -- polars names no type for a column's type
    return None if dtype is None else str(dtype)


def _only(rows: pl.DataFrame, where: Mapping[str, str]) -> pl.DataFrame:
    tests = [pl.col(column).cast(pl.String) == value for column, value in where.items()]
    return rows.filter(*tests) if tests else rows


def _n_repeated(keys: pl.Series) -> int:
    if (keys.slice(1) > keys.slice(0, max(len(keys) - 1, 0))).all():  # as parts keep them
        return 0
    return len(keys) - keys.n_unique()


def _parted(
    before: pl.DataFrame,
    after: pl.DataFrame,
    pairs: tuple[_Places, _Places],
    columns: Sequence[str],
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The rows that went, those that changed (both states, sorted by key), and those that came.

    A row that stands on both sides word for word is out of the question first: so of a key that
    was there twice, and is there once, one row went, and none changed.
    """
    ones, others = pairs
    differs = _differs(_at(before, ones), _at(after, others), columns)
    is_left, is_right = np.ones(before.height, dtype=bool), np.ones(after.height, dtype=bool)
    is_left[ones[~differs]] = False
    is_right[others[~differs]] = False
    is_open = differs & is_left[ones] & is_right[others]
    ones, others = ones[is_open], others[is_open]
    states = [before[ones], after[others].rename(lambda name: name + _SUFFIX)]
    is_left[ones] = False
    is_right[others] = False
    both = pl.concat(states, how="horizontal").sort(_KEY, maintain_order=True)
    return before.filter(is_left), both, after.filter(is_right)


def _pairs(before: pl.Series, after: pl.Series, *, is_unique: bool) -> tuple[_Places, _Places]:
    """The places, before and after, of each two rows of one key."""
    if is_unique and before.equals(after):
        places = np.arange(len(before), dtype=np.uint32)
        return places, places
    ones, others = (pl.DataFrame({_KEY: keys}).with_row_index("at") for keys in (before, after))
    found = ones.join(others, on=_KEY, suffix=_SUFFIX, maintain_order="left_right")
    return found["at"].to_numpy(), found["at" + _SUFFIX].to_numpy()


def _at(rows: pl.DataFrame, places: _Places) -> pl.DataFrame:
    """The rows at the places: the table itself where that is all of them, in order."""
    return rows if np.array_equal(places, np.arange(rows.height)) else rows[places]


def _differs(
    before: pl.DataFrame, after: pl.DataFrame, columns: Sequence[str]
) -> NDArray[np.bool_]:
    """In which of the rows, laid side by side, a cell differs."""
    if not columns:
        return np.zeros(before.height, dtype=bool)
    sides = [before.select(columns), after.select(columns).rename(lambda name: name + _SUFFIX)]
    tests = []
    for column in columns:
        old, new = pl.col(column), pl.col(column + _SUFFIX)
        if before.schema[column].is_nested():  # an order of magnitude faster than comparing lists
            old, new = old.hash(), new.hash()
        tests.append(old.ne_missing(new))
    return (
        pl.concat(sides, how="horizontal").select(pl.any_horizontal(tests)).to_series().to_numpy()
    )


def _cells(both: pl.DataFrame, column: str) -> list[tuple[str, str, Any, Any]]:
    other = column + _SUFFIX
    changed = both.filter(pl.col(column).ne_missing(pl.col(other))).select(_KEY, column, other)
    return [(row_id, column, _json(a), _json(b)) for row_id, a, b in changed.iter_rows()]


def _flips(both: pl.DataFrame) -> tuple[Flip, ...]:
    """Label changes, the most frequent first."""
    found: dict[tuple[str, str | None, str | None], list[str]] = {}
    changed = both.select(_KEY, "labels", "labels" + _SUFFIX)
    for row_id, old, new in changed.iter_rows():
        before = {label["rubric"]: label["expected"] for label in old or ()}
        after = {label["rubric"]: label["expected"] for label in new or ()}
        for rubric in sorted({*before, *after}):
            change = (rubric, before.get(rubric), after.get(rubric))
            if change[1] != change[2]:
                found.setdefault(change, []).append(row_id)
    flips = [Flip(*change, tuple(row_ids)) for change, row_ids in found.items()]
    return tuple(
        sorted(flips, key=lambda f: (-len(f.row_ids), f.rubric, f.before or "", f.after or ""))
    )


def _rows(rows: pl.DataFrame, limit: int | None) -> list[dict[str, Any]]:
    shown = rows if limit is None else rows.head(limit)
    return [
        {name: _json(cell) for name, cell in row.items()} for row in shown.iter_rows(named=True)
    ]


def _json(value: Any) -> Any:  # noqa: ANN401 -- any cell
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value
