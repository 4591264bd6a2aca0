"""A preference before it is checked, and what two preferences have in common.

A trainer learns from a pair that one answer is better than another *to the same prompt*. So a
prompt class here is what normalisation makes one prompt: route, history, context and question
without case, blanks and punctuation. Answers to different questions are never a pair.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitloop.digests import sha256_of

SPLITS = ("train", "holdout")

_BETWEEN_WORDS = re.compile(r"[^\w]+")

Turn = tuple[str, str]
"""role ("user" or "assistant"), content."""

Score = tuple[str, float, float]
"""rubric, score of chosen, score of rejected; [0, 1], higher is better."""

Traces = Mapping[str, Mapping[str, Any]]
"""trace_id → row of `tables.TRACES`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a preference belongs in the product.

    Attributes:
        route: The part of the product, or None.
        user_cohort: The kind of user, or None.
        cluster_id: The failure cluster, or None.
    """

    route: str | None = None
    user_cohort: str | None = None
    cluster_id: str | None = None


@dataclass(frozen=True, slots=True)
class Preference:
    """One answer preferred to another, before it is checked.

    Attributes:
        source: One of `tables.PAIR_SOURCES`.
        prompt: What was asked last, with its context.
        chosen: The preferred answer, or None where its text is missing.
        rejected: The other answer, or None.
        groups: Units of splitting that the two answers belong to.
        margin: How much better, [0, 1], or None where the source has no measure.
        noise: Margin up to which the difference may be noise, [0, 1].
        confidence: How sure the judge is, [0, 1], or None where none judged.
        scores: What rubrics gave both answers.
        history: Turns before the prompt.
        chosen_id: Trace of the chosen answer, or None for one that no trace holds.
        rejected_id: Trace of the rejected answer.
        verified_by: How a chosen answer that replaces a failure was verified: edit, trace, rerun.
        annotators: Who preferred it.
        place: Where it belongs.
        comparison_id: Where it was compared, if two comparisons of the same texts are two facts.
    """

    source: str
    prompt: str
    chosen: str | None
    rejected: str | None
    groups: tuple[str, ...]
    margin: float | None = None
    noise: float = 0.0
    confidence: float | None = None
    scores: tuple[Score, ...] = ()
    history: tuple[Turn, ...] = ()
    chosen_id: str | None = None
    rejected_id: str | None = None
    verified_by: str | None = None
    annotators: tuple[str, ...] = ()
    place: Place = Place()
    comparison_id: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a source gave.

    Attributes:
        preferences: In a fixed order.
        dropped: Reason → candidates that became none.
    """

    preferences: tuple[Preference, ...]
    dropped: Mapping[str, int]


def between(
    source: str,
    good: Mapping[str, Any],
    bad: Mapping[str, Any],
    **other: Any,  # noqa: ANN401 -- further fields of Preference
) -> Preference:
    """The answer of one trace preferred to that of another; the prompt is the rejected one's."""
    return Preference(
        source=source,
        prompt=prompt_of(bad),
        chosen=good["output"],
        rejected=bad["output"],
        groups=tuple(sorted({group_of(good), group_of(bad)})),
        chosen_id=good["trace_id"],
        rejected_id=bad["trace_id"],
        place=place_of(bad),
        **other,
    )


def place_of(trace: Mapping[str, Any], cluster_id: str | None = None) -> Place:
    """Where a trace belongs."""
    return Place(trace["route"], trace["user_cohort"], cluster_id)


def group_of(trace: Mapping[str, Any]) -> str:
    """The unit of splitting of a trace: its group, else its prompt, which many may have asked."""
    return str(trace["group_id"] or f"prompt {class_of(trace)}")


def prompt_of(trace: Mapping[str, Any]) -> str:
    """What was asked, with what the application was given, as one text."""
    context = trace.get("context")
    return f"{context}\n\n{trace['input']}" if context else str(trace["input"])


def folded(text: str) -> str:
    """The text's words in lower case, one blank between them."""
    return _BETWEEN_WORDS.sub(" ", text.casefold()).strip()


def prompt_class(route: str | None, prompt: str, history: Sequence[Turn] = ()) -> str:
    """The class of a prompt, 16 hex digits: prompts of one class are one prompt to a trainer."""
    turns = [[role, folded(content)] for role, content in history]
    return sha256_of([route, turns, folded(prompt)])[:16]


def class_of(trace: Mapping[str, Any]) -> str:
    """The prompt class of a trace that stands alone."""
    return prompt_class(trace["route"], prompt_of(trace))


def by_class(traces: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Prompt class → its traces that have an answer, by trace_id; sorted by class."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for trace in sorted(traces, key=lambda one: one["trace_id"]):
        if trace["output"]:
            found.setdefault(class_of(trace), []).append(trace)
    return dict(sorted(found.items()))


def are_different(one: str, other: str) -> bool:
    """Whether two answers differ in more than blanks."""
    return one.split() != other.split()


def split_of(group_id: str, holdout_rate: float) -> str:
    """The split of a group, "train" or "holdout"; a group never changes side."""
    digest = hashlib.sha256(f"pairs|{group_id}".encode()).digest()
    return "holdout" if int.from_bytes(digest[:8]) < holdout_rate * 2**64 else "train"


def partners(
    good: Iterable[Mapping[str, Any]], bad: Mapping[str, Any], holdout_rate: float
) -> Iterator[Mapping[str, Any]]:
    """The answers that may be paired with a bad one: of its side of the split, and not its like."""
    side = split_of(group_of(bad), holdout_rate)
    return (
        one
        for one in good
        if are_different(str(one["output"]), str(bad["output"]))
        and split_of(group_of(one), holdout_rate) == side
    )


def drawn(seed: int, *words: str) -> str:
    """A key that sorts things in an order that nobody chose, the same for the same seed."""
    return sha256_of([seed, *words])
