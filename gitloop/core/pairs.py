"""Preference pairs: what people and signals prefer, as prompt, chosen and rejected.

Each source is a function from tables to pairs; `build` puts them together, counts what it leaves
out and why, and assigns the holdout by group.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from gitloop.digests import sha256_of
from gitloop.tables import PAIRS

_UP, _DOWN = ("thumbs_up",), ("thumbs_down",)


@dataclass(frozen=True, slots=True)
class Built:
    """Pairs, and what did not become one.

    Attributes:
        pairs: Fits `tables.PAIRS`.
        dropped: Reason → count.
    """

    pairs: pl.DataFrame
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class Preference:
    """One answer preferred to another, before it is checked.

    Attributes:
        source: One of `tables.PAIR_SOURCES`.
        prompt: What was asked.
        chosen: The preferred answer, or None where its text is missing.
        rejected: The other answer, or None.
        margin: How much better, [0, 1], or None where the source has no measure.
        chosen_id: Trace of the chosen answer, or None for one that a person wrote.
        rejected_id: Trace of the rejected answer.
        group_id: Unit of splitting.
        annotators: Who preferred it.
        place: route, user_cohort, cluster_id.
    """

    source: str
    prompt: str
    chosen: str | None
    rejected: str | None
    margin: float | None
    chosen_id: str | None
    rejected_id: str | None
    group_id: str
    annotators: tuple[str, ...]
    place: tuple[str | None, str | None, str | None]


def from_thumbs(joined: pl.DataFrame) -> list[Preference]:
    """A thumbed-up answer over each thumbed-down answer to the same prompt.

    Args:
        joined: Fits `tables.JOINED`.
    """
    up = _thumbed(joined, _UP)
    found = []
    for prompt, bad in _thumbed(joined, _DOWN).items():
        for good in up.get(prompt, [])[:1]:
            found += [_between("thumbs", good, one) for one in bad]
    return found


def from_clusters(
    members: pl.DataFrame,
    traces: Mapping[str, Mapping[str, Any]],
    better: Mapping[str, tuple[str, ...]],
) -> list[Preference]:
    """What a person wrote instead, over the failure it replaces.

    A fix that nobody has seen answer the prompt is no preferred answer; advice to a developer is
    none either. Only a person's own text counts here.

    Args:
        members: Fits `tables.MEMBERS`.
        traces: trace_id → row of `tables.TRACES`.
        better: trace_id → (what it should have said, who says so, …).
    """
    found = []
    for member in members.filter(pl.col("cluster_id").is_not_null()).to_dicts():
        trace, instead = traces.get(member["trace_id"]), better.get(member["trace_id"])
        if trace is None or instead is None:
            continue
        place = (trace["route"], trace["user_cohort"], member["cluster_id"])
        found.append(
            Preference(
                source="clusters",
                prompt=prompt_of(trace),
                chosen=instead[0],
                rejected=trace["output"],
                margin=None,
                chosen_id=None,
                rejected_id=trace["trace_id"],
                group_id=trace["group_id"] or trace["trace_id"],
                annotators=tuple(sorted(instead[1:])),
                place=place,
            )
        )
    return found


def from_scores(
    scores: pl.DataFrame, traces: Mapping[str, Mapping[str, Any]], rubric: str
) -> list[Preference]:
    """The best-scored answer over each worse one to the same prompt; the margin is the difference.

    Args:
        scores: Fits `tables.SCORES`; its item ids are trace ids.
        traces: trace_id → row of `tables.TRACES`.
        rubric: The rubric whose scores are compared.
    """
    usable = scores.filter((pl.col("rubric") == rubric) & (pl.col("status") == "ok"))
    by_prompt: dict[str, list[tuple[float, str]]] = {}
    for trace_id, score in usable.select("item_id", "score").iter_rows():
        if trace_id in traces:
            by_prompt.setdefault(prompt_of(traces[trace_id]), []).append((score, trace_id))
    found = []
    for scored in by_prompt.values():
        best_score, best = max(scored, key=lambda pair: (pair[0], pair[1]))
        found += [
            _between("scores", traces[best], traces[other], margin=round(best_score - score, 6))
            for score, other in sorted(scored)
            if score < best_score
        ]
    return found


def from_votes(
    votes: pl.DataFrame, traces: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Preference], dict[str, int]]:
    """What most voters prefer; the margin is their majority. Ties and split votes are no pairs.

    Args:
        votes: Fits `tables.VOTES`.
        traces: trace_id → row of `tables.TRACES`.

    Returns:
        The preferences, and reason → count of the pairs that have none.
    """
    found: list[Preference] = []
    dropped: Counter[str] = Counter()
    for (_,), cast in votes.group_by("pair_id", maintain_order=True):
        first = cast.row(0, named=True)
        a, b = traces.get(first["trace_id_a"]), traces.get(first["trace_id_b"])
        counts = Counter(cast["winner"].to_list())
        winner, most = max(counts.items(), key=lambda item: (item[1], item[0]))
        if a is None or b is None:
            dropped["a trace is unknown"] += 1
        elif winner == "tie" or 2 * most <= cast.height:
            dropped["no majority"] += 1
        else:
            good, bad = (a, b) if winner == "a" else (b, a)
            loser = cast.height - most
            one = _between("votes", good, bad, margin=round((most - loser) / cast.height, 6))
            agreeing = cast.filter(pl.col("winner") == winner)["annotator"].to_list()
            found.append(replace(one, annotators=tuple(sorted(agreeing))))
    return found, dict(dropped)


def build(preferences: Iterable[Preference], *, min_margin: float, holdout_rate: float) -> Built:
    """Checked pairs with their split. The same preference from two sources counts once.

    Args:
        preferences: From any source.
        min_margin: Least margin; a preference without a measure is not held against it.
        holdout_rate: Share of groups held out, for life, [0, 1).
    """
    rows: dict[str, dict[str, Any]] = {}
    dropped: Counter[str] = Counter()
    for one in preferences:
        reason = _fault(one, min_margin)
        pair_id = sha256_of([one.prompt, one.chosen, one.rejected])[:16]
        if not reason and pair_id in rows:
            reason = "the same pair again"
        if reason:
            dropped[reason] += 1
        else:
            rows[pair_id] = _row(pair_id, one, holdout_rate)
    pairs = pl.DataFrame(list(rows.values()), schema=PAIRS.schema)
    return Built(PAIRS.order(pairs), dict(sorted(dropped.items())))


def prompt_of(trace: Mapping[str, Any]) -> str:
    """What was asked, with what the application was given, as one text."""
    context = trace.get("context")
    return f"{context}\n\n{trace['input']}" if context else str(trace["input"])


def split_of(group_id: str, holdout_rate: float) -> str:
    """The split of a group, "train" or "holdout"; a group never changes side."""
    digest = hashlib.sha256(f"pairs|{group_id}".encode()).digest()
    return "holdout" if int.from_bytes(digest[:8]) < holdout_rate * 2**64 else "train"


def _thumbed(joined: pl.DataFrame, signals: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """Prompt → its traces with such a signal, each once, by trace_id."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows = joined.filter(pl.col("signal_type").is_in(signals)).sort("trace_id", "feedback_id")
    for row in rows.unique("trace_id", maintain_order=True).to_dicts():
        found.setdefault(prompt_of(row), []).append(row)
    return found


def _between(
    source: str, good: Mapping[str, Any], bad: Mapping[str, Any], *, margin: float | None = None
) -> Preference:
    return Preference(
        source=source,
        prompt=prompt_of(bad),
        chosen=good["output"],
        rejected=bad["output"],
        margin=margin,
        chosen_id=good["trace_id"],
        rejected_id=bad["trace_id"],
        group_id=bad["group_id"] or bad["trace_id"],
        annotators=(),
        place=(bad["route"], bad["user_cohort"], None),
    )


def _fault(one: Preference, min_margin: float) -> str:
    """Why the preference trains nobody, or ""."""
    if not one.chosen or not one.rejected or not one.prompt:
        return "a text is missing"
    if one.chosen.split() == one.rejected.split():
        return "both answers are the same"
    if one.margin is not None and one.margin < min_margin:
        return "the margin is too small"
    return ""


def _row(pair_id: str, one: Preference, holdout_rate: float) -> dict[str, Any]:
    route, user_cohort, cluster_id = one.place
    return {
        "pair_id": pair_id,
        "source": one.source,
        "prompt": one.prompt,
        "chosen": one.chosen,
        "rejected": one.rejected,
        "margin": one.margin,
        "route": route,
        "user_cohort": user_cohort,
        "cluster_id": cluster_id,
        "chosen_id": one.chosen_id,
        "rejected_id": one.rejected_id,
        "annotators": list(one.annotators),
        "group_id": one.group_id,
        "split": split_of(one.group_id, holdout_rate),
    }
