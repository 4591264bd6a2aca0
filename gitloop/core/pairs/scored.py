"""Path A: answers to one prompt that rubrics score apart, and every trace's reward."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
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
    prompt_of,
)
from gitloop.tables import REWARDS


@dataclass(frozen=True, slots=True)
class Line:
    """Where a rubric draws its line.

    Attributes:
        threshold: Score from which an answer passes, [0, 1].
        comparison: ">=" or ">".
        noise_floor: Difference up to which two scores may be the same, [0, 1].
    """

    threshold: float
    comparison: str
    noise_floor: float

    def passes(self, score: float) -> bool:
        """Whether a score passes."""
        return score > self.threshold if self.comparison == ">" else score >= self.threshold


Lines = Mapping[str, Line]
"""Rubric → its line."""

Known = Mapping[str, Mapping[str, float]]
"""trace_id → rubric → score; the mean over replicates."""


def known_scores(scores: pl.DataFrame) -> dict[str, dict[str, float]]:
    """What is known of each trace; a judgement that failed is no score.

    Args:
        scores: Fits `tables.SCORES`; its item ids are trace ids.
    """
    usable = scores.filter(pl.col("status") == "ok").sort("item_id", "rubric", "replicate")
    means = usable.group_by("item_id", "rubric", maintain_order=True).agg(pl.col("score").mean())
    found: dict[str, dict[str, float]] = {}
    for trace_id, rubric, score in means.iter_rows():
        found.setdefault(trace_id, {})[rubric] = round(score, 9)
    return found


def worth_judging(traces: Traces, most: int) -> list[str]:
    """Traces whose prompt got two or more different answers, at most so many, whole classes first.

    Only these can become a pair by scores or by an A/B verdict; a judge is asked about no other.
    """
    found: list[str] = []
    for rows in by_class(traces.values()).values():
        first = str(rows[0]["output"])
        if any(are_different(first, str(row["output"])) for row in rows[1:]):
            if len(found) + len(rows) > most:
                break
            found += [row["trace_id"] for row in rows]
    return found


def from_scores(
    known: Known, traces: Traces, lines: Lines, *, holdout_rate: float, most: int
) -> Found:
    """The best answer that passes a rubric over each that fails it, to the same prompt.

    A pair needs a margin above the rubric's noise floor; one at or below it is kept for review.
    Where another rubric prefers the other answer by more than its own noise, the rubrics contradict
    each other and nobody is taught anything.

    Args:
        known: Scores of traces.
        traces: All traces.
        lines: The rubrics that decide.
        holdout_rate: Share of groups held out; partners come from one side.
        most: Most pairs of a prompt.
    """
    scored = [traces[trace_id] for trace_id in known if trace_id in traces]
    found: list[Preference] = []
    dropped: Counter[str] = Counter()
    for rows in by_class(scored).values():
        best: dict[tuple[str, str], Preference] = {}
        for rubric in sorted(lines):
            for one in _of_rubric(rubric, rows, known, lines, holdout_rate):
                key = (str(one.chosen_id), str(one.rejected_id))
                if _is_contradicted(one, lines):
                    dropped["the rubrics contradict each other"] += 1
                elif key not in best or (one.margin or 0.0) > (best[key].margin or 0.0):
                    best[key] = one
        ordered = sorted(best.values(), key=lambda one: (-(one.margin or 0.0), one.rejected_id))
        found += ordered[:most]
        dropped["more pairs than pairs.max_per_prompt"] += len(ordered[most:])
    return Found(tuple(found), +dropped)


def _of_rubric(
    rubric: str,
    rows: list[Mapping[str, Any]],
    known: Known,
    lines: Lines,
    holdout_rate: float,
) -> list[Preference]:
    """The pairs of one prompt that one rubric makes."""
    line = lines[rubric]
    judged = [row for row in rows if rubric in known[row["trace_id"]]]
    of = {row["trace_id"]: known[row["trace_id"]][rubric] for row in judged}
    good = sorted(
        (row for row in judged if line.passes(of[row["trace_id"]])),
        key=lambda row: (-of[row["trace_id"]], row["trace_id"]),
    )
    made = []
    for bad in judged:
        if line.passes(of[bad["trace_id"]]):
            continue
        partner = next(partners(good, bad, holdout_rate), None)
        if partner is not None:
            pair = partner["trace_id"], bad["trace_id"]
            margin = round(of[pair[0]] - of[pair[1]], 6)
            made.append(
                between(
                    "scores",
                    partner,
                    bad,
                    margin=margin,
                    noise=line.noise_floor,
                    scores=both(known, *pair),
                )
            )
    return made


def both(known: Known, chosen_id: str, rejected_id: str) -> tuple[Score, ...]:
    """The scores of two answers, on the rubrics that scored both, by rubric."""
    a, b = known.get(chosen_id, {}), known.get(rejected_id, {})
    return tuple((rubric, a[rubric], b[rubric]) for rubric in sorted(set(a) & set(b)))


def _is_contradicted(one: Preference, lines: Lines) -> bool:
    return any(
        rejected - chosen > lines[rubric].noise_floor
        for rubric, chosen, rejected in one.scores
        if rubric in lines
    )


def rewards(
    known: Known, traces: Traces, lines: Lines, weights: Mapping[str, float]
) -> pl.DataFrame:
    """The reward of every answer that has all the scores, fitting `tables.REWARDS`.

    The reward is the weighted mean of the scores, in [0, 1]. A trace that lacks one of the scores
    has no reward: a mean over what happens to be there would reward what cannot be judged.

    Args:
        known: Scores of traces.
        traces: All traces.
        lines: The rubrics that count.
        weights: Rubric → weight > 0; 1 for those that it does not name.
    """
    rows = []
    shares = {rubric: weights.get(rubric, 1.0) for rubric in sorted(lines)}
    for trace_id, scores in known.items():
        trace = traces.get(trace_id)
        if trace is None or not trace["output"] or not shares or set(shares) - set(scores):
            continue
        weighed = [shares[rubric] * scores[rubric] for rubric in shares]
        rows.append(
            {
                "trace_id": trace_id,
                "prompt_class": class_of(trace),
                "prompt": prompt_of(trace),
                "completion": trace["output"],
                "reward": round(math.fsum(weighed) / math.fsum(shares.values()), 6),
                "scores": [{"rubric": name, "score": scores[name]} for name in shares],
                "passes": all(lines[name].passes(scores[name]) for name in shares),
                "route": trace["route"],
                "group_id": group_of(trace),
            }
        )
    return REWARDS.order(pl.DataFrame(rows, schema=REWARDS.schema))
