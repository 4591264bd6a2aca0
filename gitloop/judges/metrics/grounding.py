"""grounded: how much of what an output says is supported by its context.

Each sentence of the output is a claim. A word of it is supported when its stem stands in the
context; a figure, when a context sentence that shares a content word with the claim gives it, or
when the user gave it.
Figures weigh twice and function words half as much as other words. A claim's support is the
weighted share of its supported words. It is halved in proportion to the figures that the context
does not give, and halved when the claim denies what its closest context sentence states, or the
other way round. The score is the mean support, each claim weighing as much as its words. A greeting
or a thank-you is no claim. An output that says it does not know is supported by an empty context
and by nothing else.

The weights are round numbers set in advance, not fitted to any labels: see benchmarks/judging.py.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import compress
from typing import Any

from gitloop.judges.metrics.metric import (
    Fields,
    Metric,
    Scorer,
    each,
    graded,
    quoted,
    unjudgeable,
)
from gitloop.judges.metrics.words import Sentence, Word, sentences
from gitloop.records import Judgement

FUNCTION_WEIGHT = 0.5
FIGURE_WEIGHT = 2.0
UNGIVEN_FIGURE = 0.5
"""What is left of a claim's support when none of its figures stands in the context."""
CONTRADICTED = 0.5
"""What is left of a claim's support when the context says the opposite."""
LIKE = 0.5
"""Share of a claim in one context sentence from which the two speak of the same thing."""
SAME = 0.7
"""The share both ways from which they say the same thing but for a negation."""
DOUBTFUL = 0.7
"""Support under which a claim is named in the reason."""

_SPEAKER = (
    r"(?:\bI|\bwe|(?:the|these|this|provided|given|available) (?:\w+ ){0,2}?"
    r"(?:documents?|context|texts?|passages?|articles?|sources?|information|materials?))"
)
_DENIAL = (
    r"(?:do(?:es)? not|don['’]t|doesn['’]t|did not|didn['’]t|can(?:not| not|['’]t)"
    r"|could(?: not|n['’]t)"
    r"|(?:am|are|is|was|were) (?:not|unable)|(?:have|has|had) no|is no|lacks?)"
)
_KNOWING = (
    r"(?:information|details?|answers?|mention\w*|specif\w+|data|knowledge|provide\w*|include\w*"
    r"|contain\w*|address\w*|discuss\w*|find|know|say|tell|help|assist)"
)
_ABSTENTION = re.compile(
    rf"{_SPEAKER}\b[^.!?\n]{{0,60}}?\b{_DENIAL}\b[^.!?\n]{{0,60}}?\b{_KNOWING}\b", re.IGNORECASE
)
_SOME = r"(?:,? [^\W\d_][\w'’-]*)"
_COURTESY = re.compile(
    rf"(?:(?:hello|hi|hey|dear|good (?:morning|afternoon|evening|day)){_SOME}{{0,3}}"
    rf"|(?:many )?thank(?:s|s? you)(?: (?:so|very) much)?(?: for{_SOME}{{1,4}})?"
    r"|you(?:['’]re| are) (?:very |most )?welcome"
    rf"|(?:i |we )?hope (?:this|that|it) helps{_SOME}{{0,3}}"
    rf"|(?:please )?let (?:me|us) know{_SOME}{{0,9}}"
    rf"|(?:please )?(?:feel free|do(?: not|n['’]t) hesitate) to{_SOME}{{0,9}}"
    rf"|(?:i['’]m|i am|we['’]re|we are) (?:glad|happy|here) (?:i could|to) help{_SOME}{{0,3}}"
    r"|is there anything else (?:i|we) can (?:do|help)(?: (?:for|with|you))*"
    r"|(?:kind |best |warm )?regards|yours sincerely)[\s,.!?]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Support:
    """How far the context supports one claim.

    Attributes:
        weight: Weight of its words, > 0.
        share: Its support in [0, 1].
        spans: Runs of words that the context does not support.
        figures: Figures that the context does not give.
        is_contradicted: Whether the context says the opposite.
    """

    weight: float
    share: float
    spans: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    is_contradicted: bool = False


class Evidence:
    """A context, ready to be searched.

    Args:
        context: The text that claims are held against.
    """

    def __init__(self, context: str) -> None:
        self.sentences = sentences(context)
        self.stems = frozenset().union(*[sentence.stems for sentence in self.sentences])
        self.negated = any(sentence.is_negated for sentence in self.sentences)

    @cached_property
    def _places(self) -> Mapping[str, list[int]]:
        """Stem → the sentences that hold it; most claims are supported, or not, without."""
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, sentence in enumerate(self.sentences):
            for stem in sentence.stems:
                places[stem].append(place)
        return places

    def holds(self, claim: Sentence, given: frozenset[str]) -> list[bool]:
        """Which words of a claim it supports; `given` are stems that need no support."""
        known = self.stems | given if given else self.stems
        held = [word.stem in known for word in claim.words]
        about: frozenset[str] | None = None
        for place, word in enumerate(claim.words):
            if word.is_figure and held[place] and word.stem not in given:
                if about is None:
                    about = frozenset(
                        [w.stem for w in claim.words if not w.is_figure and not w.is_function]
                    )
                held[place] = self._gives(word, about)
        return held

    def _gives(self, figure: Word, about: frozenset[str]) -> bool:
        """Whether a sentence about one of these stems, if there are any, gives the figure."""
        places = self._places.get(figure.stem, ())
        return not about or any(
            not about.isdisjoint(self.sentences[place].stems) for place in places
        )

    def closest(self, claim: Sentence) -> tuple[Sentence, float] | None:
        """The sentence with most of the claim's words by weight, and that weight."""
        shared = [0.0] * len(self.sentences)
        for word in claim.words:
            for place in self._places.get(word.stem, ()):
                shared[place] += _weight(word)
        best = max(shared, default=0.0)
        return (self.sentences[shared.index(best)], best) if best else None


_evidence = lru_cache(maxsize=256)(Evidence)


def supports(
    output: str, context: str, *, given: frozenset[str] = frozenset()
) -> list[tuple[Sentence, Support]]:
    """Each claim of the output with its support, in order.

    A courtesy claims nothing, unless the output has nothing else to say.

    Args:
        output: The text that makes claims.
        context: The text that supports them, or not.
        given: Stems of figures that the user gave, and the output may repeat.
    """
    evidence = _evidence(context)
    said = sentences(output)
    claims = [claim for claim in said if not _COURTESY.fullmatch(claim.text)] or said
    return [(claim, _support(claim, evidence, given)) for claim in claims]


def _support(claim: Sentence, evidence: Evidence, given: frozenset[str]) -> Support:
    weights = [_weight(word) for word in claim.words]
    weight = sum(weights)
    if not evidence.sentences and _ABSTENTION.search(claim.text):
        return Support(weight, 1.0)
    held = evidence.holds(claim, given)
    share = sum(compress(weights, held)) / weight
    figures = [(w.text, ok) for w, ok in zip(claim.words, held, strict=True) if w.is_figure]
    ungiven = tuple(dict.fromkeys([text for text, ok in figures if not ok]))
    if ungiven:
        share *= 1 - UNGIVEN_FIGURE * sum(not ok for _, ok in figures) / len(figures)
    contradicted = _is_contradicted(claim, weight, evidence)
    if contradicted:
        share *= CONTRADICTED
    return Support(weight, share, _spans(claim.words, held), ungiven, contradicted)


def _weight(word: Word) -> float:
    if word.is_figure:
        return FIGURE_WEIGHT
    return FUNCTION_WEIGHT if word.is_function else 1.0


def _is_contradicted(claim: Sentence, weight: float, evidence: Evidence) -> bool:
    """Whether the context sentence closest to the claim says it with the opposite sign."""
    if not claim.is_negated and not evidence.negated:
        return False
    found = evidence.closest(claim)
    if found is None or found[0].is_negated == claim.is_negated:
        return False
    sentence, shared = found
    if claim.is_negated:
        return shared >= LIKE * weight
    back = sum(_weight(word) for word in sentence.words if word.stem in claim.stems)
    whole = sum(_weight(word) for word in sentence.words)
    return shared >= SAME * weight and back >= SAME * whole


def _spans(claim: Sequence[Word], held: Sequence[bool]) -> tuple[str, ...]:
    """Runs of unsupported words with at least one that is not a function word, as written."""
    if all(held):
        return ()
    spans: list[str] = []
    run: list[str] = []
    counts = False
    for word, ok in zip(claim, held, strict=True):
        if not ok:
            run.append(word.text)
            counts = counts or not word.is_function
            continue
        if counts:
            spans.append(" ".join(run))
        if run:
            run, counts = [], False
    if counts:
        spans.append(" ".join(run))
    return tuple(spans)


def _figures(text: str) -> frozenset[str]:
    """The stems of the figures in a text."""
    return frozenset([w.stem for s in sentences(text) for w in s.words if w.is_figure])


def _grounded(fields: Fields) -> Judgement:
    given = _figures(fields.get("input", "")) if _figures(fields["output"]) else frozenset()
    found = supports(fields["output"], fields["context"], given=given)
    if not found:
        return unjudgeable("the output holds no word")
    total = sum(support.weight for _, support in found)
    score = sum(support.weight * support.share for _, support in found) / total
    return graded(score, _reason(found))


def _reason(found: Sequence[tuple[Sentence, Support]]) -> str:
    """Which spans the context does not support, worst claims first."""
    doubtful = sorted(
        (support for _, support in found if support.share < DOUBTFUL or support.figures),
        key=lambda support: support.share,
    )
    told = f"{len(found) - len(doubtful)} of {len(found)} claims supported"
    figures = list(dict.fromkeys(text for support in doubtful for text in support.figures))
    spans = list(dict.fromkeys(span for support in doubtful for span in support.spans))
    denied = sum(support.is_contradicted for _, support in found)
    parts = [told]
    if figures:
        parts.append(f"figures not in the context: {quoted(figures)}")
    if spans:
        parts.append(f"not in the context: {quoted(spans)}")
    if denied:
        parts.append(f"{denied} said the other way round")
    return "; ".join(parts)


def _make(_arguments: Mapping[str, Any]) -> Scorer:
    return each(_grounded)


GROUNDED = Metric(
    name="grounded",
    doc="the context supports what the output says, claim by claim",
    needs=("output", "context"),
    takes=("input",),
    takes_empty=False,
    returns="0 to 1",
    make=_make,
)
