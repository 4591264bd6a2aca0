"""Where people and a judge differ."""

from __future__ import annotations

import polars as pl


def corrections(items: pl.DataFrame, scores: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """The items on which people overrule the judge, the judge's worst first.

    Args:
        items: Columns trace_id and verdict ("pass" or "fail"), and whatever else is to be kept.
        scores: Fits `tables.SCORES`, one rubric; what has no score was no verdict to overrule.
        threshold: Score from which the judge passes.

    Returns:
        The rows of `items`, ordered by how far the score lies on the wrong side of the threshold.
    """
    means = (
        scores.filter(pl.col("status") == "ok")
        .group_by("item_id")
        .agg(judged=pl.col("score").sort().mean())
    )
    people = pl.col("verdict") == "pass"
    return (
        items.join(means, left_on="trace_id", right_on="item_id", how="inner")
        .filter((pl.col("judged") >= threshold) != people)
        .with_columns(off=(pl.col("judged") - threshold).abs().round(9))
        .sort("off", "trace_id", descending=[True, False])
        .drop("judged", "off")
    )
