"""Interval estimates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided interval estimate.

    Attributes:
        low: Lower bound, in the unit of the estimate.
        high: Upper bound, never below `low`.
        level: Coverage in (0, 1), usually 0.95.
        method: How it was made, e.g. "wilson".
    """

    low: float
    high: float
    level: float
    method: str
