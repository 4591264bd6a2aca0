"""Labels as JSON lines and as CSV in the columns of `tables.LABELS`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from gitloop.digests import sha256_of
from gitloop.errors import DataError
from gitloop.tables import LABELS

_ANSWER = ("comment", "reference")
"""Columns that are null where a file does not say them, and not unsaid."""
_OWN = ("label_id", "created_at")
_LONGEST_CELL = 2**31 - 1
"""Python's csv stops at 128 KiB, and a reference may be a megabyte."""
_NUMBERS = ("score",)
_LISTS = ("sections",)


@dataclass(frozen=True, slots=True)
class Draft:
    """A label as another tool wrote it.

    Attributes:
        place: "file:line", or another place that a person can find.
        values: Column of `tables.LABELS` → JSON value; absent ones are filled from defaults.
        origin: The id of our label that it is, where it went out from here and came back.
    """

    place: str
    values: Mapping[str, Any]
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Defaults:
    """What fills a draft's gaps.

    Attributes:
        annotator: Who labelled, or None where each draft must say.
        role: "annotator" or "senior", or None: what they were for this item, else "annotator".
        guidance_version: The guidance they followed.
        at: When, where the draft does not say.
    """

    annotator: str | None
    role: str | None
    guidance_version: str
    at: datetime


def drafts_from_jsonl(text: str, *, source: str) -> list[Draft]:
    """One draft per line with content.

    Raises:
        DataError: Every line that is no JSON object.
    """
    drafts, faults = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            faults.append(f"  {source}:{number}: not valid JSON: {error}")
            continue
        if isinstance(value, dict):
            drafts.append(Draft(f"{source}:{number}", value))
        else:
            faults.append(f"  {source}:{number}: not a JSON object")
    if faults:
        raise DataError("\n".join([f"{source} cannot be read:", *faults]), hint=f"edit {source}")
    return drafts


def drafts_from_csv(text: str, *, source: str) -> list[Draft]:
    """One draft per row; empty cells are gaps.

    Raises:
        DataError: There is no header, it names a column twice, a row has more or fewer cells than
            it, or a quotation has no end.
    """
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    drafts, faults = [], []
    try:
        header = next(reader, None)
        if not header:
            raise DataError(f"{source} is empty", hint="its first line names the columns")
        faults += [f"  {source}:1: column {name} stands twice" for name in _repeated(header)]
        for cells in reader:
            place = f"{source}:{reader.line_num}"
            if cells and len(cells) != len(header):
                faults.append(f"  {place}: {len(cells)} cells under {len(header)} columns")
            elif cells:
                filled = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
                values = {name: _read(name, cell) for name, cell in filled.items()}
                drafts.append(Draft(place, values))
    except csv.Error as error:
        faults.append(f"  {source}:{reader.line_num}: {error}")
    if faults:
        raise DataError("\n".join([f"{source} cannot be read:", *faults]), hint=f"edit {source}")
    return drafts


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def parse_records(text: str, *, source: str, key: str) -> list[tuple[str, dict[str, Any]]]:
    """(place, record) of each record in a JSON list of objects that have `key`.

    Raises:
        DataError: The text is no JSON, no list, or an entry is no such object; all are named.
    """
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{source} is not valid JSON: {error}", hint=f"edit {source}") from error
    records = value if isinstance(value, list) else [value]
    faults = [
        f"  {source}, entry {number}: not an object with {key!r}"
        for number, record in enumerate(records, start=1)
        if not isinstance(record, dict) or key not in record
    ]
    if faults:
        raise DataError("\n".join([f"{source} cannot be read:", *faults[:100]]))
    return [(f"{source}, entry {number}", record) for number, record in enumerate(records, start=1)]


def completed(
    draft: Draft, defaults: Defaults, known: Mapping[Any, Mapping[str, Any]]
) -> dict[str, Any]:
    """The draft with its gaps filled; what is wrong with it is for the label file's rules to say.

    The id depends on who, what, the rubric and the guidance, so that a file read twice gives the
    same labels. A file of another tool says nothing of roles, sections and guidance: where it says
    what the label in force says, it is that label, and what an older guidance was followed for is
    not taken for the new one's.

    Args:
        draft: As a reader made it.
        defaults: What fills its gaps.
        known: The labels in force: (annotator, kind, item's or trace's id, rubric) → label.
    """
    values = dict(draft.values)
    values.setdefault("annotator", defaults.annotator)
    values.setdefault("item_kind", "trace")
    before = _in_force(values, known)
    if defaults.role is not None:
        values.setdefault("role", defaults.role)
    if before is not None and _is_repeated(draft, values, before, defaults.guidance_version):
        return dict(before)
    values.setdefault("role", before["role"] if before else "annotator")
    values.setdefault("guidance_version", defaults.guidance_version)
    values.setdefault("created_at", defaults.at)
    identity = {
        "annotator": values["annotator"],
        "guidance": values["guidance_version"],
        "rubric": values.get("rubric"),
    }
    if values["item_kind"] == "trace":
        identity["trace"] = values.get("trace_id")
    else:
        identity |= {"kind": values["item_kind"], "item": values.get("item_id")}
    values.setdefault("label_id", sha256_of(identity)[:16])
    return values


def _in_force(
    values: Mapping[str, Any], known: Mapping[Any, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The label in force of the same person on the same item and rubric, or None."""
    item = values.get("item_id") or values.get("trace_id")
    key = (values["annotator"], values["item_kind"], item, values.get("rubric"))
    return known.get(key) if all(isinstance(part, str) for part in key) else None


def _is_repeated(
    draft: Draft, values: Mapping[str, Any], before: Mapping[str, Any], guidance_version: str
) -> bool:
    """Whether a draft that cannot say everything says what the label in force says."""
    said = {name: value for name, value in values.items() if name not in _OWN}
    said = dict.fromkeys(_ANSWER) | said
    if "guidance_version" not in said and draft.origin != before["label_id"]:
        said["guidance_version"] = guidance_version
    return all(name in before and before[name] == value for name, value in said.items())


def labels_to_csv(labels: pl.DataFrame) -> str:
    """The labels as CSV in the columns of `tables.LABELS`: ISO 8601 UTC times, lists by blanks."""
    moments = pl.col("created_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    lists = [pl.col(name).list.join(" ") for name in _LISTS]
    return LABELS.order(labels).with_columns(moments, *lists).write_csv()


def _read(name: str, cell: str) -> Any:  # noqa: ANN401 -- a cell is text, a number or a list
    if name in _LISTS:
        return cell.split()
    return _number(cell) if name in _NUMBERS else cell


def _number(cell: str) -> Any:  # noqa: ANN401 -- a cell that is no number is told as one later
    try:
        return float(cell)
    except ValueError:
        return cell
