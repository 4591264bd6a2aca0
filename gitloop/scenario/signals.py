"""What users do about an answer: a few say so, more just act, and some do either wrongly."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gitloop.scenario.sayings import COMMENTS, PRAISE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gitloop.scenario.truth import Truth

EXPLICIT_RATE = 0.02
EXPLICIT_FAILED_SHARE = 0.65
PLEASED_ANYWAY_RATE = 0.12
ACTS_ON_FAILURE_RATE = 0.58
ACTS_TWICE_RATE = 0.15
COPY_RATE = 0.055
FALSE_ALARM_RATE = 0.022
N_BROKEN = 8

_USUAL = {"retry": 0.36, "regenerate": 0.24, "abandon": 0.2, "edit": 0.1, "escalate": 0.1}
_ACTS = {
    "no_human": {"escalate": 0.6, "abandon": 0.2, "retry": 0.2},
    "leaked_note": {"edit": 0.5, "regenerate": 0.3, "escalate": 0.2},
    "refused": {"retry": 0.5, "regenerate": 0.25, "abandon": 0.25},
    "claimed_delivered": {"retry": 0.3, "escalate": 0.4, "abandon": 0.3},
    "invented_fee": {"retry": 0.35, "edit": 0.2, "escalate": 0.25, "abandon": 0.2},
}
_DETAILS = {
    "retry": {"rule": "same question again"},
    "escalate": {"to": "agent desk"},
    "edit": {"by": "support agent"},
}
_BREAKS: tuple[dict[str, str | None], ...] = (
    {"trace_id": None},
    {"user_cohort": None},
    {"prompt_version": None, "route": None},
    {"score_source": None},
)


def feedback_events(
    seed: int,
    traces: Sequence[Mapping[str, Any]],
    truths: Mapping[str, Truth],
    references: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Rows of FEEDBACK, in time order; a few lack the context that a join needs."""
    dice = random.Random(f"feedback {seed}")  # noqa: S311  # repeatable, not secret
    events = _explicit(dice, traces, truths)
    for trace in traces:
        true = truths[trace["trace_id"]]
        for signal in _implicit(dice, true):
            event = _event(dice, trace, signal, "implicit")
            if signal == "edit":
                event["edited_output"] = references[trace["trace_id"]]
            events.append(event)
    events += _broken(dice, events)
    events.sort(key=lambda event: (event["created_at"], event["session_id"]))
    for n, event in enumerate(events):
        event["feedback_id"] = f"fb-{hashlib.sha256(f'{seed}/event/{n}'.encode()).hexdigest()[:16]}"
    return events


def _explicit(
    dice: random.Random, traces: Sequence[Mapping[str, Any]], truths: Mapping[str, Truth]
) -> list[dict[str, Any]]:
    """Thumbs, ratings and comments: few users bother, most of them because something is wrong."""
    failed = [trace for trace in traces if truths[trace["trace_id"]].failed]
    sound = [trace for trace in traces if not truths[trace["trace_id"]].failed]
    n_wanted = round(EXPLICIT_RATE * len(traces))
    n_failed = min(round(n_wanted * EXPLICIT_FAILED_SHARE), len(failed))
    events = []
    for trace in dice.sample(failed, n_failed):
        true = truths[trace["trace_id"]]
        if dice.random() < PLEASED_ANYWAY_RATE:
            events.append(_event(dice, trace, "thumbs_up", "explicit"))
            continue
        signal = dice.choices(("thumbs_down", "rating", "comment"), (0.6, 0.2, 0.2))[0]
        event = _event(dice, trace, signal, "explicit")
        if signal == "rating":
            event["value"] = float(dice.choice((1, 1, 2)))
        if signal == "comment" or dice.random() < 0.6:
            event["comment"] = dice.choice(COMMENTS[true.shape or true.accident or ""])
        events.append(event)
    for trace in dice.sample(sound, min(n_wanted - n_failed, len(sound))):
        signal = dice.choices(("thumbs_up", "rating", "thumbs_down"), (0.6, 0.3, 0.1))[0]
        event = _event(dice, trace, signal, "explicit")
        if signal == "rating":
            event["value"] = float(dice.choice((4, 5, 5)))
        if signal != "thumbs_down" and dice.random() < 0.4:
            event["comment"] = dice.choice(PRAISE)
        events.append(event)
    return events


def _implicit(dice: random.Random, true: Truth) -> list[str]:
    """What a user did about an answer, without saying anything."""
    if not true.failed:
        chance = dice.random()
        if chance < FALSE_ALARM_RATE:
            return [dice.choice(("retry", "abandon", "regenerate"))]
        return ["copy"] if chance < FALSE_ALARM_RATE + COPY_RATE else []
    if dice.random() >= ACTS_ON_FAILURE_RATE:
        return ["copy"] if dice.random() < COPY_RATE else []
    acts = _ACTS.get(true.shape or "", _USUAL)
    first = dice.choices(list(acts), list(acts.values()))[0]
    if first in {"retry", "regenerate"} and dice.random() < ACTS_TWICE_RATE:
        return [first, dice.choice(("abandon", "escalate"))]
    return [first]


def _event(
    dice: random.Random, trace: Mapping[str, Any], signal: str, signal_class: str
) -> dict[str, Any]:
    """An event on a trace, seconds to minutes after the answer."""
    wait = timedelta(seconds=trace["latency_s"] + dice.randrange(5, 600))
    at: datetime = trace["created_at"] + wait
    details = {"channel": json.loads(trace["attributes"])["channel"], **_DETAILS.get(signal, {})}
    return {
        "feedback_id": "",
        "trace_id": trace["trace_id"],
        "span_id": None,
        "session_id": trace["session_id"],
        "prompt_version": trace["prompt_version"],
        "route": trace["route"],
        "user_cohort": trace["user_cohort"],
        "signal_type": signal,
        "signal_class": signal_class,
        "value": None,
        "score_source": "human",
        "comment": None,
        "edited_output": None,
        "created_at": at,
        "metadata": json.dumps(details, sort_keys=True),
    }


def _broken(dice: random.Random, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Further events that an old client sent without the context that makes them joinable."""
    implicit = [event for event in events if event["signal_class"] == "implicit"]
    broken = []
    for n, event in enumerate(dice.sample(implicit, min(N_BROKEN, len(implicit)))):
        if n % 4 == 0:
            lost: dict[str, str | None] = {"trace_id": f"{dice.getrandbits(128):032x}"}
        else:
            lost = _BREAKS[n % 4 if n < 4 else 0]
        later = event["created_at"] + timedelta(seconds=dice.randrange(1, 30))
        old_client = json.dumps({"channel": "app", "client": "1.9"}, sort_keys=True)
        broken.append({**event, **lost, "created_at": later, "metadata": old_client})
    return broken
