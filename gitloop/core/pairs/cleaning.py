"""What must not be trained on: golden rows, the holdout, and the same text twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from gitloop.core.pairs.preferences import folded, split_of
from gitloop.stats.shingles import Index, frequencies, least_alike, shingles, together

GOLDEN_TRACE = "a golden row came from its trace"
GOLDEN_GROUP = "a golden row is of its group"
GOLDEN_PROMPT = "a golden row asks the same"
REPEAT = "another pair has the same words"
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


def clean(
    pairs: pl.DataFrame, golden: pl.DataFrame, *, near_duplicate: float, keeps_near: bool = False
) -> Cleaned:
    """The pairs without what the gate is decided on, without repeats, without leaks to train.

    A pair goes when a golden row came from one of its traces, is of one of its groups, or asks the
    same; when it would train on a prompt that the holdout has; or when it repeats a pair before it:
    what was asked, chosen and rejected are the same words, or each of the three is alike. Another
    answer to the same prompt is no repeat, however long the prompt. The holdout is looked at first,
    so that of two near duplicates the one in the holdout stays.

    Args:
        pairs: Fits `tables.PAIRS`.
        golden: Every row of every golden set, whatever its split; fits `tables.GOLDEN`.
        near_duplicate: Least similarity of near duplicates, (0, 1].
        keeps_near: Whether repeats and near duplicates of other pairs stay.
    """
    ordered = pairs.sort(pl.col("split") != "holdout", "pair_id").to_dicts()
    prompts = [shingles_of(pair["prompt"]) for pair in ordered]
    frequency = frequencies(prompts)
    against = _Golden.of(golden, near_duplicate, frequency)
    asked = Index(near_duplicate, frequency)
    kept = None if keeps_near else _Kept.of(ordered, near_duplicate)
    dropped: dict[str, str] = {}
    classes: set[str] = set()
    for place, (pair, prompt) in enumerate(zip(ordered, prompts, strict=True)):
        reason = against.reason(pair, prompt)
        is_held = pair["split"] == "holdout"
        asks_it = pair["prompt_class"] in classes or asked.has_like(prompt)
        if not reason and not is_held and asks_it:
            reason = HOLDOUT_PROMPT
        if not reason and kept is not None:
            reason = kept.reason(place)
        if reason:
            dropped[pair["pair_id"]] = reason
        elif is_held:
            classes.add(pair["prompt_class"])
            asked.add(prompt)
    stay = pairs.filter(~pl.col("pair_id").is_in(list(dropped)))
    return Cleaned(stay, dict(sorted(dropped.items())))


class _Kept:
    """The pairs that stay so far, each in three parts: what was asked, chosen, rejected.

    Args:
        texts: The folded parts of every pair.
        threshold: Least similarity of near duplicates.
    """

    def __init__(self, texts: list[tuple[str, ...]], threshold: float) -> None:
        self._texts = texts
        self._threshold = threshold
        self._parts = [tuple(shingles(text) for text in three) for three in texts]
        self._whole = [together(parts) for parts in self._parts]
        self._index = Index(threshold, frequencies(self._whole))
        self._places: list[int] = []
        self._said: set[tuple[str, ...]] = set()

    @classmethod
    def of(cls, pairs: Sequence[Mapping[str, Any]], threshold: float) -> _Kept:
        return cls([_folded_parts(pair) for pair in pairs], threshold)

    def reason(self, place: int) -> str:
        """Why the pair at this place repeats one that stays, or "", and it stays too."""
        if self._texts[place] in self._said:
            return REPEAT
        own = self._parts[place]
        for n, _ in self._index.like(self._whole[place]):
            if least_alike(own, self._parts[self._places[n]]) >= self._threshold:
                return NEAR_DUPLICATE
        self._said.add(self._texts[place])
        self._places.append(place)
        self._index.add(self._whole[place])
        return ""


def _folded_parts(pair: Mapping[str, Any]) -> tuple[str, ...]:
    asked = "\n".join([*(turn["content"] for turn in pair["history"]), pair["prompt"]])
    return tuple(folded(text) for text in (asked, pair["chosen"], pair["rejected"]))


def clean_rewards(
    rewards: pl.DataFrame, golden: pl.DataFrame, *, holdout_rate: float, near_duplicate: float
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The rewarded answers that may train or be held out, each with its `split`; and the others.

    Args:
        rewards: Fits `tables.REWARDS`.
        golden: Every row of every golden set; fits `tables.GOLDEN`.
        holdout_rate: Share of groups held out.
        near_duplicate: Least similarity of near duplicates, (0, 1].

    Returns:
        Rows in their order, and trace_id → why it goes.
    """
    prompts = [shingles_of(prompt) for prompt in rewards["prompt"]]
    against = _Golden.of(golden, near_duplicate, frequencies(prompts))
    rows: list[dict[str, Any]] = []
    dropped: dict[str, str] = {}
    for row, prompt in zip(rewards.to_dicts(), prompts, strict=True):
        pair = {"chosen_id": row["trace_id"], "rejected_id": None, "groups": [row["group_id"]]}
        reason = against.reason(pair | {"prompt": row["prompt"], "history": []}, prompt)
        if reason:
            dropped[row["trace_id"]] = reason
        else:
            rows.append(row | {"split": split_of(row["group_id"], holdout_rate)})
    held = {row["prompt_class"] for row in rows if row["split"] == "holdout"}
    leaks = {
        row["trace_id"]: HOLDOUT_PROMPT
        for row in rows
        if row["split"] == "train" and row["prompt_class"] in held
    }
    return [row for row in rows if row["trace_id"] not in leaks], dropped | leaks


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
    """The shingles of a text, case and punctuation ignored."""
    return shingles(folded(text))
