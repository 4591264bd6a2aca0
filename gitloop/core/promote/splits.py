"""Which split a row belongs to: drawn by group, fixed for life."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from gitloop.digests import sha256_of


def assign_splits(
    rows: pl.DataFrame, taken: Mapping[str, str], *, val_rate: float, holdout_rate: float
) -> pl.DataFrame:
    """The rows with a `split` column.

    A group that the set has already keeps its split. A new group's split follows from its id alone:
    whoever promotes it, whenever and on whatever branch, it is the same.

    Args:
        rows: With a column group_id.
        taken: group_id → split of the groups that the set has.
        val_rate: Share of groups for validation, [0, 1].
        holdout_rate: Share of groups for the holdout, [0, 1]; with `val_rate` at most 1.
    """
    splits = [
        taken.get(group) or _draw(group, val_rate=val_rate, holdout_rate=holdout_rate)
        for group in rows["group_id"].to_list()
    ]
    return rows.with_columns(pl.Series("split", splits, dtype=pl.String))


def _draw(group: str, *, val_rate: float, holdout_rate: float) -> str:
    share = int(sha256_of({"split of group": group})[:13], 16) / 16**13
    if share < holdout_rate:
        return "holdout"
    return "val" if share < holdout_rate + val_rate else "train"
