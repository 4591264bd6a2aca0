"""Single values of foreign files as the types of our tables, or the words for what is wrong.

Text columns take any scalar as its text and any structure as its JSON, because ids are numbers in
half of all exports. Numbers, times and closed sets are strict.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from gitloop.signals import SCORE_SOURCES, SIGNAL_TYPES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_S = 4102444800  # 2100-01-01: larger numbers are milli-, micro- or nanoseconds
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS

STATUSES = {
    "ok": "ok", "unset": "ok", "success": "ok", "succeeded": "ok", "default": "ok",
    "error": "error", "failure": "error", "failed": "error",
}  # fmt: skip
SOURCES = {
    **{name: name for name in SCORE_SOURCES},
    "annotation": "human", "user": "human",
    "llm": "auto_grader", "code": "auto_grader", "eval": "auto_grader", "judge": "auto_grader",
}  # fmt: skip
SIGNALS = {name: name for name in SIGNAL_TYPES}
_WORDS = {"status": STATUSES, "score_source": SOURCES, "signal_type": SIGNALS}


class CellError(ValueError):
    """A value that its column cannot take; the message continues "column is …"."""


def json_text(value: Any) -> str:  # noqa: ANN401 -- JSON holds anything
    """The value as JSON with sorted keys; what JSON does not know becomes its text."""
    try:
        return orjson.dumps(value, default=str, option=_SORTED).decode()
    except orjson.JSONEncodeError as error:
        raise CellError(f"nested too deep, or no JSON: {error}") from error


def text(value: Any) -> str:  # noqa: ANN401 -- foreign data
    """The value as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return iso(value)
    return json_text(value)


def iso(value: datetime) -> str:
    """The time as ISO 8601 UTC with microseconds."""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def number(value: Any) -> float:  # noqa: ANN401 -- foreign data
    """The value as a finite float."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise CellError(f"{_shown(value)}, not a number")
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise CellError(f"{_shown(value)}, not a number") from None
    if not math.isfinite(found):
        raise CellError(f"{_shown(value)}, not a finite number")
    return found


def amount(value: Any) -> float:  # noqa: ANN401 -- foreign data
    """The value as a finite float that is not negative."""
    found = number(value)
    if found < 0:
        raise CellError(f"{_shown(value)}, which is negative")
    return found


def count(value: Any) -> int:  # noqa: ANN401 -- foreign data
    """The value as a whole number that is not negative."""
    if type(value) is int and 0 <= value < 2**63:
        return value  # beyond 2**53 a float would not be exact
    found = amount(value)
    if found != int(found) or found >= 2**63:
        raise CellError(f"{_shown(value)}, not a whole number")
    return int(found)


def time(value: Any) -> datetime:  # noqa: ANN401 -- foreign data
    """The value as a UTC time: ISO 8601 text (UTC where it does not say), or time since 1970.

    Numbers are seconds up to the year 2100, else milli-, micro- or nanoseconds, by their size.
    """
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str) and not value.isdecimal():
        try:
            parsed = datetime.fromisoformat(value.strip())
            if parsed.tzinfo is UTC:
                return parsed
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise CellError(f"{_shown(value)}, not an ISO 8601 time") from None
    return since_epoch(value)


def since_epoch(value: Any) -> datetime:  # noqa: ANN401 -- foreign data
    """The UTC time of a number of seconds, milli-, micro- or nanoseconds since 1970."""
    try:
        found = int(value) if isinstance(value, str) else value
        is_number = isinstance(found, int | float) and math.isfinite(found)
    except (ValueError, OverflowError):  # letters, thousands of digits
        is_number = False
    if isinstance(value, bool) or not is_number:
        raise CellError(f"{_shown(value)}, not a time")
    if found < 0:
        raise CellError(f"{_shown(value)}, a time before 1970")
    per_second = 1
    while found / per_second > _LATEST_S and per_second < 10**9:
        per_second *= 1000
    if found / per_second > _LATEST_S:
        raise CellError(f"{_shown(value)}, a time after 2100")
    if isinstance(found, int):
        return _EPOCH + timedelta(microseconds=found * 10**6 // per_second)
    return _EPOCH + timedelta(seconds=found / per_second)


def word(column: str, value: Any) -> str:  # noqa: ANN401 -- foreign data
    """The value as one of the words that the column takes."""
    known = _WORDS[column]
    found = known.get(text(value).strip().lower().replace("-", "_").replace(" ", "_"))
    if found is None:
        takes = ", ".join(dict.fromkeys(known.values()))
        raise CellError(f"{_shown(value)}; it takes {takes}")
    return found


def mapping(value: Any) -> dict[str, Any] | None:  # noqa: ANN401 -- foreign data
    """The value as a dict, parsed where it is the JSON text of one; None where it is neither."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, dict) else None


def objects_in(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 -- foreign data
    """The dicts in a list; nothing where there is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _shown(value: Any) -> str:  # noqa: ANN401 -- foreign data
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
