"""What must not be trained on: golden rows, the holdout, and the same text twice.

Texts are alike by Jaccard's similarity of their three-word shingles (Broder 1997). Two sets can be
`threshold` alike only where they share one of the rarest shingles of the smaller (prefix filtering,
Chaudhuri 2006), so few texts are compared.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from gitloop.core.pairs.preferences import folded, split_of

_WORDS_TOGETHER = 3

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
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._texts: list[frozenset[str]] = []
        self._holders: dict[str, list[int]] = {}

    def add(self, text: str) -> None:
        """Remember a text."""
        shingles = shingles_of(text)
        for shingle in _prefix(shingles, self._threshold):
            self._holders.setdefault(shingle, []).append(len(self._texts))
        self._texts.append(shingles)

    def has_like(self, text: str) -> bool:
        """Whether a remembered text is alike."""
        shingles = shingles_of(text)
        near = {n for one in _prefix(shingles, self._threshold) for n in self._holders.get(one, ())}
        return any(jaccard(shingles, self._texts[n]) >= self._threshold for n in near)


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
    against = _Golden.of(golden, near_duplicate)
    dropped: dict[str, str] = {}
    seen, asked = Index(near_duplicate), Index(near_duplicate)
    classes: set[str] = set()
    for pair in pairs.sort(pl.col("split") != "holdout", "pair_id").iter_rows(named=True):
        text = "\n".join((pair["prompt"], pair["chosen"], pair["rejected"]))
        reason = against.reason(pair)
        leaks = pair["prompt_class"] in classes or asked.has_like(pair["prompt"])
        if not reason and not keeps_near and pair["split"] == "train" and leaks:
            reason = HOLDOUT_PROMPT
        if not reason and not keeps_near and seen.has_like(text):
            reason = NEAR_DUPLICATE
        if reason:
            dropped[pair["pair_id"]] = reason
            continue
        seen.add(text)
        if pair["split"] == "holdout":
            classes.add(pair["prompt_class"])
            asked.add(pair["prompt"])
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
    against = _Golden.of(golden, near_duplicate)
    rows = [
        row | {"split": split_of(row["group_id"], holdout_rate)}
        for row in rewards.to_dicts()
        if not against.reason(
            {
                "chosen_id": row["trace_id"],
                "rejected_id": None,
                "groups": [row["group_id"]],
                "prompt": row["prompt"],
                "history": [],
            }
        )
    ]
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
    def of(cls, golden: pl.DataFrame, threshold: float) -> _Golden:
        index = Index(threshold)
        prompts = set()
        for question, context in golden.select("input", "context").iter_rows():
            text = f"{context}\n\n{question}" if context else question
            prompts.add(folded(text))
            prompts.add(folded(question))
            index.add(text)
        return cls(
            frozenset(golden["source_trace_id"].to_list()),
            frozenset(golden["group_id"].to_list()),
            frozenset(prompts),
            index,
        )

    def reason(self, pair: Mapping[str, Any]) -> str:
        """Why the pair is contaminated, or ""."""
        if {pair["chosen_id"], pair["rejected_id"]} & self.traces:
            return GOLDEN_TRACE
        if set(pair["groups"]) & self.groups:
            return GOLDEN_GROUP
        asked = [pair["prompt"], *(t["content"] for t in pair["history"] if t["role"] == "user")]
        if any(folded(text) in self.prompts or self.index.has_like(text) for text in asked):
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


def _prefix(shingles: Iterable[str], threshold: float) -> Sequence[str]:
    """The first n - ⌈threshold · n⌉ + 1 shingles in order: alike sets share one of these."""
    ordered = sorted(shingles)
    return ordered[: len(ordered) - math.ceil(threshold * len(ordered)) + 1]
