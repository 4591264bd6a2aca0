"""How often an implicit signal means what it seems to mean, where a person has said so."""

from __future__ import annotations

from typing import Any

import polars as pl

from gitloop.core.join.rates import rate

SUGGESTS_FAILURE = {
    "retry": True,
    "regenerate": True,
    "abandon": True,
    "edit": True,
    "escalate": True,
    "copy": False,
}
"""Implicit signal → whether it suggests that the answer was bad; `outcome` has its own scale."""


def precisions(joined: pl.DataFrame, labels: pl.DataFrame) -> dict[str, Any]:
    """The share of its traces that each implicit signal is right about, per kind of human verdict.

    Args:
        joined: Fits `tables.JOINED`.
        labels: Fits `tables.LABELS`; a later label has superseded the earlier one already.

    Returns:
        {"labels" | "thumbs": {signal: {"n", "rate", "low", "high"}}}; n counts traces with both.
    """
    return {
        "labels": _against(joined, _labelled(labels)),
        "thumbs": _against(joined, _thumbed(joined)),
    }


def _against(joined: pl.DataFrame, verdicts: pl.DataFrame) -> dict[str, Any]:
    acts = joined.filter(pl.col("signal_class") == "implicit").select("trace_id", "signal_type")
    both = acts.unique().join(verdicts, on="trace_id")
    found = {}
    for signal, suggests_failure in sorted(SUGGESTS_FAILURE.items()):
        failed = both.filter(pl.col("signal_type") == signal)["is_failure"]
        if failed.len():
            n_right = int((failed == suggests_failure).sum())
            found[signal] = rate(n_right, failed.len())
    return found


def _labelled(labels: pl.DataFrame) -> pl.DataFrame:
    """trace_id → whether any rubric failed: a senior's score, else the mean, under 0.5."""
    settled = (
        labels.filter(pl.col("score").is_not_null())
        .with_columns(
            is_senior=(pl.col("role") == "senior").any().over("trace_id", "rubric"),
        )
        .filter(~pl.col("is_senior") | (pl.col("role") == "senior"))
        .group_by("trace_id", "rubric")
        .agg(score=pl.col("score").mean())
    )
    return settled.group_by("trace_id").agg(is_failure=(pl.col("score") < 0.5).any())


def _thumbed(joined: pl.DataFrame) -> pl.DataFrame:
    """trace_id → whether people's thumbs point down; traces with both kinds say nothing."""
    thumbs = joined.filter(
        pl.col("signal_type").is_in(["thumbs_up", "thumbs_down"])
        & (pl.col("score_source") == "human")
    )
    return (
        thumbs.group_by("trace_id")
        .agg(n=pl.col("signal_type").n_unique(), signal=pl.col("signal_type").first())
        .filter(pl.col("n") == 1)
        .select("trace_id", is_failure=pl.col("signal") == "thumbs_down")
    )
