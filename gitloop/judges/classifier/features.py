"""What a classifier sees of a row: how the output relates to its context, and how it is worded.

All features are figures that any text has, in any domain: none is a word of a training text, so
that a model fitted on one team's labels says something about rows that it has never seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from rapidfuzz.distance import LCSseq

from gitloop.judges.metrics.grounding import DOUBTFUL, Support, supports
from gitloop.judges.metrics.refusal import refusal
from gitloop.judges.metrics.words import Sentence, Word, sentences

NAMES = (
    "claim_support_mean",
    "claim_support_least",
    "claim_support_most",
    "claims_doubtful",
    "claims_contradicted",
    "n_claims",
    "coverage_words",
    "coverage_content",
    "coverage_content_with_input",
    "coverage_figures",
    "n_figures",
    "coverage_names",
    "n_names",
    "novel_pairs",
    "novel_triples",
    "novel_letters",
    "copied_in_order",
    "copied_run",
    "copied_runs_density",
    "recall_of_context",
    "closest_sentence",
    "overlap_with_input",
    "similarity_to_reference",
    "log_words",
    "log_context_words",
    "length_ratio",
    "words_per_claim",
    "repeated_words",
    "first_person",
    "second_person",
    "hedges",
    "negations",
    "questions",
    "exclamations",
    "opinions",
    "refuses",
    "has_context",
    "has_reference",
)
"""The features, in order; the version of the judge stands for this list."""

_SPEAKER = "i me my mine we us our ours i'm i've i'd i'll we're we've"
_LISTENER = "you your yours you're you've you'll"
_DOUBT = """
    maybe perhaps possibly probably likely might may could seems seem guess suppose think believe
    sure unsure roughly about around somewhat usually often sometimes heard assume
"""
_TASTE = """
    love loved like liked enjoy favorite favourite great good best nice cool awesome amazing
    wonderful fun interesting hate bad worst wow yeah yes haha oh hi hello thanks
"""
_FIRST = frozenset(_SPEAKER.split())
_SECOND = frozenset(_LISTENER.split())
_HEDGES = frozenset(_DOUBT.split())
_OPINIONS = frozenset(_TASTE.split())
_LONGEST = 600
"""Words of a text that are compared in order; what lies behind them counts in the other figures."""


def features(rows: Sequence[Mapping[str, str | None]]) -> np.ndarray:
    """Float64 (n_rows, n_features), finite.

    Args:
        rows: input, context, reference and output of each row; all but output may be None.
    """
    return np.array([_of(row) for row in rows], dtype=np.float64).reshape(-1, len(NAMES))


def _of(row: Mapping[str, str | None]) -> list[float]:
    output, context = row["output"] or "", row["context"] or ""
    asked, reference = row["input"] or "", row["reference"] or ""
    said = [word for sentence in sentences(output) for word in sentence.words]
    given = [word for sentence in sentences(context) for word in sentence.words]
    figures = frozenset(w.stem for s in sentences(asked) for w in s.words if w.is_figure)
    claims = supports(output, context, given=figures)
    return [
        *_claims(claims),
        *_coverage(said, given, _stems(asked)),
        *_copying(said, given, output, context),
        *_likeness(said, context, asked, reference),
        *_wording(said, given, len(claims)),
        *_tone(said, output),
        float(bool(given)),
        float(bool(reference.strip())),
    ]


def _claims(claims: Sequence[tuple[Sentence, Support]]) -> list[float]:
    if not claims:
        return [0.0] * 6
    found = [support for _, support in claims]
    total = sum(support.weight for support in found)
    return [
        sum(support.weight * support.share for support in found) / total,
        min(support.share for support in found),
        max(support.share for support in found),
        sum(support.share < DOUBTFUL for support in found) / len(found),
        sum(support.is_contradicted for support in found) / len(found),
        math.log1p(len(found)),
    ]


def _coverage(said: Sequence[Word], given: Sequence[Word], asked: frozenset[str]) -> list[float]:
    known = {word.stem for word in given}
    content = [word.stem for word in said if not word.is_function]
    figures = [word.stem for word in said if word.is_figure]
    names = [
        word.stem
        for place, word in enumerate(said)
        if place and word.text[:1].isupper() and not word.is_function and len(word.text) > 1
    ]
    return [
        _share([word.stem for word in said], known),
        _share(content, known),
        _share(content, known | asked),
        _share(figures, known, empty=1.0),
        math.log1p(len(figures)),
        _share(names, known, empty=1.0),
        math.log1p(len(names)),
    ]


def _copying(said: Sequence[Word], given: Sequence[Word], output: str, context: str) -> list[float]:
    own, known = [w.stem for w in said], [w.stem for w in given]
    runs = _copied_runs(own[:_LONGEST], known)
    n_words = max(len(own[:_LONGEST]), 1)
    letters = _letters(output)
    return [
        1 - _share(_grams(own, 2), set(_grams(known, 2)), empty=_share(own, set(known))),
        1 - _share(_grams(own, 3), set(_grams(known, 3)), empty=_share(own, set(known))),
        1 - _share(letters, set(_letters(context))),
        LCSseq.similarity(own[:_LONGEST], known[:_LONGEST]) / n_words,
        max(runs, default=0) / n_words,
        sum(run * run for run in runs) / n_words / 10,
        _share(sorted(set(known)), set(own)),
    ]


def _likeness(said: Sequence[Word], context: str, asked: str, reference: str) -> list[float]:
    own = {word.stem for word in said if not word.is_function}
    nearest = max((_dice(own, s.stems) for s in sentences(context)), default=0.0)
    return [nearest, _dice(own, _stems(asked)), _dice(own, _stems(reference))]


def _wording(said: Sequence[Word], given: Sequence[Word], n_claims: int) -> list[float]:
    n = max(len(said), 1)
    return [
        math.log1p(len(said)),
        math.log1p(len(given)),
        math.log1p(len(said)) - math.log1p(len(given)),
        math.log1p(len(said) / max(n_claims, 1)),
        1 - len({word.stem for word in said}) / n,
    ]


def _tone(said: Sequence[Word], output: str) -> list[float]:
    plain = [word.text.casefold().replace("’", "'") for word in said]
    n = max(len(plain), 1)
    return [
        *(sum(word in known for word in plain) / n for known in (_FIRST, _SECOND, _HEDGES)),
        sum(word.is_negation for word in said) / n,
        min(len(re.findall(r"\?", output)), 3) / 3,
        min(len(re.findall(r"!", output)), 3) / 3,
        sum(word in _OPINIONS for word in plain) / n,
        float(bool(refusal(output))),
    ]


def _stems(text: str) -> frozenset[str]:
    return frozenset(word.stem for s in sentences(text) for word in s.words if not word.is_function)


def _share(
    found: Sequence[object], known: set[str] | frozenset[str] | set[object], *, empty: float = 0.0
) -> float:
    return sum(one in known for one in found) / len(found) if found else empty


def _grams(stems: Sequence[str], order: int) -> list[object]:
    return [tuple(stems[i : i + order]) for i in range(len(stems) - order + 1)]


def _letters(text: str) -> list[object]:
    plain = " ".join(text.casefold().split())
    return [plain[i : i + 5] for i in range(len(plain) - 4)]


def _dice(one: set[str] | frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0


def _copied_runs(own: Sequence[str], known: Sequence[str]) -> list[int]:
    """Lengths of the runs of words that stand in the context the same way, longest first found.

    Extractive fragments (Grusky et al., 2018).
    """
    places: dict[str, list[int]] = {}
    for place, stem in enumerate(known):
        places.setdefault(stem, []).append(place)
    runs, start = [], 0
    while start < len(own):
        longest = 0
        for place in places.get(own[start], ()):
            length = 0
            while (
                start + length < len(own)
                and place + length < len(known)
                and own[start + length] == known[place + length]
            ):
                length += 1
            longest = max(longest, length)
        if longest:
            runs.append(longest)
        start += max(longest, 1)
    return runs
