"""Path B: a failure of a cluster, and an answer to the same prompt that was verified.

An immediate fix is advice to a developer and no model's answer, so it is never chosen itself. What
it changed is: the application as it is now answers the prompt again, and the answer is chosen when
it passes the rubrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from gitloop.core.pairs.preferences import (
    Found,
    Preference,
    Score,
    Traces,
    are_different,
    between,
    by_class,
    class_of,
    group_of,
    partners,
    place_of,
    prompt_of,
)
from gitloop.core.pairs.scored import Known, Line, Lines, both

VERIFICATIONS = ("edit", "trace", "rerun")
"""How an answer is verified: a person wrote it; a trace passes; the fix was run and passes."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a person wrote in place of a failed answer.

    Attributes:
        text: What it should have said.
        annotators: Who says so.
    """

    text: str
    annotators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rerun:
    """What the application says now.

    Attributes:
        text: The answer.
        scores: Rubric → score of it, of the rubrics that could judge it.
    """

    text: str
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Remedies:
    """What is known to answer failed prompts well.

    Attributes:
        written: trace_id → what a person wrote.
        known: Scores of traces: of the failures, and of passing answers.
        reruns: trace_id → what the application says now.
        failures: Traces with a signal of failure; none of them passes.
    """

    written: Mapping[str, Written]
    known: Known
    reruns: Mapping[str, Rerun]
    failures: frozenset[str]


def failures_of(members: pl.DataFrame, traces: Traces) -> list[tuple[str, str]]:
    """(trace_id, cluster_id) of each clustered failure that has an answer, by trace_id."""
    clustered = members.filter(pl.col("cluster_id").is_not_null()).sort("trace_id")
    return [
        (trace_id, cluster_id)
        for trace_id, cluster_id in clustered.select("trace_id", "cluster_id").iter_rows()
        if trace_id in traces and traces[trace_id]["output"]
    ]


def from_clusters(
    failures: Sequence[tuple[str, str]],
    traces: Traces,
    remedies: Remedies,
    lines: Lines,
    *,
    holdout_rate: float,
) -> Found:
    """A verified answer over each failure of a cluster: a person's, a trace's, or the rerun's.

    Args:
        failures: As `failures_of` gives them.
        traces: All traces.
        remedies: What is known to answer well.
        lines: Where the rubrics draw their lines.
        holdout_rate: Share of groups held out; partners come from one side.
    """
    sound = (trace for trace_id, trace in traces.items() if trace_id not in remedies.failures)
    passing = by_class(
        trace for trace in sound if passes_all(remedies.known.get(trace["trace_id"], {}), lines)
    )
    found: list[Preference] = []
    dropped: Counter[str] = Counter()
    for trace_id, cluster_id in failures:
        trace = traces[trace_id]
        twin = next(partners(passing.get(class_of(trace), ()), trace, holdout_rate), None)
        one = _remedied(trace, remedies, twin, lines)
        if isinstance(one, str):
            dropped[one] += 1
        else:
            found.append(replace(one, place=place_of(trace, cluster_id)))
    return Found(tuple(found), dropped)


def passes_all(scores: Mapping[str, float], lines: Lines) -> bool:
    """Whether at least one rubric judged, and every one that did passes."""
    judged = [lines[name].passes(score) for name, score in scores.items() if name in lines]
    return bool(judged) and all(judged)


def _remedied(
    trace: Mapping[str, Any],
    remedies: Remedies,
    twin: Mapping[str, Any] | None,
    lines: Lines,
) -> Preference | str:
    """The pair of one failure, or why there is none."""
    trace_id = trace["trace_id"]
    written = remedies.written.get(trace_id)
    if written is not None:
        return _replaced(trace, written.text, "edit", annotators=written.annotators)
    if twin is not None:
        scores = both(remedies.known, twin["trace_id"], trace_id)
        return between(
            "clusters", twin, trace, verified_by="trace", scores=scores, **_margin(scores, lines)
        )
    rerun = remedies.reruns.get(trace_id)
    if rerun is None:
        return "no verified answer"
    return _rerun(trace, rerun, remedies.known.get(trace_id, {}), lines)


def _rerun(
    trace: Mapping[str, Any], rerun: Rerun, before: Mapping[str, float], lines: Lines
) -> Preference | str:
    """What the application says now, over what it said; or why that teaches nothing."""
    if not passes_all(rerun.scores, lines):
        return "the application's answer now does not pass"
    if not are_different(rerun.text, str(trace["output"])):
        return "the application still says the same"
    scores = tuple(
        (rubric, rerun.scores[rubric], before[rubric])
        for rubric in sorted(set(rerun.scores) & set(before))
    )
    if not any(now > then for _, now, then in scores):
        return "the rubrics see no difference to the failure"
    return _replaced(trace, rerun.text, "rerun", scores=scores, **_margin(scores, lines))


def _replaced(
    trace: Mapping[str, Any],
    text: str,
    how: str,
    **other: Any,  # noqa: ANN401
) -> Preference:
    """A text that no trace holds, over a failed answer."""
    return Preference(
        source="clusters",
        prompt=prompt_of(trace),
        chosen=text,
        rejected=trace["output"],
        groups=(group_of(trace),),
        rejected_id=trace["trace_id"],
        verified_by=how,
        **other,
    )


def _margin(scores: tuple[Score, ...], lines: Lines) -> dict[str, Any]:
    """Margin and noise on the rubric that tells the two answers apart best."""
    unknown = Line(0.5, ">=", 0.0)
    gaps = [(c - r, lines.get(name, unknown).noise_floor) for name, c, r in scores]
    if not gaps:
        return {}
    gap, noise = max(gaps)
    return {"margin": round(max(gap, 0.0), 6), "noise": noise}
