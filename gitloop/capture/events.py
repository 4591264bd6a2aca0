"""One feedback event as one line of JSON, and every fault that it can have.

A host application imports this at every start and records while its users wait, so that what only
some events need loads with the first of them: the clock's calendar with a `created_at`
(`capture/times.py`), JSON with a structure (`capture/structures.py`).
"""

from __future__ import annotations

import os
import time

from gitloop.capture.values import Stamp
from gitloop.signals import SCORE_SOURCES, SIGNAL_TYPES, WITHOUT_DEFAULT_SOURCE

TYPE_CHECKING = False  # the name that type checkers know, without the cost of importing typing
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
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
_NAMES = {name: f'"{name}"' for name in _KNOWN}
_LARGEST = 1.7976931348623157e308  # of a double: an integer beyond it has no finite float
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", '"': '\\"', "\\": "\\\\"}
_ESCAPES = {number: f"\\u{number:04x}" for number in range(0x20)}
_ESCAPES |= {ord(character): escaped for character, escaped in _SHORT.items()}
"""What JSON text may not hold as it is (RFC 8259, section 7)."""

_second = (-1, "")  # the last second that was asked for, and its text


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
    if signal in SIGNAL_TYPES:
        event["signal_class"] = SIGNAL_TYPES[signal]
        if signal not in WITHOUT_DEFAULT_SOURCE:
            event.setdefault("score_source", "human")
    if further:
        metadata = event.get("metadata", {})
        event["metadata"] = {**further, **(metadata if isinstance(metadata, dict) else {})}
    event["created_at"] = _stamp(event["created_at"]) if "created_at" in event else _now()
    return event


def faults(event: Mapping[str, Any]) -> list[str]:
    """Everything that keeps a completed event out of the table, one sentence each; [] if none."""
    found = [
        f"{name} is {type(event[name]).__name__}, not text"
        for name in TEXT_FIELDS
        if not isinstance(event.get(name, ""), str)
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
    if isinstance(value, bool) or not (
        isinstance(value, int | float) and -_LARGEST <= value <= _LARGEST
    ):
        found.append(f"value is {value!r}, not a finite number")
    if not isinstance(event["created_at"], Stamp):
        found.append(f"created_at is {event['created_at']!r}, not an ISO 8601 time")
    if not isinstance(event.get("metadata", {}), dict):
        found.append(f"metadata is {type(event['metadata']).__name__}, not a mapping")
    return found


def line(value: Mapping[str, Any]) -> bytes:
    """The value as a line of UTF-8 JSON with its line break, whatever it holds.

    Equal to what `json.dumps` with sorted keys gives, in a third of the time for an event that is
    made of texts and numbers.
    """
    try:
        members = [
            f"{_NAMES.get(name) or _quoted(name)}: {_member(value[name])}" for name in sorted(value)
        ]
    except Exception:  # noqa: BLE001 -- what a host puts in may raise anything, and must survive
        from gitloop.capture.structures import saved

        return saved(value).encode("utf-8", "replace") + b"\n"
    return f"{{{', '.join(members)}}}\n".encode("utf-8", "replace")


def _member(item: object) -> str:
    """A value as JSON; what json.dumps refuses, it refuses too."""
    if isinstance(item, str):
        is_plain = item.isprintable() and '"' not in item and "\\" not in item
        return f'"{item}"' if is_plain else _quoted(item)
    if (type(item) is float or type(item) is int) and -_LARGEST <= item <= _LARGEST:
        return repr(item)
    from gitloop.capture.structures import encoded

    return encoded(item)


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _now() -> Stamp:
    """The time; the text of its second is kept, since many events may fall into one."""
    global _second  # noqa: PLW0603 -- replaced whole: threads see the old pair or the new one
    second, rest = divmod(time.time_ns(), 10**9)
    known = _second
    if known[0] != second:
        known = _second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
    return Stamp(f"{known[1]}.{rest // 1000:06d}Z")


def _stamp(value: object) -> object:
    """A time as its stamp; anything else as it is."""
    from gitloop.capture.times import stamped

    return stamped(value)
