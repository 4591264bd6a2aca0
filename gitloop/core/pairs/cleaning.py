"""What must not be trained on: golden rows, the holdout, and the same text twice.

Texts are alike by Jaccard's similarity of their three-word shingles (Broder 1997). In any one order
of all shingles, two sets can be `threshold` alike only where they share one of the first of each
(prefix filtering, Chaudhuri 2006). The order is the rarest first: what a prompt template repeats in
every text comes last, so few texts are compared.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from gitloop.core.pairs.preferences import folded, split_of

_WORDS_TOGETHER = 3
_TEXTS = ("prompt", "chosen", "rejected")

GOLDEN_TRACE = "a golden row came from its trace"
GOLDEN_GROUP = "a golden row is of its group"
GOLDEN_PROMPT = "a golden row asks the same"
NEAR_DUPLICATE = "a near duplicate of another pair"
HOLDOUT_PROMPT = "the holdout asks the same"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What may be exported.

    Attributes:
        pairs: The pairs that stay, in their order.
        dropped: pair_id → why it goes.
    """

    pairs: pl.DataFrame
    dropped: dict[str, str]

    def counts(self) -> dict[str, int]:
        """Reason → pairs."""
        return dict(sorted(Counter(self.dropped.values()).items()))


class Index:
    """Texts that others are compared with.

    Args:
        threshold: Least similarity that counts, (0, 1].
        frequency: Shingle → how many texts hold it, of all texts that are added or asked for; one
            that it does not name is the rarest.
    """

    def __init__(self, threshold: float, frequency: Mapping[str, int]) -> None:
        self._threshold = threshold
        self._frequency = frequency
        self._texts: list[frozenset[str]] = []
        self._holders: dict[str, list[int]] = {}

    def add(self, shingles: frozenset[str]) -> None:
        """Remember a text."""
        for shingle in self._prefix(shingles):
            self._holders.setdefault(shingle, []).append(len(self._texts))
        self._texts.append(shingles)

    def has_like(self, shingles: frozenset[str]) -> bool:
        """Whether a remembered text is alike."""
        seen: set[int] = set()
        for shingle in self._prefix(shingles):
            for n in self._holders.get(shingle, ()):
                if n not in seen:
                    seen.add(n)
                    if jaccard(shingles, self._texts[n]) >= self._threshold:
                        return True
        return False

    def _prefix(self, shingles: frozenset[str]) -> list[str]:
        """The rarest n - ⌈threshold · n⌉ + 1 shingles: alike sets share one of these."""
        n = len(shingles) - math.ceil(self._threshold * len(shingles)) + 1
        return heapq.nsmallest(n, shingles, key=lambda one: (self._frequency.get(one, 0), one))


def frequencies(texts: Iterable[frozenset[str]]) -> Counter[str]:
    """Shingle → how many of the texts hold it."""
    found: Counter[str] = Counter()
    for shingles in texts:
        found.update(shingles)
    return found


def clean(
    pairs: pl.DataFrame, golden: pl.DataFrame, *, near_duplicate: float, keeps_near: bool = False
) -> Cleaned:
    """The pairs without what the gate is decided on, without repeats, without leaks to train.

    A pair goes when a golden row came from one of its traces, is of one of its groups, or asks the
    same; when it is a near duplicate of a pair before it, in prompt, chosen and rejected together;
    or when it would train on a prompt that the holdout has. The holdout is looked at first, so that
    of two near duplicates the one in the holdout stays.

    Args:
        pairs: Fits `tables.PAIRS`.
        golden: Every row of every golden set, whatever its split; fits `tables.GOLDEN`.
        near_duplicate: Least similarity of near duplicates, (0, 1].
        keeps_near: Whether near duplicates of other pairs stay, in train and holdout too.
    """
    ordered = pairs.sort(pl.col("split") != "holdout", "pair_id").to_dicts()
    whole = [shingles_of("\n".join(pair[name] for name in _TEXTS)) for pair in ordered]
    prompts = [shingles_of(pair["prompt"]) for pair in ordered]
    frequency = frequencies([*whole, *prompts])
    against = _Golden.of(golden, near_duplicate, frequency)
    seen, asked = Index(near_duplicate, frequency), Index(near_duplicate, frequency)
    dropped: dict[str, str] = {}
    classes: set[str] = set()
    for pair, text, prompt in zip(ordered, whole, prompts, strict=True):
        reason = against.reason(pair, prompt)
        if not reason and not keeps_near:
            if pair["split"] == "train" and (
                pair["prompt_class"] in classes or asked.has_like(prompt)
            ):
                reason = HOLDOUT_PROMPT
            elif seen.has_like(text):
                reason = NEAR_DUPLICATE
        if reason:
            dropped[pair["pair_id"]] = reason
            continue
        seen.add(text)
        if pair["split"] == "holdout":
            classes.add(pair["prompt_class"])
            asked.add(prompt)
    kept = pairs.filter(~pl.col("pair_id").is_in(list(dropped)))
    return Cleaned(kept, dict(sorted(dropped.items())))


def clean_rewards(
    rewards: pl.DataFrame, golden: pl.DataFrame, *, holdout_rate: float, near_duplicate: float
) -> list[dict[str, Any]]:
    """The rewarded answers that may train or be held out, each with its `split`, by trace_id.

    Args:
        rewards: Fits `tables.REWARDS`.
        golden: Every row of every golden set; fits `tables.GOLDEN`.
        holdout_rate: Share of groups held out.
        near_duplicate: Least similarity of near duplicates, (0, 1].
    """
    prompts = [shingles_of(prompt) for prompt in rewards["prompt"]]
    against = _Golden.of(golden, near_duplicate, frequencies(prompts))
    rows = []
    for row, prompt in zip(rewards.to_dicts(), prompts, strict=True):
        pair = {"chosen_id": row["trace_id"], "rejected_id": None, "groups": [row["group_id"]]}
        if not against.reason(pair | {"prompt": row["prompt"], "history": []}, prompt):
            rows.append(row | {"split": split_of(row["group_id"], holdout_rate)})
    held = {row["prompt_class"] for row in rows if row["split"] == "holdout"}
    return [row for row in rows if row["split"] == "holdout" or row["prompt_class"] not in held]


@dataclass(frozen=True, slots=True)
class _Golden:
    """What golden rows have that no pair may have."""

    traces: frozenset[str]
    groups: frozenset[str]
    prompts: frozenset[str]
    index: Index = field(repr=False)

    @classmethod
    def of(cls, golden: pl.DataFrame, threshold: float, frequency: Mapping[str, int]) -> _Golden:
        index = Index(threshold, frequency)
        prompts: set[str] = set()
        for question, context in golden.select("input", "context").iter_rows():
            text = f"{context}\n\n{question}" if context else question
            prompts.update((folded(text), folded(question)))
            index.add(shingles_of(text))
        return cls(
            frozenset(golden["source_trace_id"].to_list()),
            frozenset(golden["group_id"].to_list()),
            frozenset(prompts),
            index,
        )

    def reason(self, pair: Mapping[str, Any], prompt: frozenset[str]) -> str:
        """Why the pair is contaminated, or ""; `prompt` holds the shingles of its prompt."""
        if {pair["chosen_id"], pair["rejected_id"]} & self.traces:
            return GOLDEN_TRACE
        if set(pair["groups"]) & self.groups:
            return GOLDEN_GROUP
        if folded(pair["prompt"]) in self.prompts or self.index.has_like(prompt):
            return GOLDEN_PROMPT
        before = [turn["content"] for turn in pair["history"] if turn["role"] == "user"]
        if any(folded(t) in self.prompts or self.index.has_like(shingles_of(t)) for t in before):
            return GOLDEN_PROMPT
        return ""


def shingles_of(text: str) -> frozenset[str]:
    """Every three words of a text that stand together; a shorter text is one shingle."""
    words = folded(text).split(" ")
    n = max(1, len(words) - _WORDS_TOGETHER + 1)
    return frozenset(" ".join(words[start : start + _WORDS_TOGETHER]) for start in range(n))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Size of the intersection over that of the union, [0, 1]."""
    return len(one & other) / len(one | other)
