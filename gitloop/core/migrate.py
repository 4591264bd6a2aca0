"""Rows of a table that somebody kept by hand, as golden rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from gitloop.digests import row_id as identity
from gitloop.tables import GOLDEN, SPLITS

_PASS = {"pass", "passed", "true", "yes", "good", "1", "1.0"}
_FAIL = {"fail", "failed", "false", "no", "bad", "0", "0.0"}
_TEXT = ("context", "reference", "bad_output", "route", "user_cohort", "prompt_version")


@dataclass(frozen=True, slots=True)
class Adoption:
    """How a table is read.

    Attributes:
        set_name: The golden set.
        columns: Our column → theirs, or "=constant"; `labels.RUBRIC` names a column of verdicts.
            A column that both call the same need not be named.
        source: The file, as the provenance of rows that name no trace.
        annotator: Who stands for the labels of rows that name nobody.
    """

    set_name: str
    columns: Mapping[str, str]
    source: str
    annotator: str


def adopt(table: pl.DataFrame, how: Adoption) -> tuple[pl.DataFrame, list[str]]:
    """The golden rows of the table, without splits, and every fault that stands in the way.

    Two lines of one input, context and route would be one golden row: that is a fault.
    """
    known = set(table.columns)
    faults = [
        f"there is no column {theirs!r} for {ours}"
        for ours, theirs in how.columns.items()
        if not theirs.startswith("=") and theirs not in known
    ]
    if "input" not in how.columns and "input" not in known:
        faults.append("no column is the input: map one with input=COLUMN")
    if faults:
        return GOLDEN.empty(), faults
    rows: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(table.iter_rows(named=True), start=1):
        row, fault = _row(line, how)
        if fault:
            faults.append(f"row {number}: {fault}")
        elif row["row_id"] in rows:
            faults.append(f"row {number} has the input, context and route of an earlier one")
        else:
            rows[row["row_id"]] = row
    return pl.DataFrame(list(rows.values()), schema=GOLDEN.schema), faults


def _row(line: Mapping[str, Any], how: Adoption) -> tuple[dict[str, Any], str]:
    """The golden row of a line, and what is wrong with it, or ""."""

    def cell(ours: str) -> Any:  # noqa: ANN401 -- any cell
        theirs = how.columns.get(ours, ours)
        return theirs[1:] if theirs.startswith("=") else line.get(theirs)

    text = cell("input")
    if text is None or not str(text):
        return {}, "it has no input"
    labels, fault = _labels(line, how, cell("labels"))
    if fault:
        return {}, fault
    split = cell("split")
    if split not in (None, "", *SPLITS):
        return {}, f"split is {split!r}; it takes {', '.join(SPLITS)}"
    texts = {name: _text(cell(name)) for name in _TEXT}
    row_id = identity(input=str(text), context=texts["context"], route=texts["route"])
    return {
        **texts,
        "row_id": row_id,
        "set": how.set_name,
        "split": split or "",
        "input": str(text),
        "labels": labels,
        "annotators": _texts(cell("annotators")) or [how.annotator],
        "guidance_version": _text(cell("guidance_version")) or "migrated",
        "source_trace_id": _text(cell("source_trace_id")) or f"{how.source}#{row_id}",
        "source_feedback_ids": _texts(cell("source_feedback_ids")),
        "cluster_id": _text(cell("cluster_id")),
        "group_id": _text(cell("group_id")) or row_id,
        "created_at": _time(cell("created_at")),
        "promoted_in": "",
    }, ""


def _labels(
    line: Mapping[str, Any],
    how: Adoption,
    given: Any,  # noqa: ANN401 -- any cell
) -> tuple[list[dict[str, str]], str]:
    """The verdicts of a line by rubric, and what is wrong with them, or ""."""
    verdicts: dict[str, Any] = {}
    if isinstance(given, str) and given.strip():
        try:
            given = json.loads(given)
        except json.JSONDecodeError:
            return [], "labels is no JSON"
    if isinstance(given, dict):
        verdicts |= given
    elif isinstance(given, list):
        verdicts |= {item.get("rubric"): item.get("expected") for item in given}
    for ours, theirs in how.columns.items():
        column, _, rubric = ours.partition(".")
        if column == "labels" and rubric:
            verdicts[rubric] = theirs[1:] if theirs.startswith("=") else line.get(theirs)
    labels = []
    for rubric, value in sorted((str(r), v) for r, v in verdicts.items() if v is not None):
        word = str(value).strip().lower()
        if word not in _PASS | _FAIL:
            return [], f"the verdict of {rubric} is {word!r}; it takes pass or fail"
        labels.append({"rubric": rubric, "expected": "pass" if word in _PASS else "fail"})
    return labels, "" if labels else "it has no label: map one with labels.RUBRIC=COLUMN"


def _text(value: Any) -> str | None:  # noqa: ANN401 -- any cell
    return None if value is None or value == "" else str(value)


def _texts(value: Any) -> list[str]:  # noqa: ANN401 -- any cell
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return [value] if value else []
    return sorted(str(item) for item in value) if isinstance(value, list) else []


def _time(value: Any) -> datetime | None:  # noqa: ANN401 -- any cell
    if isinstance(value, str) and value:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
