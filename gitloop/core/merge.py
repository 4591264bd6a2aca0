"""Three-way merges: golden rows by key and then by cell, dvc.lock by stage.

Labels always conflict: no rule can know which of two verdicts is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KEY = "row_id"
CHOICES = ("ours", "theirs", "ancestor", "delete")

Row = Mapping[str, Any]
Rows = Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row on which the sides differ and no rule decides.

    Attributes:
        row_id: The row.
        columns: The cells that both sides changed differently; () where one side took it away.
        base: The row in the common ancestor, or None.
        ours: Our row, or None where we took it away.
        theirs: Their row, or None where they took it away.
        merged: Our row with every cell merged that does not conflict; None where a side has none.
    """

    row_id: str
    columns: tuple[str, ...]
    base: Row | None
    ours: Row | None
    theirs: Row | None
    merged: Row | None


@dataclass(frozen=True, slots=True)
class Merge:
    """The outcome of a merge.

    Attributes:
        rows: row_id → row, of all rows without a conflict.
        conflicts: The rows with one, by row_id.
    """

    rows: Rows
    conflicts: tuple[Conflict, ...]


def merge_rows(base: Rows, ours: Rows, theirs: Rows, policy: Mapping[str, str]) -> Merge:
    """The rows that both sides together make of the base.

    A side that left a row or a cell alone leaves it to the other. Where both changed a cell and
    differ, the column's policy decides.

    Args:
        base: row_id → row in the common ancestor; {} where both sides added the part.
        ours: row_id → our row.
        theirs: row_id → their row.
        policy: Column → "ours", "theirs", "union" (of lists) or "conflict", the default. It does
            not hold for labels.
    """
    rows: dict[str, Row] = {}
    conflicts = []
    for row_id in sorted({*base, *ours, *theirs}):
        sides = base.get(row_id), ours.get(row_id), theirs.get(row_id)
        outcome = _merge_row(row_id, sides, policy)
        if isinstance(outcome, Conflict):
            conflicts.append(outcome)
        elif outcome is not None:
            rows[row_id] = outcome
    return Merge(rows, tuple(conflicts))


def _merge_row(
    row_id: str, sides: tuple[Row | None, Row | None, Row | None], policy: Mapping[str, str]
) -> Row | Conflict | None:
    base, ours, theirs = sides
    if theirs in (ours, base):
        return ours
    if ours == base:
        return theirs
    if ours is None or theirs is None:
        return Conflict(row_id, (), base, ours, theirs, None)
    merged, open_columns = {}, []
    for column in ours:
        rule = "conflict" if column == "labels" else policy.get(column, "conflict")
        cells = None if base is None else base[column], ours[column], theirs[column]
        merged[column], is_open = _merge_cell(cells, rule, has_base=base is not None)
        if is_open:
            open_columns.append(column)
    if not open_columns:
        return merged
    return Conflict(row_id, tuple(open_columns), base, ours, theirs, merged)


def _merge_cell(cells: tuple[Any, Any, Any], policy: str, *, has_base: bool) -> tuple[Any, bool]:
    """The cell, and whether it is still open."""
    base, ours, theirs = cells
    if ours == theirs or (has_base and theirs == base):
        return ours, False
    if has_base and ours == base:
        return theirs, False
    if policy == "theirs":
        return theirs, False
    if policy == "union" and isinstance(ours, list) and isinstance(theirs, list):
        kept = [item for item in base or [] if item in ours and item in theirs]
        new = [item for item in (*ours, *theirs) if item not in (base or [])]
        return sorted({*kept, *new}), False
    return ours, policy != "ours"


def settle(conflict: Conflict, choice: str | Row) -> Row | None:
    """The row that a person's choice makes of a conflict; None where it goes.

    "ours" and "theirs" decide the open cells only: what merged cleanly stays merged.

    Args:
        conflict: The conflict.
        choice: One of `CHOICES`, or the cells as they shall be.
    """
    if isinstance(choice, Mapping):
        start = conflict.merged or conflict.ours or conflict.theirs or {}
        return {**start, **choice}
    if choice == "delete":
        return None
    if choice == "ancestor":
        return conflict.base
    side = conflict.ours if choice == "ours" else conflict.theirs
    if conflict.merged is None or side is None:
        return side
    return {**conflict.merged, **{column: side[column] for column in conflict.columns}}


def merge_stages(
    base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The stages of a dvc.lock, and the names of those that were dropped.

    A stage that both sides ran differently belongs to neither: it is dropped, and `dvc repro` makes
    it again, or takes it from the run cache.
    """
    merged: dict[str, Any] = {}
    dropped = []
    for name in _in_order(ours, theirs):
        before, mine, other = base.get(name), ours.get(name), theirs.get(name)
        if other in (mine, before):
            kept = mine
        elif mine == before:
            kept = other
        else:
            kept = None
            dropped.append(name)
        if kept is not None:
            merged[name] = kept
    return merged, dropped


def _in_order(ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*ours, *theirs]))
