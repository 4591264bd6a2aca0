"""Corrections, retirements and compactions of golden rows: what each part holds afterwards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.tables import GOLDEN, TEXTS

EDITABLE = (
    "reference",
    "bad_output",
    "labels",
    "user_cohort",
    "prompt_version",
    "annotators",
    "guidance_version",
    "cluster_id",
)
"""Columns that a correction may change. Input, context and route are what a row is: another input
is another row. Split, group and trail are for life."""

VERDICTS = ("pass", "fail")


@dataclass(frozen=True, slots=True)
class PartSize:
    """How large a part is.

    Attributes:
        id: The part.
        n_rows: Its rows.
        n_bytes: Bytes that its rows take.
    """

    id: str
    n_rows: int
    n_bytes: int


def read_assignments(assignments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The cells that `COLUMN=VALUE` words set, and every fault in them.

    `labels.RUBRIC=pass` sets one verdict, `labels.RUBRIC=` takes it away; any other column takes
    text, a list of texts as JSON, or nothing for null.
    """
    cells: dict[str, Any] = {}
    faults = []
    for word in assignments:
        name, sign, value = word.partition("=")
        column, _, rubric = name.partition(".")
        if not sign:
            faults.append(f"{word!r} is not COLUMN=VALUE")
        elif column == "labels" and rubric:
            if value not in ("", *VERDICTS):
                faults.append(f"{name} takes {', '.join(VERDICTS)} or nothing, not {value!r}")
            cells.setdefault("labels", {})[rubric] = value or None
        elif column not in EDITABLE or column == "labels":
            told = "labels.RUBRIC" if column == "labels" else ", ".join(EDITABLE)
            faults.append(f"{name} cannot be edited; use {told}")
        else:
            cell, fault = _cell(column, value)
            cells[column] = cell
            faults += [fault] if fault else []
    return cells, faults


def edit_rows(rows: pl.DataFrame, row_ids: Sequence[str], cells: Mapping[str, Any]) -> pl.DataFrame:
    """The rows with these cells set in the named ones.

    Args:
        rows: Fits `tables.GOLDEN`.
        row_ids: The rows to correct.
        cells: Column → value; `labels` maps rubric → verdict, or None to take it away.
    """
    named = set(row_ids)
    corrected = [
        _edited(row, cells) if row["row_id"] in named else row for row in rows.iter_rows(named=True)
    ]
    return pl.DataFrame(corrected, schema=GOLDEN.schema)


def registry_version(versions: Sequence[str], sha256: str) -> str:
    """The semantic version under which a registry such as GTO lists a set, "v2026.5.3+54ccb8".

    Year and month of the newest version, how many versions that month has had, and the dataset
    digest's first digits. It grows with the set and follows from the set alone.

    Args:
        versions: The versions of all the set's records, e.g. "2026.05-54ccb8"; at least one.
        sha256: The dataset digest.
    """
    months = Counter(version.partition("-")[0] for version in versions)
    newest = max(months)
    year, _, month = newest.partition(".")
    return f"v{int(year)}.{int(month)}.{months[newest]}+{sha256[:6]}"


def compaction(parts: Sequence[PartSize], *, max_rows: int, max_bytes: int) -> list[list[str]]:
    """Which parts to join, oldest first: neighbours, as long as the sum stays within the limits.

    Parts that have no partner are left alone, and so are parts that are large already.
    """
    groups: list[list[str]] = []
    rows = size = 0
    for part in sorted(parts, key=lambda part: part.id):
        rows, size = rows + part.n_rows, size + part.n_bytes
        if groups and rows <= max_rows and size <= max_bytes:
            groups[-1].append(part.id)
        else:
            groups.append([part.id])
            rows, size = part.n_rows, part.n_bytes
    return [group for group in groups if len(group) > 1]


def _cell(column: str, value: str) -> tuple[Any, str]:
    """The cell that a text stands for, and what is wrong with it, or ""."""
    kind = GOLDEN.schema[column]
    if kind == TEXTS:
        try:
            items = json.loads(value)
        except json.JSONDecodeError:
            items = None
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            return None, f'{column} takes a list of texts as JSON, such as ["amara", "bo"]'
        return sorted(items), ""
    nullable = {found.name: found.nullable for found in GOLDEN.columns}[column]
    if not value and not nullable:
        return None, f"{column} cannot be empty"
    return value or None, ""


def _edited(row: Mapping[str, Any], cells: Mapping[str, Any]) -> dict[str, Any]:
    changed = {**row, **{name: cell for name, cell in cells.items() if name != "labels"}}
    if "labels" in cells:
        verdicts = {label["rubric"]: label["expected"] for label in row["labels"]}
        verdicts |= cells["labels"]
        changed["labels"] = [
            {"rubric": rubric, "expected": verdict}
            for rubric, verdict in sorted(verdicts.items())
            if verdict is not None
        ]
    return changed
