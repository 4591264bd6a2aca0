"""Rates with their exposure and interval, and how they are written down."""

from __future__ import annotations

from typing import Any

import polars as pl

from gitloop.core.join.joining import CONTEXT
from gitloop.stats.intervals import wilson_interval

NO_VALUE = "(none)"
"""Stands for an absent route, cohort or prompt version."""

_DIGITS = 6


def rate(n_hits: int, n: int) -> dict[str, Any]:
    """A rate with Wilson's 95 % interval; no rate where nothing was exposed."""
    interval = wilson_interval(n_hits, n)
    return {
        "n": n,
        "n_hits": n_hits,
        "rate": round(n_hits / n, _DIGITS) if n else None,
        "low": round(interval.low, _DIGITS),
        "high": round(interval.high, _DIGITS),
    }


def feedback_rates(joined: pl.DataFrame, traces: pl.DataFrame) -> dict[str, Any]:
    """How many of the traces got each signal, over all and per slice of the traces.

    The denominator is every trace of the slice, with feedback or without: its exposure. A trace
    that got a signal twice counts once. Slices are those that the traces themselves name.

    Args:
        joined: Fits `tables.JOINED`.
        traces: Fits `tables.TRACES`.

    Returns:
        {"all": slice, "route" | "user_cohort" | "prompt_version": {value: slice}}, where a slice
        is {"n_traces", "any", "explicit", "implicit", "signals": {signal: rate}}.
    """
    acts = joined.select("trace_id", "signal_type", "signal_class").unique()
    exposed = traces.select(
        "trace_id",
        *(pl.col(name).replace("", None).fill_null(NO_VALUE) for name in CONTEXT),
    )
    signals = sorted(acts["signal_type"].unique())
    marked = exposed.with_columns(
        pl.col("trace_id").is_in(ids.implode()).alias(name)
        for name, ids in {
            "any": acts["trace_id"],
            "explicit": acts.filter(pl.col("signal_class") == "explicit")["trace_id"],
            "implicit": acts.filter(pl.col("signal_class") == "implicit")["trace_id"],
            **{
                f"signal {name}": acts.filter(pl.col("signal_type") == name)["trace_id"]
                for name in signals
            },
        }.items()
    )
    counted = [name for name in marked.columns if name not in ("trace_id", *CONTEXT)]
    sums = [pl.len().alias("n"), *(pl.col(name).sum() for name in counted)]
    found: dict[str, Any] = {"all": _slice(marked.select(sums).row(0, named=True), signals)}
    for name in CONTEXT:
        groups = marked.group_by(name).agg(sums).sort(name)
        found[name] = {row[name]: _slice(row, signals) for row in groups.iter_rows(named=True)}
    return found


def _slice(row: dict[str, Any], signals: list[str]) -> dict[str, Any]:
    n = int(row["n"])
    return {
        "n_traces": n,
        **{name: rate(int(row[name]), n) for name in ("any", "explicit", "implicit")},
        "signals": {name: rate(int(row[f"signal {name}"]), n) for name in signals},
    }
