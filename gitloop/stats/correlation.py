"""Correlation of two scores of the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import DataError
from gitloop.records import Interval
from gitloop.stats.distributions import FloatArray, as_floats, z_value

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation coefficient.

    Attributes:
        name: "pearson" or "spearman".
        value: In [-1, 1]; None when a side does not vary.
        interval: Fisher's z; None with fewer than four rows or a perfect correlation.
        n: Rows.
        reason: Why there is no value or no interval; "" when both are there.
    """

    name: str
    value: float | None
    interval: Interval | None
    n: int
    reason: str = ""


def pearson(
    first: Sequence[float] | FloatArray,
    second: Sequence[float] | FloatArray,
    *,
    level: float = 0.95,
) -> Correlation:
    """Return Pearson's correlation with Fisher's z interval (Fisher 1915)."""
    return _correlate("pearson", _aligned(first, second), level)


def spearman(
    first: Sequence[float] | FloatArray,
    second: Sequence[float] | FloatArray,
    *,
    level: float = 0.95,
) -> Correlation:
    """Return Spearman's rank correlation, ties at mid-rank, interval of Bonett & Wright 2000."""
    left, right = _aligned(first, second)
    return _correlate("spearman", (_ranks(left), _ranks(right)), level)


def _aligned(
    first: Sequence[float] | FloatArray, second: Sequence[float] | FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return both sides as arrays of one length."""
    left, right = as_floats(first, "first scores"), as_floats(second, "second scores")
    if left.size != right.size:
        raise DataError(f"{left.size} scores cannot pair with {right.size}")
    return left, right


def _ranks(values: FloatArray) -> FloatArray:
    """Return the mid-rank of each value, from 1."""
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2.0)[places], dtype=np.float64)


def _correlate(name: str, sides: tuple[FloatArray, FloatArray], level: float) -> Correlation:
    """Return the product-moment correlation of two arrays."""
    n = sides[0].size
    if n < 2:
        return Correlation(name, None, None, n, "fewer than two rows")
    left, right = (side - side.mean() for side in sides)
    scale = math.sqrt(float(left @ left)) * math.sqrt(float(right @ right))
    flat = any(float(np.ptp(side)) == 0.0 for side in sides)
    if flat or scale == 0.0:
        return Correlation(name, None, None, n, "a side does not vary")
    value = min(1.0, max(-1.0, float(left @ right) / scale))
    if n < 4 or abs(value) > 1.0 - 1e-12:
        reason = "fewer than four rows" if n < 4 else "the correlation is perfect"
        return Correlation(name, value, None, n, reason)
    spread = 1.0 if name == "pearson" else 1.0 + value**2 / 2.0
    half = z_value(level) * math.sqrt(spread / (n - 3))
    centre = math.atanh(value)
    interval = Interval(math.tanh(centre - half), math.tanh(centre + half), level, "fisher-z")
    return Correlation(name, value, interval, n)
