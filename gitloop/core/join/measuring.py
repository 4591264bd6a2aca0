"""What there is to measure about a join: coverage, rates, and everything that looks wrong."""

from __future__ import annotations

from typing import Any

import polars as pl

from gitloop.core.join.joining import CONTEXT, REASONS, REQUIRED, Joined
from gitloop.core.join.precision import precisions
from gitloop.core.join.rates import NO_VALUE, feedback_rates
from gitloop.tables import FEEDBACK

SCHEMA = "gitloop.join/v1"

_DIGITS = 6


def measure(
    found: Joined,
    feedback: pl.DataFrame,
    traces: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    n_repeated: int = 0,
) -> dict[str, Any]:
    """The join in figures, as JSON values; the same tables give the same bytes.

    Args:
        found: The join of the two tables.
        feedback: Fits `tables.FEEDBACK`.
        traces: Fits `tables.TRACES`.
        labels: Fits `tables.LABELS`.
        n_repeated: Rows that stood in two parts and counted once.
    """
    reasons = found.debug_only["reasons"].explode(empty_as_null=False).value_counts()
    by_reason = dict(reasons.iter_rows())
    return {
        "schema": SCHEMA,
        "n_traces": traces.height,
        "n_events": feedback.height,
        "n_joined": found.joined.height,
        "n_debug_only": found.debug_only.height,
        "join_rate": _share(found.joined.height, feedback.height),
        "reasons": {name: int(by_reason.get(name, 0)) for name in sorted(REASONS)},
        "fields": _fields(found, feedback),
        "conflicts": dict(sorted(found.n_conflicts.items())),
        "n_resolved_by_span": found.n_resolved,
        "duplicates": {"n_repeated_rows": n_repeated, "n_alike": _n_alike(feedback)},
        "orphans": _orphans(found.debug_only),
        "clock_skew": _clock_skew(found.joined),
        "coverage": _coverage(found),
        "rates": feedback_rates(found.joined, traces),
        "precision": precisions(found.joined, labels),
    }


def _fields(found: Joined, feedback: pl.DataFrame) -> dict[str, Any]:
    """Per context field: how many events carry it, and how many do with their trace's help."""
    measured = {}
    for name in REQUIRED:
        n_sent = feedback.filter((pl.col(name) != "") & pl.col(name).is_not_null()).height
        missing = found.debug_only[name].null_count()
        measured[name] = {
            "n_sent": n_sent,
            "n_filled": found.n_resolved if name == "trace_id" else found.n_filled.get(name, 0),
            "rate": _share(feedback.height - missing, feedback.height),
        }
    return measured


def _coverage(found: Joined) -> dict[str, Any]:
    """Events, and how many of them are joined, per signal, route, cohort and prompt version."""
    every = pl.concat(
        [
            table.select("signal_type", *CONTEXT, pl.lit(is_joined).alias("is_joined"))
            for table, is_joined in ((found.joined, True), (found.debug_only, False))
        ]
    )
    return {
        name: {
            value: {"n_events": n, "n_joined": n_joined, "rate": _share(n_joined, n)}
            for value, n, n_joined in every.group_by(pl.col(name).fill_null(NO_VALUE))
            .agg(n=pl.len(), n_joined=pl.col("is_joined").sum())
            .sort(name)
            .iter_rows()
        }
        for name in ("signal_type", *CONTEXT)
    }


def _n_alike(feedback: pl.DataFrame) -> int:
    """Events that equal an earlier one in all but their id: double clicks, or resent ones."""
    content = [column.name for column in FEEDBACK.columns if column.name != "feedback_id"]
    return feedback.height - feedback.select(content).unique().height


def _orphans(debug_only: pl.DataFrame) -> dict[str, int]:
    """Events whose trace is not there (yet), and how many traces they name."""
    orphans = debug_only.filter(pl.col("reasons").list.contains("unknown_trace"))
    return {"n_events": orphans.height, "n_traces": orphans["trace_id"].n_unique()}


def _clock_skew(joined: pl.DataFrame) -> dict[str, Any]:
    """Events that seem to come before their trace began, and by how many seconds at most."""
    delay_s = (
        joined.select(
            (pl.col("created_at") - pl.col("trace_created_at")).dt.total_microseconds() / 1e6
        )
        .to_series()
        .drop_nulls()
    )
    early = delay_s.filter(delay_s < 0)
    return {
        "n_checked": delay_s.len(),
        "n_before_trace": early.len(),
        "largest_s": _rounded(early.abs().max()) if early.len() else 0.0,
        "median_delay_s": _rounded(delay_s.median()) if delay_s.len() else None,
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, _DIGITS) if whole else None


def _rounded(value: Any) -> float:  # noqa: ANN401 -- polars types its aggregates loosely
    return round(float(value), _DIGITS)
