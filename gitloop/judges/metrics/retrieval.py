"""Metrics of retrieval: how well passages were found, ranked and used.

ndcg, mrr, precision_at_k and recall_at_k read ids: the output is the ranking and the reference what
is relevant, each a JSON list or one id per line; a JSON object in the reference gives gains.
context_recall, context_precision and context_utilisation hold texts against each other as
`grounded` does; passages are set apart by empty lines. context_relevance needs no reference: it
looks for the question's own content words, so that a passage which answers in other words is
underrated.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitloop.arguments import Argument
from gitloop.judges.metrics.grounding import DOUBTFUL, FIGURE_WEIGHT, supports
from gitloop.judges.metrics.metric import (
    Fields,
    Metric,
    Scorer,
    each,
    graded,
    quoted,
    unjudgeable,
)
from gitloop.judges.metrics.words import Word, sentences, words
from gitloop.records import Judgement

Ranking = Callable[[Sequence[str], Mapping[str, float], int], float]


def ndcg(ranking: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """Normalised discounted cumulative gain of the first k, in [0, 1] (Järvelin et al., 2002)."""
    got = _dcg([gains.get(item, 0.0) for item in ranking[:k]])
    return got / _dcg(sorted(gains.values(), reverse=True)[:k])


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def mrr(ranking: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """1 over the place of the first relevant item among the first k; 0 where there is none."""
    places = (place for place, item in enumerate(ranking[:k], start=1) if gains.get(item, 0) > 0)
    return 1 / next(places, math.inf)


def precision_at_k(ranking: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """The share of the first k places that hold a relevant item; an empty place holds none."""
    return sum(gains.get(item, 0) > 0 for item in ranking[:k]) / k


def recall_at_k(ranking: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """The share of the relevant items that stand among the first k."""
    relevant = {item for item, gain in gains.items() if gain > 0}
    return len(relevant & set(ranking[:k])) / len(relevant)


def _ids(text: str) -> list[str]:
    """The ids in a JSON list, or one per line; each counts once, where it comes first."""
    try:
        value = json.loads(text)
    except ValueError:
        value = [line.strip() for line in text.splitlines() if line.strip()]
    found = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(str(item) for item in found))


def _gains(text: str) -> dict[str, float]:
    """Relevant id → its gain, 1 where none is given."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        gains = {str(key): float(gain) for key, gain in value.items()}
        if any(not 0 <= gain < math.inf for gain in gains.values()):
            raise ValueError
        return gains
    return dict.fromkeys(_ids(text), 1.0)


def _ranked(name: str, doc: str, measure: Ranking) -> Metric:
    def make(arguments: Mapping[str, Any]) -> Scorer:
        def score(fields: Fields) -> Judgement:
            try:
                gains = _gains(fields["reference"])
            except (TypeError, ValueError):
                return unjudgeable("the reference's gains are not numbers ≥ 0")
            if not any(gain > 0 for gain in gains.values()):
                return unjudgeable("the reference names nothing relevant")
            return graded(measure(_ids(fields["output"]), gains, arguments["k"]))

        return each(score)

    return Metric(
        name=name,
        doc=doc,
        needs=("output", "reference"),
        returns="0 to 1",
        make=make,
        arguments={"k": Argument("integer", "places that count", default=10, low=1)},
    )


NDCG = _ranked("ndcg", "what is relevant is ranked first", ndcg)
MRR = _ranked("mrr", "the first relevant item is ranked high", mrr)
PRECISION_AT_K = _ranked("precision_at_k", "the first k are relevant", precision_at_k)
RECALL_AT_K = _ranked("recall_at_k", "what is relevant is among the first k", recall_at_k)


def _held(text: str, evidence: str) -> tuple[float, list[str]]:
    """The mean support of a text's claims by the evidence, and the claims that lack it."""
    found = supports(text, evidence)
    total = sum(support.weight for _, support in found)
    share = sum(support.weight * support.share for _, support in found) / total if total else 0.0
    return share, [claim.text for claim, support in found if support.share < DOUBTFUL]


def _context_recall(fields: Fields) -> Judgement:
    if not sentences(fields["reference"]):
        return unjudgeable("the reference holds no word")
    share, lacking = _held(fields["reference"], fields["context"])
    return graded(share, f"not in the context: {quoted(lacking, most=2)}" if lacking else "")


def _passages(context: str) -> list[str]:
    return [passage for passage in re.split(r"\n\s*\n", context) if sentences(passage)]


def _context_precision(fields: Fields) -> Judgement:
    passages = _passages(fields["context"])
    claims = sentences(fields["reference"])
    if not passages or not claims:
        return unjudgeable("the context or the reference holds no word")
    useful = [
        any(support.share >= DOUBTFUL for _, support in supports(fields["reference"], passage))
        for passage in passages
    ]
    hits, total = 0, 0.0
    for place, is_useful in enumerate(useful, start=1):
        hits += is_useful
        total += hits / place if is_useful else 0.0
    told = f"{hits} of {len(passages)} passages support a claim of the reference"
    return graded(total / hits if hits else 0.0, told)


def _context_utilisation(fields: Fields) -> Judgement:
    if not sentences(fields["context"]):
        return unjudgeable("the context holds no word")
    share, _ = _held(fields["context"], fields["output"])
    return graded(share)


def _context_relevance(fields: Fields) -> Judgement:
    asked = {word.stem: word for word in words(fields["input"]) if not word.is_function}
    if not asked:
        return unjudgeable("the input asks about nothing: it holds function words alone")
    held = {word.stem for word in words(fields["context"])}
    lacking = {stem: word for stem, word in asked.items() if stem not in held}
    share = 1 - sum(map(_weight, lacking.values())) / sum(map(_weight, asked.values()))
    told = quoted([word.text for word in lacking.values()])
    return graded(share, f"not in the context: {told}" if lacking else "")


def _weight(word: Word) -> float:
    return FIGURE_WEIGHT if word.is_figure else 1.0


CONTEXT_RECALL = Metric(
    name="context_recall",
    doc="the context holds what the reference says, claim by claim",
    needs=("context", "reference"),
    returns="0 to 1",
    make=lambda _: each(_context_recall),
)
CONTEXT_PRECISION = Metric(
    name="context_precision",
    doc="passages that support the reference come before those that do not (average precision)",
    needs=("context", "reference"),
    returns="0 to 1",
    make=lambda _: each(_context_precision),
)
CONTEXT_UTILISATION = Metric(
    name="context_utilisation",
    doc="the output makes use of what the context says",
    needs=("context", "output"),
    returns="0 to 1",
    make=lambda _: each(_context_utilisation),
    takes_empty=False,
)
CONTEXT_RELEVANCE = Metric(
    name="context_relevance",
    doc="the context speaks of what the input asks about, word by word",
    needs=("input", "context"),
    returns="0 to 1",
    make=lambda _: each(_context_relevance),
)
