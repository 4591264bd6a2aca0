"""Traces, sessions, spans, tool calls, golden rows and runs as cases that a person can judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from gitloop.core.label.items import Case, Passage
from gitloop.digests import sha256_of

Shown = Mapping[str, tuple[str | None, str | None]]
"""trace_id → (the cluster it is shown for, that cluster's name), in the order of the queue."""

TOOL = "TOOL"


def representatives(clusters: pl.DataFrame) -> dict[str, tuple[str | None, str | None]]:
    """The clusters' representatives: the heaviest cluster first, then by rank.

    Args:
        clusters: Fits `tables.CLUSTERS`; may be empty.
    """
    ordered = clusters.sort("weight", "cluster_id", descending=[True, False])
    shown: dict[str, tuple[str | None, str | None]] = {}
    for row in ordered.iter_rows(named=True):
        for trace_id in row["representatives"]:
            shown.setdefault(trace_id, (row["cluster_id"], row["name"]))
    return shown


def sample(ids: Iterable[str], n: int, seed: int) -> list[str]:
    """A random sample that grows without changing: the first 20 are among the first 50."""
    return sorted(ids, key=lambda name: sha256_of({"seed": seed, "trace": name}))[:n]


def trace_cases(traces: pl.DataFrame, shown: Shown) -> list[Case]:
    """The traces themselves: what the user asked, what was given, what was answered."""
    return [
        Case(
            kind="trace",
            item_id=row["trace_id"],
            passages=_passages(("user", row["input"]), ("context", row["context"])),
            **_of_trace(row, shown),
        )
        for row in _in_order(traces, shown)
    ]


def span_cases(traces: pl.DataFrame, shown: Shown, kind: str) -> list[Case]:
    """The spans of the traces that say something: tool calls, or all the others.

    Args:
        traces: Fits `tables.TRACES`.
        shown: The traces whose spans are wanted.
        kind: "tool_call" for spans of the kind TOOL, "span" for the rest.
    """
    found = []
    for row in _in_order(traces, shown):
        for span in row["spans"] or ():
            is_tool = (span["kind"] or "").upper() == TOOL
            if is_tool != (kind == "tool_call") or not (span["output"] or span["input"]):
                continue
            given = "call" if is_tool else "input"
            passages = _passages(("user asked", row["input"]), (given, span["input"]))
            found.append(
                Case(
                    kind=kind,
                    item_id=f"{row['trace_id']}/{span['span_id']}",
                    title=span["name"] or "",
                    passages=passages,
                    **_of_trace(row, shown) | {"output": span["output"]},
                )
            )
    return found


def session_cases(traces: pl.DataFrame, shown: Shown) -> list[Case]:
    """The conversations that the traces belong to, turn by turn; the last answer is judged.

    Args:
        traces: Fits `tables.TRACES`; all of them, for a session needs its other turns.
        shown: The traces whose sessions are wanted.
    """
    by_session: dict[str, list[dict[str, Any]]] = {}
    for row in traces.sort("created_at", "trace_id").iter_rows(named=True):
        if row["session_id"] is not None:
            by_session.setdefault(row["session_id"], []).append(row)
    wanted = dict.fromkeys(
        row["session_id"] for row in _in_order(traces, shown) if row["session_id"] is not None
    )
    found = []
    for session_id in wanted:
        turns = by_session[session_id]
        said = [pair for row in turns for pair in (("user", row["input"]), ("it", row["output"]))]
        said.pop()
        marked = next((row for row in turns if row["trace_id"] in shown), turns[-1])
        last = turns[-1]
        passages = _passages(*said, ("context", last["context"]))
        of_trace = _of_trace(marked, shown) | {
            "trace_id": last["trace_id"],
            "output": last["output"],
        }
        found.append(Case(kind="session", item_id=session_id, passages=passages, **of_trace))
    return found


def golden_cases(rows: pl.DataFrame) -> list[Case]:
    """Golden rows, to be looked at again: what failed, or the reference of what passed.

    Args:
        rows: Fits `tables.GOLDEN`.
    """
    return [
        Case(
            kind="golden_row",
            item_id=row["row_id"],
            title=row["set"],
            passages=_passages(
                ("user", row["input"]),
                ("context", row["context"]),
                ("reference", row["reference"] if row["bad_output"] is not None else None),
            ),
            output=row["bad_output"] if row["bad_output"] is not None else row["reference"],
            **_of_row(row),
        )
        for row in rows.sort("set", "row_id").iter_rows(named=True)
    ]


def run_cases(outputs: pl.DataFrame, rows: pl.DataFrame) -> list[Case]:
    """What the application under test answers now on golden rows, to be judged before it ships.

    The id holds a digest of the answer: a label speaks of the text that was read, and another
    answer to the same row is another item.

    Args:
        outputs: Fits `tables.OUTPUTS`.
        rows: Fits `tables.GOLDEN`.
    """
    known = {row["row_id"]: row for row in rows.iter_rows(named=True)}
    found: dict[str, Case] = {}
    for run in outputs.sort("item_id", "replicate").iter_rows(named=True):
        row = known.get(run["item_id"])
        if row is None or run["output"] is None:
            continue
        item_id = f"{row['row_id']}@{sha256_of({'output': run['output']})[:12]}"
        passages = _passages(
            ("user", row["input"]), ("context", row["context"]), ("reference", row["reference"])
        )
        found.setdefault(
            item_id,
            Case(
                kind="prototype_run",
                item_id=item_id,
                title=row["set"],
                passages=passages,
                output=run["output"],
                **_of_row(row),
            ),
        )
    return list(found.values())


def _in_order(traces: pl.DataFrame, shown: Shown) -> list[dict[str, Any]]:
    """The wanted traces, in the order in which they are wanted."""
    wanted = traces.filter(pl.col("trace_id").is_in(list(shown)))
    known = {row["trace_id"]: row for row in wanted.iter_rows(named=True)}
    return [known[trace_id] for trace_id in shown if trace_id in known]


def _of_trace(row: Mapping[str, Any], shown: Shown) -> dict[str, Any]:
    cluster_id, cluster_name = shown.get(row["trace_id"], (None, None))
    return {
        "trace_id": row["trace_id"],
        "output": row["output"],
        "route": row["route"],
        "user_cohort": row["user_cohort"],
        "cluster_id": cluster_id,
        "cluster_name": cluster_name,
    }


def _of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trace_id": row["source_trace_id"],
        "route": row["route"],
        "user_cohort": row["user_cohort"],
        "cluster_id": row["cluster_id"],
    }


def _passages(*pairs: tuple[str, str | None]) -> tuple[Passage, ...]:
    return tuple(Passage(name, text) for name, text in pairs if text)
