"""Structures as JSON: what an event's metadata holds, and what no encoder takes."""

from __future__ import annotations

import json
import math

_MAX_DEPTH = 32
encoded = json.JSONEncoder(ensure_ascii=False, sort_keys=True, allow_nan=False).encode
"""The value as JSON with sorted keys; raises where JSON cannot hold it."""


def saved(value: object) -> str:
    """The value as JSON, whatever it holds: what JSON does not know is kept as its text."""
    return json.dumps(_plain(value, 0), ensure_ascii=False, sort_keys=True)


def _plain(value: object, depth: int) -> object:
    """The value as JSON can hold it."""
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
