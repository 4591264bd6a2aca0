"""Records as JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

_DIGITS = 9


def as_json(value: Any) -> Any:  # noqa: ANN401 -- JSON holds anything
    """The value as JSON values: floats to nine digits, NaN and infinity null, records objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float):
        rounded = float(f"{value:.{_DIGITS}g}")
        return (rounded or 0.0) if math.isfinite(rounded) else None
    return value
