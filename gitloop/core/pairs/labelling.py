"""Which pairs people label, in which order they see them, and what their answer means.

An annotator is blind: they see two answers, and neither which is "chosen" nor what others said. A
label is stored for side "a", the answer whose digest is smaller, or "b": so the label file does not
tell either, both labels are equally frequent whatever the sources are worth, and a kappa is not
distorted by prevalence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from gitloop.core.pairs.preferences import drawn
from gitloop.digests import sha256

ITEM_KIND = "pair"
"""What a label of a pair says in `item_kind`; its `item_id` is the pair's id."""

SIDES = ("a", "b", "tie")
"""What a label of a pair may say."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person is to be asked.

    Attributes:
        pair_ids: In the order in which this person is asked, their own labels included.
        n_full: Pairs that enough others have labelled and that are not asked.
    """

    pair_ids: tuple[str, ...]
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


def wanted_of(ids: Iterable[str], labels: pl.DataFrame, *, who: str, needed: int) -> Wanted:
    """The pairs that a person is asked about, in an order of their own.

    Args:
        ids: pair_ids to label.
        labels: Pair labels under the current guidance, fitting `tables.LABELS`.
        who: The annotator.
        needed: Labels by different people that a pair needs; those that have them are full.
    """
    said: dict[str, set[str]] = {}
    for pair_id, annotator in labels.select("item_id", "annotator").iter_rows():
        said.setdefault(pair_id, set()).add(annotator)
    every = list(dict.fromkeys(ids))
    kept = [one for one in every if len(said.get(one, set()) - {who}) < needed]
    ordered = sorted(kept, key=lambda pair_id: drawn(0, "order", who, pair_id))
    return Wanted(tuple(ordered), len(every) - len(kept))


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
