"""Label Studio: its JSON export read, tasks written, and the labelling configuration for them.

Source: Label Studio's documentation, "Task format" (labelstud.io/guide/task_format).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

import polars as pl

from gitloop.core.labels.answers import Dialect, Sheet, read_sheets
from gitloop.core.labels.native import Draft, parse_records

OF_TRACE = ("trace_id", "input", "context", "output", "route", "user_cohort")
_VALUES = ("choices", "rating", "number", "text", "taxonomy")


def drafts_from_label_studio(text: str, *, source: str, dialect: Dialect) -> list[Draft]:
    """One draft per annotation and rubric; cancelled annotations are no labels.

    A task's trace is `data.trace_id`; a person is the annotation's `completed_by`: the e-mail
    address where the export has one, the number otherwise.

    Raises:
        DataError: The file is no list of tasks.
    """
    return read_sheets(parse_records(text, source=source, key="data"), _sheets, dialect)


def _sheets(place: str, task: Mapping[str, Any]) -> Iterator[Sheet]:
    data = task["data"] if isinstance(task["data"], dict) else {}
    for annotation in task.get("annotations") or []:
        if annotation.get("was_cancelled"):
            continue
        yield Sheet(
            place=f"{place}, annotation {annotation.get('id')}",
            trace_id=data.get("trace_id"),
            person=_person(annotation.get("completed_by")),
            created_at=annotation.get("updated_at") or annotation.get("created_at"),
            answers=_answers(annotation.get("result") or []),
        )


def _person(completed_by: Any) -> str | None:  # noqa: ANN401 -- a number, a record, or nothing
    if isinstance(completed_by, dict):
        return str(completed_by.get("email") or completed_by.get("id"))
    return None if completed_by is None else str(completed_by)


def _answers(result: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Control tag → its value; of a list with one entry, the entry."""
    found = {}
    for region in result:
        value = region.get("value") or {}
        given = next((value[kind] for kind in _VALUES if kind in value), None)
        if isinstance(given, list) and len(given) == 1:
            given = given[0]
        if given is not None and region.get("from_name"):
            found[str(region["from_name"])] = given
    return found


def label_studio_tasks(traces: pl.DataFrame, labels: pl.DataFrame) -> list[dict[str, Any]]:
    """One task per trace with the annotations that it has, ready for import.

    Args:
        traces: Fits `tables.TRACES`: what is to be seen there.
        labels: Fits `tables.LABELS`.
    """
    given: dict[str, list[dict[str, Any]]] = {}
    for (trace_id, annotator), rows in labels.sort("rubric").group_by(
        "trace_id", "annotator", maintain_order=True
    ):
        result = [region for row in rows.iter_rows(named=True) for region in _regions(row)]
        annotation = {"completed_by": {"email": annotator}, "result": result}
        given.setdefault(str(trace_id), []).append(annotation)
    shown = traces.select(OF_TRACE).sort("trace_id").iter_rows(named=True)
    return [{"data": row, "annotations": given.get(row["trace_id"], [])} for row in shown]


def _regions(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    rubric = row["rubric"]
    yield _region(rubric, "choices", [row["label"]])
    for name in ("comment", "reference"):
        if row[name]:
            yield _region(f"{rubric}_{name}", "text", [row[name]])


def _region(name: str, kind: str, value: list[str]) -> dict[str, Any]:
    tag = "textarea" if kind == "text" else kind
    return {"from_name": name, "to_name": "output", "type": tag, "value": {kind: value}}


def label_studio_config(guidance: Mapping[str, str]) -> str:
    """The labelling configuration for our tasks: a verdict, a comment and a reference per rubric.

    Args:
        guidance: Rubric → what annotators are told.
    """
    lines = ["<View>"]
    for name in ("input", "context", "output"):
        lines += [f'  <Header value="{name}"/>', f'  <Text name="{name}" value="${name}"/>']
    for rubric, words in guidance.items():
        lines += [
            f"  <Header value={quoteattr(' '.join(f'{rubric}: {words}'.split()))}/>",
            f'  <Choices name="{rubric}" toName="output" choice="single" showInline="true">',
            '    <Choice value="pass" hotkey="p"/>',
            '    <Choice value="fail" hotkey="f"/>',
            "  </Choices>",
            f'  <TextArea name="{rubric}_comment" toName="output" placeholder="why?"/>',
            f'  <TextArea name="{rubric}_reference" toName="output" placeholder="instead?"/>',
        ]
    return "\n".join([*lines, "</View>"]) + "\n"
