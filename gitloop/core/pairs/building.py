"""Preferences of all sources, checked, put together and split: the table of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.core.pairs.preferences import (
    Preference,
    are_different,
    prompt_class,
    split_of,
)
from gitloop.digests import sha256_of
from gitloop.tables import PAIRS

LOW_MARGIN = "the margin is within the noise"


@dataclass(frozen=True, slots=True)
class Built:
    """Pairs, and what did not become one.

    Attributes:
        pairs: Fits `tables.PAIRS`.
        dropped: Reason → count.
    """

    pairs: pl.DataFrame
    dropped: dict[str, int]


def build(preferences: Iterable[Preference], *, min_margin: float, holdout_rate: float) -> Built:
    """Checked pairs with their split.

    One preference that several sources hold is one pair, of the source that came first, and names
    the others. Two sources that prefer opposite answers teach nothing: both go. A margin that is
    not above the noise, or below `min_margin`, makes a pair for review.

    Args:
        preferences: From the sources, in the order in which they are trusted.
        min_margin: Least margin of a pair that needs no review; a preference without a measure is
            not held against it.
        holdout_rate: Share of groups held out, for life, [0, 1).
    """
    rows: dict[str, dict[str, Any]] = {}
    dropped: Counter[str] = Counter()
    for one in preferences:
        reason = _fault(one, holdout_rate)
        if reason:
            dropped[reason] += 1
            continue
        row = _row(one, min_margin, holdout_rate)
        before = rows.setdefault(row["pair_id"], row)
        if before is not row:
            dropped["the same pair again"] += 1
            if one.source not in (before["source"], *before["also_from"]):
                before["also_from"] = sorted([*before["also_from"], one.source])
    opposed = _opposed(rows.values())
    dropped["the sources contradict each other"] += len(opposed)
    kept = [row for row in rows.values() if row["pair_id"] not in opposed]
    pairs = pl.DataFrame(kept, schema=PAIRS.schema)
    return Built(PAIRS.order(pairs), dict(sorted((+dropped).items())))


def pair_id_of(one: Preference) -> str:
    """The identity of a pair: 16 hex digits of its texts, and of the comparison if it has one."""
    turns = [list(turn) for turn in one.history]
    texts = {"history": turns, "prompt": one.prompt, "sides": [one.chosen, one.rejected]}
    return sha256_of(texts | {"comparison": one.comparison_id})[:16]


def _fault(one: Preference, holdout_rate: float) -> str:
    """Why the preference trains nobody, or ""."""
    if one.chosen is None or one.rejected is None or not one.prompt:
        return "a text is missing"  # an empty answer is an answer, and a bad one at times
    if not are_different(one.chosen, one.rejected):
        return "both answers are the same"
    if one.margin is not None and one.margin <= 0:
        return "neither answer is better"
    if len({split_of(group, holdout_rate) for group in one.groups}) > 1:
        return "its groups lie on two sides of the split"
    return ""


def _row(one: Preference, min_margin: float, holdout_rate: float) -> dict[str, Any]:
    chosen, rejected = str(one.chosen), str(one.rejected)
    is_close = one.margin is not None and (one.margin < min_margin or one.margin <= one.noise)
    return {
        "pair_id": pair_id_of(one),
        "source": one.source,
        "also_from": [],
        "prompt_class": prompt_class(one.place.route, one.prompt, one.history),
        "history": [{"role": role, "content": content} for role, content in one.history],
        "prompt": one.prompt,
        "chosen": chosen,
        "rejected": rejected,
        "margin": one.margin,
        "confidence": one.confidence,
        "scores": [
            {"rubric": rubric, "chosen": high, "rejected": low} for rubric, high, low in one.scores
        ],
        "verified_by": one.verified_by,
        "review": LOW_MARGIN if is_close else None,
        "route": one.place.route,
        "user_cohort": one.place.user_cohort,
        "cluster_id": one.place.cluster_id,
        "chosen_id": one.chosen_id,
        "rejected_id": one.rejected_id,
        "annotators": list(one.annotators),
        "groups": sorted(one.groups),
        "split": split_of(one.groups[0], holdout_rate),
    }


def _opposed(rows: Iterable[dict[str, Any]]) -> set[str]:
    """pair_ids whose texts another pair of the same prompt prefers the other way round."""
    sides: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        key = (row["prompt_class"], *(" ".join(row[s].split()) for s in ("chosen", "rejected")))
        sides.setdefault(key, []).append(row["pair_id"])
    return {
        pair_id
        for (prompt, chosen, rejected), pair_ids in sides.items()
        if (prompt, rejected, chosen) in sides
        for pair_id in pair_ids
    }
