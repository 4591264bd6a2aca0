"""Argilla 2: records as its exports write them, read; and as `from_json` takes them, written.

Source: argilla 2.8. `records.to_json()` (Record.to_dict in records/_resource.py): a record has
`id`, `fields`, `metadata` and `responses`, which maps a question to a list of {value, user_id} and
does not say whether a response is a draft. `records.to_list(flatten=True)` and `to_datasets()`
(records/_io/_generic.py) do: `<question>.responses`, and beside it `.users` and `.status`.
`records.from_json()` hands each response to Response(value, user_id, status), where a user is a
UUID and a response without a status is a draft (responses.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from gitloop.core.labels.answers import Dialect, Sheet, read_sheets
from gitloop.core.labels.native import Draft, parse_records

FIELDS = ("input", "context", "output")
METADATA = ("trace_id", "route", "user_cohort")
SUBMITTED = "submitted"
_FLAT = ".responses"


def drafts_from_argilla(text: str, *, source: str, dialect: Dialect) -> list[Draft]:
    """One draft per user and rubric; responses that are known to be unsubmitted are no labels.

    A record's trace is the metadata `trace_id`, or the record's id; a person is the response's
    `user_id`. Argilla's file has no times: the time of the import stands in.

    Raises:
        DataError: The file is no list of records.
    """
    return read_sheets(parse_records(text, source=source, key="id"), _sheets, dialect)


def _sheets(place: str, record: Mapping[str, Any]) -> Iterator[Sheet]:
    metadata = record.get("metadata") or record
    people: dict[str | None, dict[str, Any]] = {}
    for question, given in _responses(record).items():
        for response in given:
            if response.get("status") in {None, SUBMITTED}:
                person = response.get("user_id")
                people.setdefault(person, {})[question] = response.get("value")
    for person, answers in people.items():
        yield Sheet(
            place=f"{place}, user {person}",
            trace_id=metadata.get("trace_id") or record.get("id"),
            person=person,
            created_at=None,
            answers=answers,
        )


def _responses(record: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Question → its responses, of a nested record or of a flat one.

    Raises:
        KeyError: It is neither.
    """
    if "responses" in record:
        nested: dict[str, list[dict[str, Any]]] = record["responses"] or {}
        return nested
    flat = {key.removesuffix(_FLAT): key for key in record if key.endswith(_FLAT)}
    if not flat:
        raise KeyError("responses")
    return {question: _flat(record, key) for question, key in flat.items()}


def _flat(record: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    values = record[key] or []
    people = record[f"{key}.users"] or []
    statuses = record.get(f"{key}.status") or [None] * len(values)
    return [
        {"value": value, "user_id": person, "status": status}
        for value, person, status in zip(values, people, statuses, strict=True)
    ]


def argilla_records(
    traces: pl.DataFrame, labels: pl.DataFrame, dialect: Dialect
) -> list[dict[str, Any]]:
    """One record per trace with the responses that it has, submitted.

    Args:
        traces: Fits `tables.TRACES`: what is to be seen there.
        labels: Fits `tables.LABELS`, labels of traces.
        dialect: How people answer (stars are ratings, which are whole numbers), and who they are
            in Argilla: UUIDs.
    """
    responses: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in labels.sort("trace_id", "rubric", "annotator").iter_rows(named=True):
        own = responses.setdefault(row["trace_id"], {})
        form = dialect.forms.get(row["rubric"])
        is_rating = form is not None and form.type == "star" and row["label"].isdecimal()
        label = int(row["label"]) if is_rating else row["label"]
        values = {"": label, "_comment": row["comment"], "_reference": row["reference"]}
        for ending, value in values.items():
            if value:
                person = dialect.theirs(row["annotator"])
                given = {"value": value, "user_id": person, "status": SUBMITTED}
                own.setdefault(f"{row['rubric']}{ending}", []).append(given)
    return [
        {
            "id": row["trace_id"],
            "fields": {name: row[name] for name in FIELDS if row[name] is not None},
            "metadata": {name: row[name] for name in METADATA if row[name] is not None},
            "suggestions": {},
            "responses": responses.get(row["trace_id"], {}),
            "vectors": {},
        }
        for row in traces.select(*FIELDS, *METADATA).sort("trace_id").iter_rows(named=True)
    ]
