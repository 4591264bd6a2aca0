"""Preferences that people's own signals hold: thumbs, votes, and how sessions ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import polars as pl

from gitloop.core.pairs.preferences import (
    Found,
    Preference,
    Traces,
    Turn,
    are_different,
    between,
    by_class,
    folded,
    group_of,
    partners,
    place_of,
    prompt_class,
    prompt_of,
    split_of,
)
from gitloop.tables import FEEDBACK

_RESOLVED_FROM = 0.5


def from_thumbs(joined: pl.DataFrame, *, holdout_rate: float) -> Found:
    """A thumbed-up answer over each thumbed-down answer to the same prompt.

    An answer that people thumbed up and down is neither.

    Args:
        joined: Fits `tables.JOINED`.
        holdout_rate: Share of groups held out; partners come from one side.
    """
    up, down = (_thumbed(joined, signal) for signal in ("thumbs_up", "thumbs_down"))
    torn = set(up) & set(down)
    dropped = Counter({"thumbs up and down on one answer": len(torn)} if torn else {})
    good = by_class(row for trace_id, row in up.items() if trace_id not in torn)
    bad = by_class(row for trace_id, row in down.items() if trace_id not in torn)
    found: list[Preference] = []
    for key, rows in bad.items():
        for row in rows:
            partner = next(partners(good.get(key, ()), row, holdout_rate), None)
            if partner is not None:
                found.append(between("thumbs", partner, row))
            else:
                dropped["no thumbed-up answer to the same prompt"] += 1
    return Found(tuple(found), dropped)


def _thumbed(joined: pl.DataFrame, signal: str) -> dict[str, dict[str, Any]]:
    """trace_id → its row, of traces with such a signal."""
    rows = joined.filter(pl.col("signal_type") == signal).sort("trace_id", "feedback_id")
    return {row["trace_id"]: row for row in rows.unique("trace_id", keep="first").to_dicts()}


def from_votes(votes: pl.DataFrame, traces: Traces) -> Found:
    """The answer that most voters prefer; ties and split votes are counted and left out.

    Args:
        votes: Fits `tables.VOTES`.
        traces: The traces that were voted on.
    """
    found: list[Preference] = []
    dropped: Counter[str] = Counter()
    for _, cast in votes.sort("pair_id", "annotator").group_by("pair_id", maintain_order=True):
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
            margin = round((2 * most - cast.height) / cast.height, 6)
            agreeing = cast.filter(pl.col("winner") == winner)["annotator"].to_list()
            one = between("votes", good, bad, margin=margin, comparison_id=first["pair_id"])
            found.append(replace(one, annotators=tuple(sorted(agreeing))))
    return Found(tuple(found), dropped)


def from_sessions(
    outcomes: pl.DataFrame, traces: Traces, *, holdout_rate: float, most: int
) -> Found:
    """The answer at which a session that resolved parts from one that did not.

    Two sessions of one prompt class begin with the same question. Of their turns, the first is
    taken where both asked the same and were answered differently: what was said before is shared,
    and what came after answers other questions.

    Args:
        outcomes: session_id, value ([0, 1] or any number; from 0.5 on it resolved), created_at.
        traces: All traces.
        holdout_rate: Share of groups held out; partners come from one side.
        most: Most pairs of a class.
    """
    turns = _turns(traces)
    ended, dropped = _endings(outcomes, turns)
    classes: dict[str, list[str]] = {}
    for session in sorted(ended):
        first = turns[session][0]
        opening = prompt_class(first["route"], prompt_of(first))
        classes.setdefault(opening, []).append(session)
    found: list[Preference] = []
    for _, sessions in sorted(classes.items()):
        good = [session for session in sessions if ended[session] >= _RESOLVED_FROM]
        bad = [session for session in sessions if ended[session] < _RESOLVED_FROM]
        made: list[Preference] = []
        for loser in bad:
            why = "no session of the same class resolved"
            for winner in good:
                one = _parting(turns[winner], turns[loser], holdout_rate)
                if not isinstance(one, str):
                    made.append(one)
                    break
                why = one
            else:
                dropped[why] += 1
        found += made[:most]
        dropped["more pairs than pairs.max_per_prompt"] += len(made[most:])
    return Found(tuple(found), +dropped)


def _turns(traces: Traces) -> dict[str, list[Mapping[str, Any]]]:
    """session_id → its traces, in order of time."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for trace in traces.values():
        if trace["session_id"]:
            found.setdefault(trace["session_id"], []).append(trace)
    for rows in found.values():
        rows.sort(key=lambda row: (row["created_at"] is None, row["created_at"], row["trace_id"]))
    return found


def _endings(
    outcomes: pl.DataFrame, turns: Mapping[str, Sequence[Mapping[str, Any]]]
) -> tuple[dict[str, float], Counter[str]]:
    """session_id → its newest outcome, and what was left out."""
    ended: dict[str, float] = {}
    dropped: Counter[str] = Counter()
    for session, value in outcomes.sort("created_at").select("session_id", "value").iter_rows():
        if session is None or session not in turns:
            dropped["an outcome of an unknown session"] += 1
        elif value is None:
            dropped["an outcome without a value"] += 1
        else:
            ended[session] = value
    return ended, dropped


def _parting(
    winner: Sequence[Mapping[str, Any]], loser: Sequence[Mapping[str, Any]], holdout_rate: float
) -> Preference | str:
    """The pair where two sessions part, or why there is none."""
    if split_of(group_of(winner[0]), holdout_rate) != split_of(group_of(loser[0]), holdout_rate):
        return "the sessions lie on two sides of the split"
    history: list[Turn] = []
    for good, bad in zip_longest(winner, loser):
        if good is None or bad is None or folded(prompt_of(good)) != folded(prompt_of(bad)):
            return "the sessions ask different things before an answer differs"
        if not good["output"] or not bad["output"]:
            return "a text is missing"
        if are_different(good["output"], bad["output"]):
            one = between("sessions", good, bad, margin=1.0)
            return replace(one, history=tuple(history), place=place_of(bad))
        history += [("user", prompt_of(bad)), ("assistant", str(bad["output"]))]
    return "both sessions say the same"


def outcomes_of(events: Iterable[Mapping[str, Any]], traces: Traces) -> pl.DataFrame:
    """session_id, value and created_at of each outcome; the trace tells where the event does not.

    Args:
        events: Rows of `tables.JOINED` or `tables.FEEDBACK`.
        traces: All traces.
    """
    rows = []
    for event in events:
        if event["signal_type"] == "outcome":
            trace = traces.get(event["trace_id"] or "")
            session = event["session_id"] or (trace["session_id"] if trace else None)
            rows.append((session, event["value"], event["created_at"]))
    schema = pl.Schema(
        {name: FEEDBACK.schema[name] for name in ("session_id", "value", "created_at")}
    )
    return pl.DataFrame(rows, schema=schema, orient="row")
