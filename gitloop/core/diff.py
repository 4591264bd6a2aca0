"""What changed between two versions of a golden set, by row and by cell.

Rows are told apart by `row_id`. Only rows whose hash differs are looked at closely, so the cost
is that of one keyed join, whatever changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

SCHEMA = "gitloop.diff/v1"

_KEY = "row_id"
_NOT_CONTENT = frozenset({"promoted_in"})
_HASH = "__hash"


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
    repeated = (_n_repeated(before), _n_repeated(after))
    shared = [c for c in after.columns if c in before.columns and c not in _NOT_CONTENT]
    old, new = _hashed(before, shared), _hashed(after, shared)
    gone = before.filter(_differs(old, new))
    come = after.filter(_differs(new, old))
    both = gone.join(come, on=_KEY, suffix="\n", maintain_order="left").sort(_KEY)
    is_kept = pl.col(_KEY).is_in(both[_KEY].implode())
    changed = [c for c in shared if c != _KEY and before.schema[c] == after.schema[c]]
    cells = [cell for column in changed if column != "labels" for cell in _cells(both, column)]
    flips = _flips(both) if "labels" in changed else ()
    rows = {cell[0] for cell in cells} | {row_id for flip in flips for row_id in flip.row_ids}
    return Delta(
        columns=columns,
        repeated=repeated,
        retired=gone.filter(~is_kept).sort(_KEY),
        flips=flips,
        cells=tuple(cells),
        added=come.filter(~is_kept).sort(_KEY),
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


def _n_repeated(rows: pl.DataFrame) -> int:
    return rows.height - rows[_KEY].n_unique()


def _hashed(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    return rows.select(_KEY).with_columns(rows.select(columns).hash_rows().alias(_HASH))


def _differs(one: pl.DataFrame, other: pl.DataFrame) -> pl.Series:
    """Which rows of `one` the other does not have, word for word.

    Joined by hash, which is several times faster than by key, and then held against the key: where
    hashes collide, a row is looked at closely for nothing, and no change is missed.
    """
    known = other.rename({_KEY: "__known"})
    if not other[_HASH].is_unique().all():  # a row that stands there twice must not count twice
        known = known.unique(_HASH, keep="any")
    found = one.join(known, on=_HASH, how="left", maintain_order="left")
    return found["__known"].ne_missing(found[_KEY])


def _cells(both: pl.DataFrame, column: str) -> list[tuple[str, str, Any, Any]]:
    other = f"{column}\n"
    changed = both.filter(pl.col(column).ne_missing(pl.col(other))).select(_KEY, column, other)
    return [(row_id, column, _json(a), _json(b)) for row_id, a, b in changed.iter_rows()]


def _flips(both: pl.DataFrame) -> tuple[Flip, ...]:
    """Label changes, the most frequent first."""
    found: dict[tuple[str, str | None, str | None], list[str]] = {}
    changed = both.select(_KEY, "labels", "labels\n")
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
