"""From an answer to a label: how it is asked for, and the row that is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gitloop.core.label.items import Case, Given, Item, Session
from gitloop.digests import sha256_of
from gitloop.params import LabelForm

PREFERENCE = LabelForm(type="categorical", choices=("a", "b", "tie"), question="Which is better?")
"""How people answer about a pair: not by rubric, but which of the two they prefer."""


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
    label, score = form_of(session, item).grade(given.label)
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
