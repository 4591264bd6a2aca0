"""What a local metric is: a pure function of a row's texts, under arguments that a rubric gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitloop.arguments import Argument
from gitloop.records import Judgement

Fields = Mapping[str, str]
"""input, context, output and reference, as far as the metric uses them."""

Scorer = Callable[[Sequence[Fields]], list[Judgement]]
"""A metric that is ready to score: one judgement per row, in order."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A judge of a row's texts: deterministic, with no model and no network unless it is remote.

    Attributes:
        name: As a rubric names it: `scorer: {local: {metric: <name>}}`.
        doc: One line: what a high score means.
        needs: The fields that it cannot do without.
        returns: What its scores are: "0 or 1", or "0 to 1".
        make: Arguments → the metric, ready to score; raises ValueError, in words for the rubric's
            author, where arguments do not go together.
        arguments: What a rubric may tell it.
        takes: Fields that it uses where a row has them.
        takes_empty: Whether an empty output is something that it can judge.
        is_remote: Arguments → whether it calls a server: its calls are recorded then, the pin names
            the model, and `make` finds what the pin says under "pin".
    """

    name: str
    doc: str
    needs: tuple[str, ...]
    returns: str
    make: Callable[[Mapping[str, Any]], Scorer]
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    takes_empty: bool = True
    is_remote: Callable[[Mapping[str, Any]], bool] = lambda _: False


def each(score: Callable[[Fields], Judgement]) -> Scorer:
    """The scorer that judges every row by itself."""
    return lambda rows: [score(row) for row in rows]


def verdict(*, passes: bool, reason: str = "") -> Judgement:
    """A judgement of 1 or 0."""
    return Judgement("ok", 1.0 if passes else 0.0, reason)


def graded(score: float, reason: str = "") -> Judgement:
    """A judgement in [0, 1], rounded so that the order of a sum never shows."""
    return Judgement("ok", round(min(max(score, 0.0), 1.0), 6), reason)


def unjudgeable(reason: str) -> Judgement:
    """No judgement, because the row has nothing that the metric could judge."""
    return Judgement("missing", None, reason)


def quoted(words: list[str], *, most: int = 5) -> str:
    """The first few words, quoted, and how many more there are."""
    shown = ", ".join(f"“{word[:60]}”" for word in words[:most])
    return shown + (f" and {len(words) - most} more" if len(words) > most else "")
