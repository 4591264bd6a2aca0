"""The join of feedback with traces: total, and conserved.

Every event ends in exactly one of two tables: `joined`, when its trace is known and the five
context fields are there, or `debug_only`, with its reasons. A field that the event lacks is filled
from its trace. Where both speak and disagree, the trace wins: the application that answered wrote
it, while an event comes through a client that may be stale; the event's word stays in its metadata
under `event_context`, and each disagreement is counted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.tables import DEBUG_ONLY, JOINED

CONTEXT = ("prompt_version", "route", "user_cohort")
"""The fields that an event and its trace both carry."""

REQUIRED = ("trace_id", *CONTEXT, "score_source")
"""The five fields without which an event is debug-only (DESIGN.md §3)."""

REASONS = ("unknown_trace", *(f"missing_{name}" for name in REQUIRED))
"""Why an event is debug-only."""

_FILLED = ("session_id", *CONTEXT)
_CARRIED = ("input", "context", "output", "model")


@dataclass(frozen=True, slots=True)
class Joined:
    """Every event, in one of two tables, and what was noticed on the way.

    Attributes:
        joined: Fits `tables.JOINED`.
        debug_only: Fits `tables.DEBUG_ONLY`.
        n_filled: Field → events that got it from their trace.
        n_conflicts: Field → events that said otherwise than their trace.
        n_resolved: Events without a trace_id whose span_id named the trace.
    """

    joined: pl.DataFrame
    debug_only: pl.DataFrame
    n_filled: dict[str, int]
    n_conflicts: dict[str, int]
    n_resolved: int


def join(feedback: pl.DataFrame, traces: pl.DataFrame) -> Joined:
    """Join every event with its trace.

    Args:
        feedback: Fits `tables.FEEDBACK`.
        traces: Fits `tables.TRACES`.
    """
    resolved, n_resolved = _resolve_spans(_without_blanks(feedback), traces)
    known = _without_blanks(traces).select(
        "trace_id",
        pl.coalesce("group_id", "session_id", "trace_id").alias("group_id"),
        *_CARRIED,
        pl.col("created_at").alias("trace_created_at"),
        *(pl.col(name).alias(f"__{name}") for name in _FILLED),
        pl.lit(True).alias("__is_known"),
    )
    both = resolved.join(known, on="trace_id", how="left")
    flags = [
        (pl.col(name).is_not_null() & pl.col(f"__{name}").is_not_null() & _differs(name)).alias(
            f"__conflict_{name}"
        )
        for name in _FILLED
    ]
    both = both.with_columns(flags)
    n_conflicts = {name: int(both[f"__conflict_{name}"].sum()) for name in _FILLED}
    n_filled = {
        name: both.filter(pl.col(name).is_null() & pl.col(f"__{name}").is_not_null()).height
        for name in _FILLED
    }
    if any(n_conflicts.values()):
        both = _keep_event_context(both)
    both = both.with_columns(pl.coalesce(f"__{name}", name).alias(name) for name in _FILLED)
    both = both.with_columns(_reasons().alias("reasons"))
    is_joined = pl.col("reasons").list.len() == 0
    return Joined(
        joined=JOINED.order(both.filter(is_joined)),
        debug_only=DEBUG_ONLY.order(both.filter(~is_joined)),
        n_filled=n_filled,
        n_conflicts=n_conflicts,
        n_resolved=n_resolved,
    )


def _without_blanks(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the empty text in a context field as what it is: nothing."""
    fields = [name for name in (*REQUIRED, "span_id", "session_id") if name in rows.columns]
    return rows.with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in fields
    )


def _differs(name: str) -> pl.Expr:
    return pl.col(name) != pl.col(f"__{name}")


def _resolve_spans(feedback: pl.DataFrame, traces: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The events with the trace of their span, where they name a span and no trace."""
    lost = feedback.filter(pl.col("trace_id").is_null() & pl.col("span_id").is_not_null())
    if lost.is_empty() or traces["spans"].null_count() == traces.height:
        return feedback, 0
    owners = (
        traces.select(
            pl.col("trace_id").alias("__owner"),
            pl.col("spans").list.eval(pl.element().struct.field("span_id")).alias("span_id"),
        )
        .explode("span_id", empty_as_null=True)
        .filter(pl.col("span_id").is_in(lost["span_id"].implode()))
        .unique("span_id", keep="none")  # a span id that two traces use names neither
    )
    resolved = (
        feedback.join(owners, on="span_id", how="left")
        .with_columns(pl.coalesce("trace_id", "__owner").alias("trace_id"))
        .drop("__owner")
    )
    return resolved, feedback["trace_id"].null_count() - resolved["trace_id"].null_count()


def _keep_event_context(both: pl.DataFrame) -> pl.DataFrame:
    """The rows with what the event said, where it disagrees, kept in its metadata."""
    flags = [f"__conflict_{name}" for name in _FILLED]
    disagreeing = both.filter(pl.any_horizontal(flags))
    kept = pl.DataFrame(
        {
            "feedback_id": disagreeing["feedback_id"],
            "__metadata": [_with_context(row) for row in disagreeing.iter_rows(named=True)],
        },
        schema={"feedback_id": pl.String, "__metadata": pl.String},
    )
    return both.join(kept, on="feedback_id", how="left").with_columns(
        pl.coalesce("__metadata", "metadata").alias("metadata")
    )


def _with_context(row: dict[str, Any]) -> str:
    said = {name: row[name] for name in _FILLED if row[f"__conflict_{name}"]}
    try:
        metadata = json.loads(row["metadata"] or "{}")
    except ValueError:
        metadata = row["metadata"]
    if not isinstance(metadata, dict):
        metadata = {"metadata": metadata}
    return json.dumps({**metadata, "event_context": said}, sort_keys=True, ensure_ascii=False)


def _reasons() -> pl.Expr:
    """Why each event is debug-only, sorted; an empty list where it is joined."""
    found = [pl.when(pl.col(name).is_null()).then(pl.lit(f"missing_{name}")) for name in REQUIRED]
    unknown = pl.col("trace_id").is_not_null() & pl.col("__is_known").is_null()
    found.append(pl.when(unknown).then(pl.lit("unknown_trace")))
    return pl.concat_list(found).list.drop_nulls().list.sort()
