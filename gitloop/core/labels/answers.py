"""One person's answers about one trace in another tool, as drafts of labels.

Such tools know questions. A question named as a rubric is a verdict or a grade; `comment` and
`reference` belong to every rubric answered, `<rubric>_comment` and `<rubric>_reference` to one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitloop.core.labels.native import Draft
from gitloop.errors import DataError
from gitloop.params import LabelForm

TEXTS = ("comment", "reference")

_IDS = {
    "label-studio": re.compile(r"[^@\s]+@[^@\s]+|\d+"),
    "argilla": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}
"""What a person's id looks like in a tool: an address or a number, and a UUID."""

THUMBS = {
    True: "pass",
    False: "fail",
    "up": "pass",
    "down": "fail",
    "thumbs_up": "pass",
    "thumbs_down": "fail",
    "\N{THUMBS UP SIGN}": "pass",
    "\N{THUMBS DOWN SIGN}": "fail",
}
"""How other tools write a verdict; "pass" and "fail" are written as they are."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to read another tool's answers.

    Attributes:
        people: Their id of a person → our annotator's name.
        lowest: Worst grade of a rating.
        highest: Best grade of a rating.
        forms: Rubric → how people answer under it; its own scale stands above the two grades.
    """

    people: Mapping[str, str] = field(default_factory=dict)
    lowest: float = 1.0
    highest: float = 5.0
    forms: Mapping[str, LabelForm] = field(default_factory=dict)

    def theirs(self, annotator: str) -> str:
        """The other tool's id of our annotator; our own name where nobody told it."""
        found = (theirs for theirs, ours in self.people.items() if ours == annotator)
        return next(found, annotator)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one person answered about one trace.

    Attributes:
        place: Where it stands, for messages.
        trace_id: The trace.
        person: Their id of the person, or None.
        created_at: When, ISO 8601, or None.
        answers: Question → what was answered: text, a number, a truth value.
        origins: Question → the id that the answer has there.
    """

    place: str
    trace_id: Any
    person: str | None
    created_at: str | None
    answers: Mapping[str, Any]
    origins: Mapping[str, str] = field(default_factory=dict)


def strangers(form: str, annotators: Iterable[str], dialect: Dialect) -> tuple[str, ...]:
    """Those of the annotators whom the other tool cannot know: nobody told their id there."""
    known = _IDS.get(form)
    if known is None:
        return ()
    return tuple(name for name in annotators if not known.fullmatch(dialect.theirs(name)))


def read_sheets(
    records: Iterable[tuple[str, dict[str, Any]]],
    sheets: Callable[[str, dict[str, Any]], Iterator[Sheet]],
    dialect: Dialect,
) -> list[Draft]:
    """The drafts in another tool's records.

    Args:
        records: (place, record).
        sheets: Takes a record apart; may stumble over one that is not as the tool writes them.
        dialect: How to read answers.

    Raises:
        DataError: Every record that is not as the tool writes them.
    """
    found: list[Draft] = []
    faults = []
    for place, record in records:
        try:
            found += [draft for sheet in sheets(place, record) for draft in drafts(sheet, dialect)]
        except (AttributeError, TypeError, KeyError, IndexError, ValueError):
            faults.append(f"  {place}: not as the tool writes it")
    if faults:
        raise DataError("\n".join(["the file cannot be read:", *faults[:100]]))
    return found


def drafts(sheet: Sheet, dialect: Dialect) -> Iterator[Draft]:
    """One draft per rubric that was answered, in the order of the questions."""
    spoken = {name for name in sheet.answers if name in TEXTS or name.endswith(_ENDINGS)}
    common: dict[str, Any] = {"trace_id": sheet.trace_id}
    if sheet.person is not None:
        common["annotator"] = dialect.people.get(sheet.person, sheet.person)
    if sheet.created_at is not None:
        common["created_at"] = sheet.created_at
    for rubric, answer in sheet.answers.items():
        if rubric in spoken:
            continue
        words = {name: _words(sheet.answers, rubric, name) for name in TEXTS}
        yield Draft(
            sheet.place,
            common
            | {"rubric": rubric, **_verdict(answer, dialect, dialect.forms.get(rubric))}
            | {name: text for name, text in words.items() if text},
            sheet.origins.get(rubric),
        )


_ENDINGS = tuple(f"_{name}" for name in TEXTS)


def _words(answers: Mapping[str, Any], rubric: str, name: str) -> str | None:
    given = answers.get(f"{rubric}_{name}") or answers.get(name)
    return str(given) if given else None


def _verdict(
    answer: Any,  # noqa: ANN401 -- JSON holds anything
    dialect: Dialect,
    form: LabelForm | None,
) -> dict[str, Any]:
    """The label, and its score where it is a grade and no form says what that is worth."""
    is_number = isinstance(answer, int | float) and not isinstance(answer, bool)
    if form is not None and form.type != "thumbs" and (is_number or isinstance(answer, str)):
        return {"label": f"{answer:g}" if is_number else answer}
    if isinstance(answer, bool | str):
        return {"label": THUMBS.get(answer, answer)}
    if is_number:
        share = (answer - dialect.lowest) / (dialect.highest - dialect.lowest)
        return {"label": f"{answer:g}", "score": share}
    return {"label": answer}  # told as a fault by the rules of label files
