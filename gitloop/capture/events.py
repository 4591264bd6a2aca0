"""One feedback event as one line of JSON, and every fault that it can have."""

from __future__ import annotations

import json
import math
import os
from datetime import datetime, timezone

from gitloop.signals import SCORE_SOURCES, SIGNAL_TYPES, WITHOUT_DEFAULT_SOURCE

TYPE_CHECKING = False  # the name that type checkers know, without the cost of importing typing
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypedDict

    class Context(TypedDict, total=False):
        """What may be said about an event beside its signal and its trace."""

        feedback_id: str | None
        span_id: str | None
        session_id: str | None
        prompt_version: str | None
        route: str | None
        user_cohort: str | None
        created_at: datetime | str | None
        metadata: Mapping[str, Any] | None

    class Fields(Context, total=False):
        """Every field of an event."""

        signal_type: str
        trace_id: str | None
        value: float | None
        score_source: str | None
        comment: str | None
        edited_output: str | None


TEXT_FIELDS = (
    "feedback_id", "trace_id", "span_id", "session_id", "prompt_version", "route", "user_cohort",
    "signal_type", "score_source", "comment", "edited_output",
)  # fmt: skip
_KNOWN = frozenset((*TEXT_FIELDS, "signal_class", "value", "created_at", "metadata"))
_MAX_DEPTH = 32
_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, allow_nan=False).encode
_UTC = timezone.utc  # noqa: UP017 -- datetime.UTC is the same object under a younger name


def new_feedback_id() -> str:
    """An id that no other event has, whatever the host, the process and the clock."""
    return f"fb_{os.urandom(16).hex()}"


def complete(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The event with its id, class, time and source filled in, and no empty field.

    Fields that are not part of the table move into `metadata`: nothing is thrown away.
    """
    event: dict[str, Any] = {}
    further: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in _KNOWN:
            further[name] = value
        elif value is not None:
            event[name] = value
    signal = str(event.get("signal_type"))
    if "feedback_id" not in event:
        event["feedback_id"] = new_feedback_id()
    if "created_at" not in event:
        event["created_at"] = datetime.now(_UTC)
    if signal in SIGNAL_TYPES:
        event["signal_class"] = SIGNAL_TYPES[signal]
        if signal not in WITHOUT_DEFAULT_SOURCE:
            event.setdefault("score_source", "human")
    if further:
        metadata = event.get("metadata", {})
        event["metadata"] = {**further, **(metadata if isinstance(metadata, dict) else {})}
    event["created_at"] = _time(event["created_at"])
    return event


def faults(event: Mapping[str, Any]) -> list[str]:
    """Everything that keeps a completed event out of the table, one sentence each; [] if none."""
    found = [
        f"{name} is {type(event[name]).__name__}, not text"
        for name in TEXT_FIELDS
        if name in event and not isinstance(event[name], str)
    ]
    signal = event.get("signal_type")
    if signal is None:
        found.append(f"signal_type is missing; it takes {', '.join(SIGNAL_TYPES)}")
    elif not isinstance(signal, str) or signal not in SIGNAL_TYPES:
        found.append(f"signal_type is {signal!r}; it takes {', '.join(SIGNAL_TYPES)}")
    if event.get("score_source", "human") not in SCORE_SOURCES:
        found.append(
            f"score_source is {event['score_source']!r}; it takes {', '.join(SCORE_SOURCES)}"
        )
    value = event.get("value", 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        found.append(f"value is {value!r}, not a finite number")
    if _parsed(event["created_at"]) is None:
        found.append(f"created_at is {event['created_at']!r}, not an ISO 8601 time")
    if not isinstance(event.get("metadata", {}), dict):
        found.append(f"metadata is {type(event['metadata']).__name__}, not a mapping")
    return found


def line(value: Mapping[str, Any]) -> bytes:
    """The value as a line of UTF-8 JSON with its line break, whatever it holds."""
    try:
        text = _encode(value)
    except (ValueError, TypeError, RecursionError):
        text = json.dumps(_plain(value, 0), ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "replace") + b"\n"


def _plain(value: object, depth: int) -> object:
    """The value as JSON can hold it: what JSON does not know is kept as its text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= _MAX_DEPTH:
        return f"<{type(value).__name__}, nested deeper than {_MAX_DEPTH}>"
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    return _text(value)


def _text(value: object) -> str:
    """The value's text, or its type's name where it has none."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 -- a host's __str__ may do anything, and the event must survive
        return f"<{type(value).__name__}>"


def _time(value: object) -> object:
    """A time as ISO 8601 UTC with microseconds; anything else as it is."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=_UTC)
        told = aware if aware.tzinfo is _UTC else aware.astimezone(_UTC)
        return told.isoformat(timespec="microseconds")[:26] + "Z"  # without its +00:00
    parsed = _parsed(value)
    return value if parsed is None else _time(parsed)


def _parsed(value: object) -> datetime | None:
    """The time in ISO 8601 text, UTC where it does not say; None where there is none."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=_UTC)
    except OverflowError:
        return None
