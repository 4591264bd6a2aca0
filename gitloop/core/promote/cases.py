"""Which cases of the chosen clusters are fit to be golden rows, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.records import Interval
from gitloop.stats.intervals import wilson_interval
from gitloop.tables import GOLDEN

_ASSIGNED_LATER = ("row_id", "set", "split", "promoted_in")
CASES = {name: dtype for name, dtype in GOLDEN.schema.items() if name not in _ASSIGNED_LATER}
"""Columns of a case: a golden row before it has an identity, a set, a split and a record."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A case that is not promoted.

    Attributes:
        trace_id: The case's trace.
        reason: Why, in words that are the same for every case of that kind.
        detail: What is particular to this case, or "". Never text that a user wrote.
    """

    trace_id: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of the chosen clusters.

    Attributes:
        rows: Those fit for promotion, columns as in `CASES`, sorted by source_trace_id.
        left_out: The others, sorted by trace_id.
    """

    rows: pl.DataFrame
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often people said the same, over every item that two or more of them labelled.

    Attributes:
        n_items: Items (case × rubric) that at least two people labelled, disputed ones included.
        n_unanimous: Items on which all of them said the same.
        rate: Share of unanimous items, [0, 1]; None where there is no such item.
        interval: Wilson's interval of the rate; [0, 1] where there is no such item.
    """

    n_items: int
    n_unanimous: int
    rate: float | None
    interval: Interval


def choose(wanted: Iterable[str], clusters: pl.DataFrame) -> tuple[list[str], list[str]]:
    """The clusters that the words name, in the table's order, and the words that name none.

    Args:
        wanted: Cluster ids, or beginnings that fit exactly one.
        clusters: Fits `tables.CLUSTERS`.
    """
    known = clusters["cluster_id"].to_list()
    chosen, unknown = set(), []
    for word in wanted:
        found = [word] if word in known else [name for name in known if name.startswith(word)]
        if word and len(found) == 1:
            chosen.add(found[0])
        else:
            unknown.append(word)
    return [name for name in known if name in chosen], unknown


def build_cases(
    members: pl.DataFrame,
    verdicts: pl.DataFrame,
    traces: pl.DataFrame,
    outdated: Mapping[str, Sequence[str]],
) -> Cases:
    """Sort the members into cases fit for promotion and cases left out.

    A case is fit when each rubric that it was labelled under has a verdict, and its trace, output
    and feedback are known. A case that fails a rubric keeps its output as `bad_output`; one that
    passes them all keeps it as `reference`.

    Args:
        members: Fits `tables.MEMBERS`; just the chosen clusters.
        verdicts: As `stats.consensus.consensus` returns them.
        traces: Fits `tables.TRACES`.
        outdated: trace_id → the versions of the guidance, other than the one in force, under which
            it was labelled.
    """
    by_trace: dict[str, list[dict[str, Any]]] = {}
    for verdict in verdicts.sort("trace_id", "rubric").iter_rows(named=True):
        by_trace.setdefault(verdict["trace_id"], []).append(verdict)
    wanted = traces.filter(pl.col("trace_id").is_in(members["trace_id"].implode()))
    known = {trace["trace_id"]: trace for trace in wanted.iter_rows(named=True)}
    rows, left_out = [], []
    for member in members.sort("trace_id").iter_rows(named=True):
        trace_id = member["trace_id"]
        said, trace = by_trace.get(trace_id, []), known.get(trace_id)
        refusal = _refusal(member, said, trace, outdated.get(trace_id, ()))
        if refusal is not None or trace is None:
            left_out.append(refusal or LeftOut(trace_id, "its trace is gone"))
        else:
            rows.append(_row(member, said, trace))
    return Cases(pl.DataFrame(rows, schema=CASES), tuple(left_out))


def agreement(verdicts: pl.DataFrame) -> Agreement:
    """How often the people behind these verdicts said the same.

    Args:
        verdicts: As `stats.consensus.consensus` returns them.
    """
    judged = verdicts["is_unanimous"].drop_nulls()
    n_unanimous = int(judged.sum())
    rate = n_unanimous / len(judged) if len(judged) else None
    return Agreement(len(judged), n_unanimous, rate, wilson_interval(n_unanimous, len(judged)))


def _refusal(
    member: Mapping[str, Any],
    said: Sequence[Mapping[str, Any]],
    trace: Mapping[str, Any] | None,
    outdated: Sequence[str],
) -> LeftOut | None:
    """Why the case cannot be promoted, or None."""
    trace_id = member["trace_id"]
    if not said:
        told = f"guidance {', '.join(outdated)}" if outdated else ""
        reason = "labelled under another guidance only" if outdated else "not labelled"
        return LeftOut(trace_id, reason, told)
    unsettled = [f"{row['rubric']}: {row['reason']}" for row in said if row["verdict"] is None]
    if unsettled:
        return LeftOut(trace_id, "no agreement", "; ".join(unsettled))
    if trace is None:
        return LeftOut(trace_id, "its trace is gone", "no part of data/traces has it")
    if not member["feedback_ids"]:
        return LeftOut(trace_id, "no feedback started it")
    if trace["output"] is None:
        return LeftOut(trace_id, "its trace has no output")
    return None


def _row(
    member: Mapping[str, Any], said: Sequence[Mapping[str, Any]], trace: Mapping[str, Any]
) -> dict[str, Any]:
    failed = [verdict for verdict in said if verdict["verdict"] == "fail"]
    references = [v["reference"] for v in (*failed, *said) if v["reference"]]
    own = trace["output"] if not failed else None
    return {
        "input": trace["input"],
        "context": trace["context"],
        "reference": references[0] if references else own,
        "bad_output": trace["output"] if failed else None,
        "labels": [{"rubric": v["rubric"], "expected": v["verdict"]} for v in said],
        "route": trace["route"],
        "user_cohort": trace["user_cohort"],
        "prompt_version": trace["prompt_version"],
        "annotators": sorted({name for verdict in said for name in verdict["annotators"]}),
        "guidance_version": max(verdict["guidance_version"] for verdict in said),
        "source_trace_id": trace["trace_id"],
        "source_feedback_ids": sorted(member["feedback_ids"]),
        "cluster_id": member["cluster_id"],
        "group_id": trace["group_id"] or trace["session_id"] or trace["trace_id"],
        "created_at": trace["created_at"],
    }
