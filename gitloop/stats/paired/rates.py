"""Intervals of the difference of two rates that were measured on the same rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gitloop.errors import DataError
from gitloop.records import Interval
from gitloop.stats.distributions import wilson_bounds, z_value

if TYPE_CHECKING:
    from collections.abc import Callable


def tango_interval(n_worse: int, n_better: int, n: int, *, level: float = 0.95) -> Interval:
    """Return Tango's score interval of candidate minus baseline rate (Tango 1998).

    It inverts the score test, so it has a width even when no pair is discordant.
    """
    if min(n_worse, n_better) < 0 or n_worse + n_better > n:
        raise DataError(f"{n_worse} worse and {n_better} better of {n} is not a table")
    if n == 0:
        return Interval(-1.0, 1.0, level, "tango")
    z = z_value(level)
    effect = (n_better - n_worse) / n

    def score(delta: float) -> float:
        linear = 2 * n * delta - n_better - n_worse - (n_better - n_worse) * delta
        constant = -n_worse * delta * (1.0 - delta)
        root = math.sqrt(max(0.0, linear * linear - 8.0 * n * constant))
        worse = (root - linear) / (4.0 * n)
        variance = n * (2.0 * worse + delta * (1.0 - delta))
        gap = n_better - n_worse - n * delta
        return gap / math.sqrt(variance) if variance > 0.0 else math.copysign(math.inf, gap)

    low = _bisect(lambda delta: score(delta) >= z, -1.0, effect)
    high = _bisect(lambda delta: score(delta) > -z, effect, 1.0)
    return Interval(low, high, level, "tango")


def newcombe_paired_interval(
    both: int, n_worse: int, n_better: int, neither: int, *, level: float = 0.95
) -> Interval:
    """Return Newcombe's square-and-add interval of candidate minus baseline rate.

    Method 10 of Newcombe 1998 (Statistics in Medicine 17:2635), with his continuity-corrected
    phi.

    Args:
        both: Pairs that pass on both sides.
        n_worse: Pairs that pass on the baseline only.
        n_better: Pairs that pass on the candidate only.
        neither: Pairs that fail on both sides.
        level: Coverage in (0, 1).
    """
    n = both + n_worse + n_better + neither
    if n == 0:
        return Interval(-1.0, 1.0, level, "newcombe-paired")
    z = z_value(level)
    passes = both + n_better, both + n_worse
    (low_1, high_1), (low_2, high_2) = (wilson_bounds(x, n, z) for x in passes)
    rate_1, rate_2 = passes[0] / n, passes[1] / n
    margins = passes[0] * passes[1] * (n - passes[0]) * (n - passes[1])
    cross = float(both * neither - n_worse * n_better)
    if cross > 0.0:
        cross = max(0.0, cross - n / 2.0)
    phi = cross / math.sqrt(margins) if margins else 0.0
    down = _square_and_add(rate_1 - low_1, high_2 - rate_2, phi)
    up = _square_and_add(high_1 - rate_1, rate_2 - low_2, phi)
    effect = rate_1 - rate_2
    return Interval(effect - down, effect + up, level, "newcombe-paired")


def _square_and_add(first: float, second: float, phi: float) -> float:
    """Return the combined half width of two correlated rates' half widths."""
    return math.sqrt(max(0.0, first**2 - 2.0 * phi * first * second + second**2))


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Return the point up to which a condition holds that holds at `low` and not at `high`."""
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return 0.5 * (low + high)
