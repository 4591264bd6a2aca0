"""bleu, rouge, chrf: n-gram overlap with the reference, as the machine translation field counts it.

Each gives the figures of its reference implementation on one sentence: BLEU and chrF those of
sacrebleu, ROUGE those of Google's rouge-score without stemming.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitloop.arguments import Argument
from gitloop.judges.metrics.metric import Fields, Metric, Scorer, each, graded
from gitloop.judges.metrics.words import tokens
from gitloop.records import Judgement

_BLEU_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[^\w\s]|_")
_BLEU_ORDER = 4
_CHRF_ORDER = 6
_CHRF_BETA = 2.0
"""Recall weighs twice as much as precision."""


def ngrams(tokens: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """How often each run of `order` tokens stands in the sequence."""
    return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))


def bleu(output: str, reference: str) -> float:
    """Sentence BLEU in [0, 1] (Papineni et al., 2002).

    Effective order up to 4, exponential smoothing (Chen and Cherry, 2014), brevity penalty.
    """
    said, wanted = _BLEU_TOKEN.findall(output), _BLEU_TOKEN.findall(reference)
    logs, smooth, found = [], 1.0, False
    for order in range(1, _BLEU_ORDER + 1):
        own, other = ngrams(said, order), ngrams(wanted, order)
        total, correct = sum(own.values()), sum((own & other).values())
        if not total:
            break
        found = found or correct > 0
        if not correct:
            smooth *= 2
        logs.append(math.log(correct / total if correct else 1 / (smooth * total)))
    if not found:
        return 0.0
    penalty = min(1.0, math.exp(1 - len(wanted) / len(said)))
    return penalty * math.exp(sum(logs) / len(logs))


def chrf(output: str, reference: str) -> float:
    """The chrF score in [0, 1]: F2 of runs of up to six characters (Popović, 2015), no blanks."""
    said, wanted = "".join(output.split()), "".join(reference.split())
    precisions, recalls = [], []
    for order in range(1, _CHRF_ORDER + 1):
        own, other = ngrams(said, order), ngrams(wanted, order)
        n_own, n_other = sum(own.values()), sum(other.values())
        if n_own and n_other:
            shared = sum((own & other).values())
            precisions.append(shared / n_own)
            recalls.append(shared / n_other)
    if not precisions:
        return float(said == wanted)
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return _f(precision, recall, _CHRF_BETA)


def rouge_n(output: str, reference: str, order: int) -> float:
    """ROUGE-N in [0, 1]: F1 of runs of `order` words (Lin, 2004)."""
    own, other = ngrams(tokens(output), order), ngrams(tokens(reference), order)
    n_own, n_other = sum(own.values()), sum(other.values())
    if not n_own or not n_other:
        return float(own == other and output.split() == reference.split())
    shared = sum((own & other).values())
    return _f(shared / n_own, shared / n_other, 1.0)


def rouge_l(output: str, reference: str) -> float:
    """ROUGE-L in [0, 1]: F1 of the longest common subsequence of words (Lin, 2004)."""
    said, wanted = tokens(output), tokens(reference)
    if not said or not wanted:
        return float(said == wanted)
    shared = common_length(said, wanted)
    return _f(shared / len(said), shared / len(wanted), 1.0)


def common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence.

    Hyyrö's bit-vector algorithm (2004): one step per token of `other`.
    """
    places: dict[str, int] = {}
    for place, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << place
    mask = (1 << len(one)) - 1
    row = mask
    for token in other:
        shared = row & places.get(token, 0)
        row = ((row + shared) | (row - shared)) & mask
    return len(one) - row.bit_count()


def _f(precision: float, recall: float, beta: float) -> float:
    """The F measure in which recall weighs `beta` times as much as precision."""
    weight = beta * beta
    below = weight * precision + recall
    return (1 + weight) * precision * recall / below if below else 0.0


def _metric(
    name: str,
    doc: str,
    make: Callable[[Mapping[str, Any]], Callable[[str, str], float]],
    arguments: Mapping[str, Argument] | None = None,
) -> Metric:
    """The metric that compares output and reference by a function."""

    def scorer(given: Mapping[str, Any]) -> Scorer:
        compare = make(given)

        def score(fields: Fields) -> Judgement:
            return graded(compare(fields["output"], fields["reference"]))

        return each(score)

    return Metric(
        name=name,
        doc=doc,
        needs=("output", "reference"),
        returns="0 to 1",
        make=scorer,
        arguments=arguments or {},
    )


def _rouge(arguments: Mapping[str, Any]) -> Callable[[str, str], float]:
    variant = arguments["variant"]
    if variant == "l":
        return rouge_l
    return lambda output, reference: rouge_n(output, reference, int(variant))


BLEU = _metric(
    "bleu", "the output shares runs of up to four words with the reference", lambda _: bleu
)
CHRF = _metric("chrf", "the output shares runs of characters with the reference", lambda _: chrf)
ROUGE = _metric(
    "rouge",
    "the output shares words, or their order, with the reference",
    _rouge,
    {
        "variant": Argument(
            "text",
            "1 or 2 (runs of one or two words) or l (longest common subsequence)",
            default="l",
            choices=("1", "2", "l"),
        )
    },
)
