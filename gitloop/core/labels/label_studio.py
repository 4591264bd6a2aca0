"""Label Studio: its JSON export read, tasks written, and the labelling configuration for them.

Source: Label Studio's documentation, "Task format" (labelstud.io/guide/task_format), and what its
import refuses (label_studio/tasks/validation.py, data_import/serializers): a text that is null, and
an annotation of somebody who is no member there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

import polars as pl

from gitloop.core.labels.answers import Dialect, Sheet, read_sheets
from gitloop.core.labels.native import Draft, parse_records
from gitloop.params import LabelForm, Rubric

SHOWN = ("input", "context", "output")
OF_TRACE = ("trace_id", *SHOWN, "route", "user_cohort")
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
            origins={
                region["from_name"]: str(region["id"])
                for region in annotation.get("result") or []
                if region.get("from_name") and region.get("id")
            },
        )


def _person(completed_by: Any) -> str | None:  # noqa: ANN401 -- a number, a record, or nothing
    if isinstance(completed_by, dict):
        return str(completed_by.get("email") or completed_by.get("id"))
    return None if completed_by is None else str(completed_by)


def _answers(result: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Control tag → its value; of a list with one entry, the entry; texts of one box as lines."""
    found = {}
    for region in result:
        value = region.get("value") or {}
        given = next((value[kind] for kind in _VALUES if kind in value), None)
        if isinstance(given, list) and len(given) == 1:
            given = given[0]
        elif isinstance(given, list) and "text" in value:
            given = "\n".join(map(str, given))
        if given is not None and region.get("from_name"):
            found[str(region["from_name"])] = given
    return found


def label_studio_tasks(
    traces: pl.DataFrame, labels: pl.DataFrame, dialect: Dialect
) -> list[dict[str, Any]]:
    """One task per trace with the annotations that it has, ready for import.

    Args:
        traces: Fits `tables.TRACES`: what is to be seen there; a text that is not there is empty,
            for Label Studio takes no null.
        labels: Fits `tables.LABELS`; labels of traces.
        dialect: How people answer, and who they are in Label Studio: an address or a number.
    """
    given: dict[str, list[dict[str, Any]]] = {}
    for (trace_id, annotator), rows in labels.sort("rubric").group_by(
        "trace_id", "annotator", maintain_order=True
    ):
        forms = dialect.forms
        result = [region for row in rows.iter_rows(named=True) for region in _regions(row, forms)]
        theirs = dialect.theirs(str(annotator))
        annotation = {
            "completed_by": int(theirs) if theirs.isdecimal() else {"email": theirs},
            "ground_truth": False,  # what import takes for true where nothing is said
            "result": result,
        }
        given.setdefault(str(trace_id), []).append(annotation)
    shown = traces.select(OF_TRACE).sort("trace_id").with_columns(pl.col(SHOWN).fill_null(""))
    return [
        {"data": row, "annotations": given.get(row["trace_id"], [])}
        for row in shown.iter_rows(named=True)
    ]


_KINDS = {"star": "rating", "numeric": "number", "text": "text"}
"""Label type → Label Studio's kind of value; every other type is a choice."""


def _regions(row: Mapping[str, Any], forms: Mapping[str, LabelForm]) -> Iterator[dict[str, Any]]:
    rubric = row["rubric"]
    kind, value = _answer(row["label"], forms.get(rubric))
    yield _region(rubric, kind, value) | {"id": row["label_id"]}
    for name in ("comment", "reference"):
        if row[name]:
            own = {"id": f"{row['label_id']}-{name}"}
            yield _region(f"{rubric}_{name}", "text", [row[name]]) | own


def _answer(label: str, form: LabelForm | None) -> tuple[str, object]:
    """Label Studio's kind of value, and the value; what the form does not take is a choice."""
    kind = _KINDS.get(form.type, "choices") if form else "choices"
    if form is not None and kind in {"rating", "number"}:
        try:
            taken, _ = form.grade(label)
        except ValueError:
            return "choices", [label]
        return kind, int(taken) if kind == "rating" else float(taken)
    return kind, [label]


def _region(name: str, kind: str, value: object) -> dict[str, Any]:
    tag = "textarea" if kind == "text" else kind
    return {"from_name": name, "to_name": "output", "type": tag, "value": {kind: value}}


def label_studio_config(rubrics: Mapping[str, Rubric]) -> str:
    """The labelling configuration for our tasks: an answer, a comment and a reference per rubric.

    Args:
        rubrics: What annotators are told, and how they answer.
    """
    lines = ["<View>"]
    for name in ("input", "context", "output"):
        lines += [f'  <Header value="{name}"/>', f'  <Text name="{name}" value="${name}"/>']
    for name, rubric in rubrics.items():
        told = " ".join(f"{name}: {rubric.guidance}".split())
        lines += [
            f"  <Header value={quoteattr(told)}/>",
            *_control(name, rubric.label),
            _words(f"{name}_comment", "why?"),
            _words(f"{name}_reference", "instead?"),
        ]
    return "\n".join([*lines, "</View>"]) + "\n"


def _control(name: str, form: LabelForm) -> list[str]:
    """The tag that asks for the label."""
    head = f'name="{name}" toName="output"'
    match form.type:
        case "star":
            return [f'  <Rating {head} maxRating="{form.stars}"/>']
        case "numeric":
            low, high = sorted((form.worst, form.best))
            step = f' step="{form.step:g}"' if form.step else ""
            return [f'  <Number {head} min="{low:g}" max="{high:g}"{step}/>']
        case "text":
            return [_words(name, "your answer")]
    choices = (
        [f"<Choice value={quoteattr(choice)}/>" for choice in form.choices]
        if form.type == "categorical"
        else ['<Choice value="pass" hotkey="p"/>', '<Choice value="fail" hotkey="f"/>']
    )
    return [
        f'  <Choices {head} choice="single" showInline="true">',
        *(f"    {choice}" for choice in choices),
        "  </Choices>",
    ]


def _words(name: str, placeholder: str) -> str:
    """A box for one text that stays editable; without the two, every Enter adds another text."""
    once = 'maxSubmissions="1" editable="true"'
    return f'  <TextArea name="{name}" toName="output" placeholder="{placeholder}" {once}/>'
