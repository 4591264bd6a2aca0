"""From an answer to a label: what a form takes, what it is worth, and the row that is kept."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from gitloop.core.label.items import Case, Given, Item, Session
from gitloop.digests import sha256_of
from gitloop.params import LabelForm

VERDICTS = ("pass", "fail")
PREFERENCE = LabelForm(type="categorical", choices=("a", "b", "tie"), question="Which is better?")
"""How people answer about a pair: not by rubric, but which of the two they prefer."""

_LONGEST_ANSWER = 10_000


def graded(form: LabelForm, answer: str) -> tuple[str, float | None]:
    """The label and its score in [0, 1], or None where the answer is no verdict.

    Args:
        form: How people answer under the rubric.
        answer: What they said, as text.

    Raises:
        ValueError: The form takes no such answer; the text says what it takes.
    """
    said = answer.strip()
    match form.type:
        case "thumbs":
            if said not in VERDICTS:
                raise ValueError(f"{said!r} is neither pass nor fail")
            return said, 1.0 if said == "pass" else 0.0
        case "categorical":
            if said not in form.choices:
                raise ValueError(f"{said!r} is none of {', '.join(form.choices)}")
            return said, _score(form, said)
        case "star":
            if not said.isdecimal() or not 1 <= int(said) <= form.stars:
                raise ValueError(f"{said!r} is no number of stars from 1 to {form.stars}")
            return str(int(said)), (int(said) - 1) / (form.stars - 1)
        case "numeric":
            return _number(form, said)
    if not said or len(said) > _LONGEST_ANSWER:
        raise ValueError(f"an answer in words has 1 to {_LONGEST_ANSWER:,} characters")
    return said, None


def _score(form: LabelForm, choice: str) -> float | None:
    """What the category is worth: as declared, or as its name says."""
    if form.scores:
        return form.scores.get(choice)
    return {"pass": 1.0, "fail": 0.0}.get(choice)


def _number(form: LabelForm, said: str) -> tuple[str, float]:
    low, high = sorted((form.worst, form.best))
    try:
        value = float(said.replace(",", "."))
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ValueError(f"{said!r} is no number from {low:g} to {high:g}")
    if form.step is not None:
        steps = (value - low) / form.step
        if abs(steps - round(steps)) > 1e-9:
            raise ValueError(f"{said!r} is no step of {form.step:g} from {low:g}")
    return f"{value:.12g}", (value - form.worst) / (form.best - form.worst)


def form_of(session: Session, item: Item) -> LabelForm:
    """How the question is answered."""
    return PREFERENCE if item.case.kind == "pair" else session.form(item.rubric)


def label_row(session: Session, item: Item, given: Given, *, at: datetime) -> dict[str, Any]:
    """The label that an answer makes: a row of `tables.LABELS`.

    Its id depends on who, what, the rubric and the guidance alone: the same answer given twice is
    the same label. A reference that is the answer itself, unedited, is none.

    Raises:
        ValueError: The form takes no such answer.
    """
    case = item.case
    label, score = graded(form_of(session, item), given.label)
    reference = given.reference if (given.reference or "").strip() else None
    return {
        "label_id": label_id(session.annotator, case, item.rubric, session.guidance_version),
        "trace_id": case.trace_id,
        "item_kind": case.kind,
        "item_id": None if case.kind == "trace" else case.item_id,
        "rubric": item.rubric,
        "label": label,
        "score": score,
        "reference": None if reference == case.output else reference,
        "comment": given.comment or None,
        "annotator": session.annotator,
        "role": session.role,
        "guidance_version": session.guidance_version,
        "sections": sorted(set(given.sections)) or None,
        "cluster_id": case.cluster_id,
        "rubric_version": session.rubrics.get(item.rubric),
        "created_at": at,
    }


def label_id(annotator: str, case: Case, rubric: str, guidance_version: str) -> str:
    """The identity of a label: 16 hex digits of who, what, by which rubric and guidance."""
    what = {"annotator": annotator, "guidance": guidance_version, "rubric": rubric}
    if case.kind == "trace":
        return sha256_of(what | {"trace": case.trace_id})[:16]
    return sha256_of(what | {"kind": case.kind, "item": case.item_id})[:16]


def annotator_name(identity: str) -> str:
    """A person's name as the stem of a label file: lower case, words joined by dashes, or ""."""
    kept = (
        char if char.isascii() and (char.isalnum() or char in "._@+") else " "
        for char in identity.lower()
    )
    return "-".join("".join(kept).split()).strip(".@+_")[:64]
