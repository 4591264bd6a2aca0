"""Which pairs people label, in which order they see them, and what their answer means.

An annotator is blind: they see two answers, and neither which is "chosen" nor what others said. The
answers' sides are drawn per annotator and pair. A label is stored for side "a", the answer whose
digest is smaller, or "b": so the label file does not tell either, both labels are equally frequent
whatever the sources are worth, and a kappa is not distorted by prevalence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.core.pairs.preferences import Turn, drawn
from gitloop.digests import sha256

ITEM_KIND = "pair"
RUBRIC = "preference"
"""What a label of a pair says in `item_kind` and `rubric`."""

SIDES = ("a", "b", "tie")
"""What a label of a pair may say."""


@dataclass(frozen=True, slots=True)
class PairItem:
    """One question: which of two answers is better?

    Attributes:
        pair_id: The pair.
        history: Turns before the prompt.
        prompt: What was asked, with its context.
        first: The answer that is shown first.
        second: The other.
        first_side: The side of the first: "a" or "b".
        route: The part of the product, or None.
    """

    pair_id: str
    history: tuple[Turn, ...]
    prompt: str
    first: str
    second: str
    first_side: str
    route: str | None

    def side(self, pick: str) -> str:
        """The label that a pick means.

        Args:
            pick: "first", "second" or "tie".
        """
        if pick == "tie":
            return "tie"
        other = "b" if self.first_side == "a" else "a"
        return self.first_side if pick == "first" else other


@dataclass(frozen=True, slots=True)
class PairQueue:
    """What is left to ask a person.

    Attributes:
        items: In the order in which they are asked.
        n_sample: Pairs in the sample.
        n_done: Pairs that this person has labelled.
        n_full: Pairs that enough others have labelled.
    """

    items: tuple[PairItem, ...]
    n_sample: int
    n_done: int
    n_full: int


def sample(pairs: pl.DataFrame, *, n: int, least: int, seed: int) -> list[str]:
    """The pairs to label: a random sample, and of each source at least so many.

    The sample grows without changing: the first 500 are among the first 1,000.

    Args:
        pairs: Fits `tables.PAIRS`.
        n: Pairs of the whole sample.
        least: Fewest of each source, as far as it has them.
        seed: From params.

    Returns:
        pair_ids in the order in which they were drawn.
    """
    ids = pairs.select("pair_id", "source").iter_rows()
    ordered = sorted(ids, key=lambda row: drawn(seed, "sample", row[0]))
    kept = [pair_id for pair_id, _ in ordered[:n]]
    for source in sorted(pairs["source"].unique().to_list()):
        own = [pair_id for pair_id, of in ordered if of == source][:least]
        kept += [pair_id for pair_id in own if pair_id not in set(kept)]
    return kept


def queue(
    pairs: pl.DataFrame, wanted: Iterable[str], labels: pl.DataFrame, *, who: str, needed: int
) -> PairQueue:
    """What a person has not labelled yet, blind, in an order of their own.

    Args:
        pairs: Fits `tables.PAIRS`.
        wanted: pair_ids to label.
        labels: Pair labels under the current guidance, fitting `tables.LABELS`.
        who: The annotator.
        needed: Labels by different people that a pair needs; those that have them are full.
    """
    said: dict[str, set[str]] = {}
    for pair_id, annotator in labels.select("trace_id", "annotator").iter_rows():
        said.setdefault(pair_id, set()).add(annotator)
    ids = list(dict.fromkeys(wanted))
    done = [one for one in ids if who in said.get(one, ())]
    full = [one for one in ids if who not in said.get(one, ()) and len(said.get(one, ())) >= needed]
    left = set(ids) - set(done) - set(full)
    rows = pairs.filter(pl.col("pair_id").is_in(sorted(left))).iter_rows(named=True)
    items = [item(row, who) for row in rows]
    items.sort(key=lambda one: drawn(0, "order", who, one.pair_id))
    return PairQueue(tuple(items), len(ids), len(done), len(full))


def item(row: Mapping[str, Any], who: str) -> PairItem:
    """A pair as an annotator sees it."""
    texts = by_side(row["chosen"], row["rejected"])
    first_side = first_side_of(row["pair_id"], who)
    first, second = (texts["a"], texts["b"]) if first_side == "a" else (texts["b"], texts["a"])
    return PairItem(
        pair_id=row["pair_id"],
        history=tuple((turn["role"], turn["content"]) for turn in row["history"]),
        prompt=row["prompt"],
        first=first,
        second=second,
        first_side=first_side,
        route=row["route"],
    )


def first_side_of(pair_id: str, who: str) -> str:
    """The side that this annotator sees first; drawn, so that it can be told afterwards too."""
    return "a" if int(drawn(0, "side", who, pair_id)[0], 16) % 2 else "b"


def by_side(chosen: str, rejected: str) -> dict[str, str]:
    """Side → text: "a" is the answer whose digest is smaller."""
    a, b = sorted((chosen, rejected), key=lambda text: (sha256(text), text))
    return {"a": a, "b": b}


def chosen_side(chosen: str, rejected: str) -> str:
    """The side of the chosen answer."""
    return "a" if by_side(chosen, rejected)["a"] == chosen else "b"


def pair_labels(labels: pl.DataFrame, guidance_version: str | None = None) -> pl.DataFrame:
    """The labels that speak of pairs; with a guidance version, those that follow it."""
    own = labels.filter((pl.col("item_kind") == ITEM_KIND) & pl.col("label").is_in(list(SIDES)))
    if guidance_version is None:
        return own
    return own.filter(pl.col("guidance_version") == guidance_version)
