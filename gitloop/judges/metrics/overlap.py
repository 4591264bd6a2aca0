"""bleu, rouge, chrf: n-gram overlap with the reference, as the machine translation field counts it.

Each gives the figures of its reference implementation on one sentence: BLEU and chrF those of
sacrebleu, ROUGE those of Google's rouge-score without stemming. All take many texts at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from rapidfuzz.distance import LCSseq

from gitloop.arguments import Argument
from gitloop.judges.metrics.metric import Fields, Metric, Scorer, graded
from gitloop.judges.metrics.runs import Runs, shared_runs
from gitloop.judges.metrics.words import tokens
from gitloop.records import Judgement

_BLEU_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[^\w\s]|_")
_BLEU_ORDER = 4
_CHRF_ORDER = 6
_CHRF_BETA = 2.0
"""Recall weighs twice as much as precision."""

Texts = Sequence[str]
Compare = Callable[[Texts, Texts], list[float]]
"""Outputs and references → the likeness of each pair, in [0, 1]."""


def bleu(outputs: Texts, references: Texts) -> list[float]:
    """Sentence BLEU in [0, 1] (Papineni et al., 2002).

    Effective order up to 4, exponential smoothing (Chen and Cherry, 2014), brevity penalty.
    """
    runs = _runs_of_tokens(_BLEU_TOKEN.findall, outputs, references, _BLEU_ORDER)
    counts = zip(runs.said.tolist(), runs.wanted.tolist(), runs.shared.tolist(), strict=True)
    return [_bleu(said, wanted[0], shared) for said, wanted, shared in counts]


def _bleu(totals: list[int], n_wanted: int, correct: list[int]) -> float:
    """Sentence BLEU of an output.

    Args:
        totals: Its runs by order, from 1.
        n_wanted: Tokens of the reference.
        correct: The runs that it shares with the reference.
    """
    if not any(correct):
        return 0.0
    logs, smooth = [], 1.0
    for total, right in zip(totals, correct, strict=True):
        if not total:
            break
        if not right:
            smooth *= 2
        logs.append(math.log(right / total if right else 1 / (smooth * total)))
    penalty = min(1.0, math.exp(1 - n_wanted / totals[0]))
    return penalty * math.exp(sum(logs) / len(logs))


def chrf(outputs: Texts, references: Texts) -> list[float]:
    """The chrF score in [0, 1]: F2 of runs of up to six characters (Popović, 2015), no blanks."""
    pairs = [
        ("".join(said.split()), "".join(wanted.split()))
        for said, wanted in zip(outputs, references, strict=True)
    ]
    runs = shared_runs([(_points(said), _points(wanted)) for said, wanted in pairs], _CHRF_ORDER)
    counted = (runs.said > 0) & (runs.wanted > 0)
    n_orders = counted.sum(axis=1)
    precisions = (runs.shared / np.maximum(runs.said, 1)).sum(axis=1, where=counted)
    recalls = (runs.shared / np.maximum(runs.wanted, 1)).sum(axis=1, where=counted)
    measures = zip(pairs, n_orders.tolist(), precisions.tolist(), recalls.tolist(), strict=True)
    return [
        _f(precision / n, recall / n, _CHRF_BETA) if n else float(said == wanted)
        for (said, wanted), n, precision, recall in measures
    ]


def _points(text: str) -> np.ndarray:
    """The code points of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def rouge_n(outputs: Texts, references: Texts, order: int) -> list[float]:
    """ROUGE-N in [0, 1]: F1 of runs of `order` words (Lin, 2004)."""
    runs = _runs_of_tokens(tokens, outputs, references, order)
    n_said, n_wanted, shared = (
        counts[:, order - 1].tolist() for counts in (runs.said, runs.wanted, runs.shared)
    )
    return [
        _f(both / own, both / other, 1.0)
        if own and other
        else float(own == other and said.split() == wanted.split())
        for said, wanted, own, other, both in zip(
            outputs, references, n_said, n_wanted, shared, strict=True
        )
    ]


def rouge_l(outputs: Texts, references: Texts) -> list[float]:
    """ROUGE-L in [0, 1]: F1 of the longest common subsequence of words (Lin, 2004)."""
    return [
        _rouge_l(tokens(output), tokens(reference))
        for output, reference in zip(outputs, references, strict=True)
    ]


def _rouge_l(said: list[str], wanted: list[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    shared = LCSseq.similarity(said, wanted)
    return _f(shared / len(said), shared / len(wanted), 1.0)


def _runs_of_tokens(
    split: Callable[[str], list[str]], outputs: Texts, references: Texts, most: int
) -> Runs:
    """The runs of up to `most` tokens that outputs and references have."""
    numbers: dict[str, int] = {}

    def numbered(text: str) -> np.ndarray:
        found = [numbers.setdefault(token, len(numbers)) for token in split(text)]
        return np.array(found, dtype=np.int64)

    pairs = zip(outputs, references, strict=True)
    return shared_runs([(numbered(said), numbered(wanted)) for said, wanted in pairs], most)


def _f(precision: float, recall: float, beta: float) -> float:
    """The F measure in which recall weighs `beta` times as much as precision."""
    weight = beta * beta
    below = weight * precision + recall
    return (1 + weight) * precision * recall / below if below else 0.0


def _metric(
    name: str,
    doc: str,
    make: Callable[[Mapping[str, Any]], Compare],
    arguments: Mapping[str, Argument] | None = None,
) -> Metric:
    """The metric that compares outputs and references by a function."""

    def scorer(given: Mapping[str, Any]) -> Scorer:
        compare = make(given)

        def score(rows: Sequence[Fields]) -> list[Judgement]:
            outputs = [fields["output"] for fields in rows]
            return [graded(one) for one in compare(outputs, [row["reference"] for row in rows])]

        return score

    return Metric(
        name=name,
        doc=doc,
        needs=("output", "reference"),
        returns="0 to 1",
        make=scorer,
        arguments=arguments or {},
    )


def _rouge(arguments: Mapping[str, Any]) -> Compare:
    variant = arguments["variant"]
    return rouge_l if variant == "l" else partial(rouge_n, order=int(variant))


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
