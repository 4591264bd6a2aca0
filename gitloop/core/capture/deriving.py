"""Implicit signals that lie in the traces themselves, each with its rule and confidence.

    regenerate  the same question again, in the same session, within 10 minutes
    retry       nearly the same question (similarity ≥ 0.6), same session, within 10 minutes
    edit        the next question brings the answer back, changed
    escalate    the user asks for a person, or the application handed over to one
    abandon     the session ends on an error, or on a question to the user that stays unanswered

A rule sees one session in time order; traces without a session or a time say nothing. The clock is
the newest trace: a session counts as ended when half an hour of traffic came after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

import polars as pl

from gitloop.digests import sha256_of
from gitloop.tables import FEEDBACK, SIGNAL_TYPES

RULES = {
    "regenerate": "same-question/1",
    "retry": "similar-question/1",
    "edit": "answer-brought-back/1",
    "escalate": "asks-for-a-person/1",
    "abandon": "left-open/1",
}
"""Signal → the name and version of its rule, as in the event's metadata."""

_AGAIN = timedelta(minutes=10)
_ENDED = timedelta(minutes=30)
_SIMILAR = 0.6
_BROUGHT_BACK = 0.5
_MIN_ANSWER = 40
_MAX_COMPARED = 4000

_WORDS = re.compile(r"\w+", re.UNICODE)
_PERSON = re.compile(
    r"\b(?:(?:speak|talk|chat|connect(?:ed)?|transfer(?:red)?|put\s+(?:me\s+)?through|get)\s+"
    r"(?:me\s+)?(?:to|with|over\s+to)?\s*(?:an?\s+|the\s+|some\s+|your\s+)?"
    r"(?:real\s+|actual\s+|live\s+|human\s+)*"
    r"(?:human|person|agent|representative|operator|someone|manager|supervisor|advisor)"
    r"|(?:real|live|human|actual)\s+(?:person|human|agent|being|representative))\b",
    re.IGNORECASE,
)
_HANDOVER = re.compile(r"(?:transfer|hand_?over|hand_?off|escalat)\w*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A trace, as far as the rules look at it."""

    trace_id: str
    session_id: str
    at: datetime
    input: str
    output: str
    status: str
    tools: tuple[str, ...]
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Finding:
    """A signal on a turn, with the confidence of its rule in [0, 1] and what gave it away."""

    turn: _Turn
    signal: str
    at: datetime
    confidence: float
    evidence: dict[str, Any]
    edited_output: str | None = None


def derive(traces: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
    """The implicit signals in the traces that no event tells of yet.

    Args:
        traces: Fits `tables.TRACES`.
        feedback: Fits `tables.FEEDBACK`; a signal that a trace has already is not derived again.

    Returns:
        Fits `tables.FEEDBACK`, score_source "auto_grader"; the same traces give the same events.
    """
    known = set(feedback.select("trace_id", "signal_type").iter_rows())
    newest = traces["created_at"].max()
    events = []
    for turns in _sessions(traces):
        for finding in _findings(turns, newest):
            which = (finding.turn.trace_id, finding.signal)
            if which not in known:
                known.add(which)
                events.append(_event(finding))
    return FEEDBACK.order(pl.DataFrame(events, schema=FEEDBACK.schema))


def _sessions(traces: pl.DataFrame) -> Iterator[list[_Turn]]:
    """The turns of each session, in time order."""
    told = traces.filter(pl.col("session_id").is_not_null() & pl.col("created_at").is_not_null())
    columns = ("trace_id", "session_id", "created_at", "input", "output", "status", "spans",
               "route", "user_cohort", "prompt_version")  # fmt: skip
    held: list[_Turn] = []
    for row in (
        told.select(columns).sort("session_id", "created_at", "trace_id").iter_rows(named=True)
    ):
        turn = _turn(row)
        if held and held[-1].session_id != turn.session_id:
            yield held
            held = []
        held.append(turn)
    if held:
        yield held


def _turn(row: dict[str, Any]) -> _Turn:
    spans = row.pop("spans") or ()
    tools = tuple(span["name"] or "" for span in spans if span["kind"] == "TOOL")
    return _Turn(
        row["trace_id"], row["session_id"], row["created_at"], row["input"], row["output"] or "",
        row["status"], tools, row,
    )  # fmt: skip


def _findings(turns: Sequence[_Turn], newest: object) -> Iterator[_Finding]:
    """What the rules find in one session."""
    for turn, following in pairwise(turns):
        finding = _asked_again(turn, following) or _brought_back(turn, following)
        if finding is not None:
            yield finding
    for before, turn in zip((None, *turns), turns, strict=False):
        escalation = _escalated(before, turn)
        if escalation is not None:
            yield escalation
    if isinstance(newest, datetime) and newest - turns[-1].at >= _ENDED:
        left = _left_open(turns[-1])
        if left is not None:
            yield left


def _asked_again(turn: _Turn, following: _Turn) -> _Finding | None:
    """A retry or a regenerate: the next question is this one, more or less."""
    if following.at - turn.at > _AGAIN:
        return None
    one, other = _normal(turn.input), _normal(following.input)
    if not one or not other:
        return None
    if one == other:
        return _Finding(turn, "regenerate", following.at, 0.95, {"next": following.trace_id})
    similarity = _similarity(one, other)
    if similarity < _SIMILAR:
        return None
    evidence = {"next": following.trace_id, "similarity": similarity}
    return _Finding(turn, "retry", following.at, similarity, evidence)


def _brought_back(turn: _Turn, following: _Turn) -> _Finding | None:
    """An edit: the user pastes the answer back, with changes."""
    answer, said = turn.output.strip(), following.input.strip()
    if len(answer) < _MIN_ANSWER or answer in said or len(said) < len(answer) * _BROUGHT_BACK:
        return None
    similarity = _similarity(_normal(answer), _normal(said))
    if similarity < _SIMILAR:
        return None
    evidence = {"next": following.trace_id, "similarity": similarity}
    return _Finding(turn, "edit", following.at, similarity, evidence, edited_output=said)


def _escalated(before: _Turn | None, turn: _Turn) -> _Finding | None:
    """An escalation: of this turn where the application hands over, else of the turn before.

    A person who is asked for in the very first turn is that turn's own escalation.
    """
    handover = next((tool for tool in turn.tools if _HANDOVER.search(tool)), None)
    if handover is not None:
        return _Finding(turn, "escalate", turn.at, 0.9, {"tool": handover})
    asked = _PERSON.search(turn.input)
    if asked is None:
        return None
    return _Finding(before or turn, "escalate", turn.at, 0.7, {"words": asked[0]})


def _left_open(turn: _Turn) -> _Finding | None:
    """An abandon: the session's last answer failed, or asked something back."""
    if turn.status == "error":
        return _Finding(turn, "abandon", turn.at, 0.8, {"last": "error"})
    if turn.output.rstrip().endswith("?"):
        return _Finding(turn, "abandon", turn.at, 0.5, {"last": "question to the user"})
    return None


def _event(finding: _Finding) -> dict[str, Any]:
    """The finding as a row of FEEDBACK; its id follows from trace, signal and rule."""
    row, rule = finding.turn.row, RULES[finding.signal]
    identity = {"trace_id": row["trace_id"], "signal_type": finding.signal, "rule": rule}
    metadata = {
        "confidence": round(finding.confidence, 3),
        "rule": rule,
        **{
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in finding.evidence.items()
        },
    }
    return {
        **dict.fromkeys(FEEDBACK.schema.names()),
        **{name: row[name] for name in ("trace_id", "session_id", "route", "user_cohort",
                                        "prompt_version")},
        "feedback_id": f"dv_{sha256_of(identity)[:32]}",
        "signal_type": finding.signal,
        "signal_class": SIGNAL_TYPES[finding.signal],
        "score_source": "auto_grader",
        "edited_output": finding.edited_output,
        "created_at": finding.at,
        "metadata": json.dumps(metadata, sort_keys=True, ensure_ascii=False),
    }  # fmt: skip


def _normal(text: str) -> str:
    """The text's words in lower case, without punctuation."""
    return " ".join(_WORDS.findall(text[:_MAX_COMPARED].lower()))


def _similarity(one: str, other: str) -> float:
    """How alike two normal texts are, word by word, [0, 1] (Ratcliff & Obershelp 1988)."""
    first, second = one.split(), other.split()
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    if matcher.real_quick_ratio() < _SIMILAR or matcher.quick_ratio() < _SIMILAR:
        return 0.0
    return matcher.ratio()
