"""Times that a host gives, as the stamps that a line holds."""

from __future__ import annotations

from datetime import datetime, timezone

from gitloop.capture.values import Stamp

_UTC = timezone.utc  # noqa: UP017 -- datetime.UTC is the same object under a younger name


def stamped(value: object) -> object:
    """A time, or ISO 8601 text (UTC where it does not say), as its stamp; else the value itself."""
    if isinstance(value, str):
        try:
            return _stamp(datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            return value
    return _stamp(value) if isinstance(value, datetime) else value


def _stamp(value: datetime) -> Stamp:
    aware = value if value.tzinfo else value.replace(tzinfo=_UTC)
    told = aware if aware.tzinfo is _UTC else aware.astimezone(_UTC)
    return Stamp(told.isoformat(timespec="microseconds")[:26] + "Z")  # without its +00:00
