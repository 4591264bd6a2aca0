"""Which traces failed, by the feedback they got."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from gitloop.params import Failures

COLUMNS = ("route", "user_cohort", "prompt_version", "input", "context", "output", "group_id")
"""What a failure keeps of its trace."""


def failures(joined: pl.DataFrame, policy: Failures, fields: Sequence[str]) -> pl.DataFrame:
    """One row per trace whose negative signals weigh enough, sorted by trace_id.

    Args:
        joined: Fits `tables.JOINED`.
        policy: Weights per signal, and the least total that makes a failure.
        fields: What the text is made of, in order: input, context, output, comment.

    Returns:
        trace_id; `COLUMNS`; weight (Float64, ≥ policy.min_weight); text; feedback_ids (sorted list
        of the events that weigh anything).
    """
    weighed = joined.with_columns(weight=_weight(policy)).filter(pl.col("weight") > 0)
    comments = pl.col("comment").drop_nulls().sort().str.join("\n")
    summed = (
        weighed.sort("feedback_id")
        .group_by("trace_id", maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in COLUMNS),
            pl.col("weight").sum().round(6),
            comments.alias("comment"),
            pl.col("feedback_id").sort().alias("feedback_ids"),
        )
        .filter(pl.col("weight") >= policy.min_weight)
    )
    text = pl.concat_str([pl.col(name) for name in fields], separator="\n", ignore_nulls=True)
    return summed.with_columns(text=text.str.strip_chars()).drop("comment").sort("trace_id")


def _weight(policy: Failures) -> pl.Expr:
    """The weight of one event; a low rating or score weighs as much as a thumbs_down."""
    signal = pl.col("signal_type")
    is_low = ((signal == "rating") & (pl.col("value") < policy.rating_below)) | (
        (signal == "rubric_score") & (pl.col("value") < policy.score_below)
    )
    by_signal = signal.replace_strict(policy.signals, default=0.0, return_dtype=pl.Float64)
    low = policy.signals.get("thumbs_down", 1.0)
    return pl.when(is_low.fill_null(value=False)).then(pl.lit(low)).otherwise(by_signal)
