"""Which split a row belongs to: drawn by group, fixed for life."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from gitloop.digests import sha256_of
from gitloop.stats.holdout import is_held_out


def assign_splits(
    rows: pl.DataFrame,
    taken: Mapping[str, str],
    *,
    val_rate: float,
    holdout_rate: float,
    pinned_rate: float = 0.0,
) -> pl.DataFrame:
    """The rows with a `split` column.

    A group that the set has already keeps its split. A new group's split follows from its id alone:
    whoever promotes it, whenever and on whatever branch, it is the same. A group in the pinned
    human holdout goes to the holdout split: no example and no optimizer learns from it.

    Args:
        rows: With a column group_id.
        taken: group_id → split of the groups that the set has.
        val_rate: Share of groups for validation, [0, 1].
        holdout_rate: Share of groups for the holdout, [0, 1]; with `val_rate` at most 1.
        pinned_rate: Share of groups in the pinned human holdout, `calibrate.holdout_rate`.
    """
    splits = [
        taken.get(group)
        or ("holdout" if is_held_out(group, pinned_rate) else "")
        or _draw(group, val_rate=val_rate, holdout_rate=holdout_rate)
        for group in rows["group_id"].to_list()
    ]
    return rows.with_columns(pl.Series("split", splits, dtype=pl.String))


def _draw(group: str, *, val_rate: float, holdout_rate: float) -> str:
    share = int(sha256_of({"split of group": group})[:13], 16) / 16**13
    if share < holdout_rate:
        return "holdout"
    return "val" if share < holdout_rate + val_rate else "train"
