"""POST /v1/feedback: one event, a list of events, or {"events": […]}."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from gitloop.capture.events import complete, faults, line
from gitloop.collector.commits import Entry, Outcome
from gitloop.collector.refusals import Refusal

_FORM = orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
_MOST_SHOWN = 20
_LONGEST_FAULT = 200


@dataclass(frozen=True, slots=True)
class Reading:
    """What a body holds.

    Attributes:
        feedback_ids: The id of each event that is sound, in order.
        entries: Its line.
        refused: Place in the body and faults of each event that is not.
    """

    feedback_ids: list[str]
    entries: list[Entry]
    refused: list[tuple[int, list[str]]]


def read(body: bytes, most: int) -> Reading:
    """The events in a body.

    Args:
        body: UTF-8 JSON.
        most: Most events that it may hold.

    Raises:
        Refusal: It is no JSON, nested too deep, no event and no list of them, or too long.
    """
    ids: list[str] = []
    entries: list[Entry] = []
    refused: list[tuple[int, list[str]]] = []
    for n, raw in enumerate(_events(body, most)):
        if not isinstance(raw, dict):
            refused.append((n, [f"a JSON {type(raw).__name__}, not an object"]))
            continue
        try:
            event = complete(raw)
            found = faults(event)
        except (OverflowError, ValueError, RecursionError) as error:
            event, found = {}, [f"{type(error).__name__}: {error}"]
        if found:
            refused.append((n, [fault[:_LONGEST_FAULT] for fault in found]))
        else:
            ids.append(event["feedback_id"])
            entries.append(_entry(event))
    return Reading(ids, entries, refused)


def answer(reading: Reading, outcomes: Sequence[Outcome]) -> tuple[int, dict[str, Any]]:
    """Status and content of the answer: 200; 207 where some events have faults, 422 where all."""
    content: dict[str, Any] = {
        "feedback_ids": reading.feedback_ids,
        **{f"n_{name}": outcomes.count(name) for name in ("durable", "repeated", "conflict")},
        "n_refused": len(reading.refused),
    }
    if reading.refused:
        content["refused"] = [
            {"index": n, "faults": found} for n, found in reading.refused[:_MOST_SHOWN]
        ]
        return (207 if reading.entries else 422), content
    return 200, content


def _events(body: bytes, most: int) -> Sequence[object]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"the body is not valid JSON: {error}") from error
    if isinstance(found, dict) and isinstance(found.get("events"), list):
        found = found["events"]
    events = found if isinstance(found, list) else [found]
    if len(events) > most:
        raise Refusal(413, f"the body holds {len(events):,} events; {most:,} are the most")
    return events


def _entry(event: Mapping[str, Any]) -> Entry:
    """The event's line; when it was sent is no part of what a repetition must be equal in."""
    content = {name: value for name, value in event.items() if name != "created_at"}
    try:
        encoded = orjson.dumps(content, option=_FORM)
    except orjson.JSONEncodeError:  # nested deeper than it writes, though not than it reads
        encoded = line(content)
    at = event["created_at"]
    return Entry(
        line=encoded[:-2] + b',"created_at":"' + at.encode() + b'"}\n',
        identity=hash(event["feedback_id"]),
        content=hash(encoded),
    )
