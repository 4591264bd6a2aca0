"""On which scale labels lie: the categories, their order, and what level of measurement that is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitloop.params import LabelForm
from gitloop.stats.agreement import Label

BINARY = ("fail", "pass")
_MOST_STEPS = 100


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of a rubric's labels.

    Attributes:
        level: nominal, ordinal, interval or ratio; "words" where people answer in sentences.
        categories: The scale in order, used or not; None where the numbers given make it.
        is_number: Whether labels are numbers.
        warning: What does not fit the rubric's form, or "".
    """

    level: str
    categories: tuple[Label, ...] | None
    is_number: bool = False
    warning: str = ""

    @property
    def is_ordered(self) -> bool:
        """Whether the distance of two labels has a meaning."""
        return self.level in {"ordinal", "interval", "ratio"}

    def coded(self, label: str) -> Label:
        """The label as the statistics take it."""
        return float(label) if self.is_number else label

    def coded_all(self, labels: Iterable[str]) -> list[Label]:
        """The labels as the statistics take them."""
        return [self.coded(label) for label in labels]


def scale_of(labels: Sequence[str], form: LabelForm | None) -> Scale:
    """The scale that the form declares, or the one that the labels themselves suggest.

    Labels that the form does not take (of an older form, or written by hand) make it nominal, with
    a warning: an order that holds for some of the labels holds for none.

    Args:
        labels: Every label given.
        form: How people answer under the rubric, or None where nothing says so.
    """
    if form is None or form.type == "thumbs":
        return _suggested(labels)
    if form.type == "text":
        return Scale("words", ())
    if form.type == "categorical":
        strange = sorted(set(labels) - set(form.choices))
        if strange:
            return Scale("nominal", (*form.choices, *strange), warning=_told(strange))
        return Scale(form.measured, form.choices)
    strange = sorted({label for label in labels if not is_number(label)})
    if strange:
        return Scale("nominal", tuple(sorted(set(labels))), warning=_told(strange))
    steps = _steps(form)
    used = {float(label) for label in labels}
    whole = None if steps is None else tuple(sorted({*steps, *used}))
    return Scale(form.measured, whole, is_number=True)


def _steps(form: LabelForm) -> list[float] | None:
    """Every number that the form takes, or None where there are too many to list."""
    if form.type == "star":
        return [float(number) for number in range(1, form.stars + 1)]
    low, high = sorted((form.worst, form.best))
    if form.step is None or (high - low) / form.step > _MOST_STEPS:
        return None
    return [low + form.step * place for place in range(round((high - low) / form.step) + 1)]


def is_number(label: str) -> bool:
    """Whether the label is a finite number."""
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False


def _suggested(labels: Sequence[str]) -> Scale:
    if set(labels) <= set(BINARY):
        return Scale("nominal", BINARY)
    if all(is_number(label) for label in labels):
        return Scale("ordinal", None, is_number=True)
    return Scale("nominal", tuple(sorted(set(labels))))


def _told(strange: Sequence[str]) -> str:
    named = ", ".join(strange[:3]) + (" …" if len(strange) > 3 else "")
    return f"{len(strange)} labels are none that the rubric takes ({named}): taken as nominal"
