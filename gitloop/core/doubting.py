"""Which failures are worth a label next: those where the loop is least sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class Doubt:
    """A failure and how unsure the loop is about it.

    Attributes:
        trace_id: The failure.
        cluster_id: Its cluster, or None for a one-off.
        doubt: In [0, 1], higher is less sure.
        reason: Why, in a few words.
    """

    trace_id: str
    cluster_id: str | None
    doubt: float
    reason: str


def by_boundary(members: pl.DataFrame) -> list[Doubt]:
    """The failures nearest to the line between two clusters first.

    The doubt is one less the margin between the cosines to the own and to the next best cluster,
    bounded to [0, 1]. Failures without a second choice are left out: there is no line.

    Args:
        members: Fits `tables.MEMBERS`.
    """
    rows = members.filter(pl.col("margin").is_not_null()).iter_rows(named=True)
    found = [
        Doubt(
            row["trace_id"],
            row["cluster_id"],
            round(1.0 - min(1.0, max(0.0, row["margin"])), 6),
            f"between {row['cluster_id']} and {row['runner_up']}",
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (-one.doubt, one.trace_id))


def by_disagreement(
    members: pl.DataFrame, scores: pl.DataFrame, thresholds: Mapping[str, float]
) -> list[Doubt]:
    """The failures that a judge lets pass, the most confident pass first, then the near misses.

    Users complained, so a pass is where judge and people disagree: its doubt is .5 and more, by how
    far the score lies above the threshold. A fail near the threshold has a doubt below .5. Of
    several rubrics the greatest doubt counts; a failed call is no score and gives none.

    Args:
        members: Fits `tables.MEMBERS`.
        scores: Fits `tables.SCORES`; item_id is the trace.
        thresholds: Rubric → calibrated threshold.
    """
    home: dict[str, str | None] = dict(members.select("trace_id", "cluster_id").iter_rows())
    best: dict[str, Doubt] = {}
    for row in scores.filter(pl.col("status") == "ok").iter_rows(named=True):
        trace_id, line = row["item_id"], thresholds.get(row["rubric"])
        if trace_id not in home or line is None:
            continue
        found = _doubt(row, line, home[trace_id])
        if trace_id not in best or found.doubt > best[trace_id].doubt:
            best[trace_id] = found
    return sorted(best.values(), key=lambda one: (-one.doubt, one.trace_id))


def _doubt(row: Mapping[str, Any], line: float, cluster_id: str | None) -> Doubt:
    gap = row["score"] - line
    room = (1.0 - line) if gap >= 0 else line
    share = min(1.0, abs(gap) / room) if room > 0 else 0.0
    doubt = 0.5 + share / 2 if gap >= 0 else (1.0 - share) / 2
    verdict = "passes" if gap >= 0 else "fails"
    reason = f"{row['rubric']} {verdict} it: {row['score']:.2f}, line {line:.2f}"
    return Doubt(row["item_id"], cluster_id, round(doubt, 6), reason)
