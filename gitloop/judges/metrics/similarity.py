"""similarity: how like the reference the output is, by words or by characters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from gitloop.arguments import Argument
from gitloop.judges.metrics.metric import Fields, Metric, Scorer, each, graded
from gitloop.judges.metrics.words import tokens
from gitloop.records import Judgement

_BY = ("words", "recall", "characters")


def token_f1(tokens: Sequence[str], others: Sequence[str]) -> float:
    """The harmonic mean of precision and recall of two bags of tokens, in [0, 1], symmetric.

    Rajpurkar et al., SQuAD (2016), without the removal of articles. Two empty bags are equal.
    """
    if not tokens or not others:
        return float(tokens == others)
    shared = sum((Counter(tokens) & Counter(others)).values())
    return 2 * shared / (len(tokens) + len(others))


def token_recall(tokens: Sequence[str], reference: Sequence[str]) -> float:
    """The share of the reference's tokens that the text has too, in [0, 1]."""
    if not reference:
        return 1.0
    return sum((Counter(tokens) & Counter(reference)).values()) / len(reference)


def edit_similarity(text: str, other: str) -> float:
    """1 minus the Levenshtein distance over the longer length, in [0, 1], symmetric."""
    longest = max(len(text), len(other))
    return 1 - Levenshtein.distance(text, other) / longest if longest else 1.0


def plain(text: str) -> str:
    """The text in NFKC, case folded, with runs of blanks made one."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _make(arguments: Mapping[str, Any]) -> Scorer:
    def by_words(fields: Fields) -> Judgement:
        return graded(token_f1(tokens(fields["output"]), tokens(fields["reference"])))

    def by_recall(fields: Fields) -> Judgement:
        return graded(token_recall(tokens(fields["output"]), tokens(fields["reference"])))

    def by_characters(fields: Fields) -> Judgement:
        return graded(edit_similarity(plain(fields["output"]), plain(fields["reference"])))

    scorers = {"words": by_words, "recall": by_recall, "characters": by_characters}
    return each(scorers[arguments["by"]])


SIMILARITY = Metric(
    name="similarity",
    doc="the output is like the reference",
    needs=("output", "reference"),
    returns="0 to 1",
    make=_make,
    arguments={
        "by": Argument(
            "text",
            "words (F1 of the shared words), recall (share of the reference's words that the"
            " output has) or characters (1 − edit distance / length)",
            default="words",
            choices=_BY,
        )
    },
)
