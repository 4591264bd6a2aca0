"""Argilla 2: records as `dataset.records.to_json()` writes them, read and written.

Source: argilla/records/_resource.py (Record.to_dict) of argilla 2.8: a record has `id`, `fields`,
`metadata` and `responses`, which maps a question to a list of {value, user_id}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from gitloop.core.labels.answers import Dialect, Sheet, read_sheets
from gitloop.core.labels.native import Draft, parse_records
from gitloop.params import LabelForm

FIELDS = ("input", "context", "output")
METADATA = ("trace_id", "route", "user_cohort")


def drafts_from_argilla(text: str, *, source: str, dialect: Dialect) -> list[Draft]:
    """One draft per user and rubric.

    A record's trace is `metadata.trace_id`, or the record's id; a person is the response's
    `user_id`. Argilla's file has no times: the time of the import stands in.

    Raises:
        DataError: The file is no list of records.
    """
    return read_sheets(parse_records(text, source=source, key="responses"), _sheets, dialect)


def _sheets(place: str, record: Mapping[str, Any]) -> Iterator[Sheet]:
    metadata = record.get("metadata") or {}
    people: dict[str | None, dict[str, Any]] = {}
    responses = record["responses"] if isinstance(record["responses"], dict) else {}
    for question, given in responses.items():
        for response in given:
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


def argilla_records(
    traces: pl.DataFrame, labels: pl.DataFrame, forms: Mapping[str, LabelForm]
) -> list[dict[str, Any]]:
    """One record per trace with the responses that it has.

    Args:
        traces: Fits `tables.TRACES`: what is to be seen there.
        labels: Fits `tables.LABELS`, labels of traces; user_id is our annotator's name.
        forms: Rubric → how people answer under it; stars are ratings, which are whole numbers.
    """
    responses: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in labels.sort("trace_id", "rubric", "annotator").iter_rows(named=True):
        own = responses.setdefault(row["trace_id"], {})
        form = forms.get(row["rubric"])
        is_rating = form is not None and form.type == "star" and row["label"].isdecimal()
        label = int(row["label"]) if is_rating else row["label"]
        values = {"": label, "_comment": row["comment"], "_reference": row["reference"]}
        for ending, value in values.items():
            if value:
                given = {"value": value, "user_id": row["annotator"]}
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
