"""How many times as frequent something is here as elsewhere, with its interval."""

from __future__ import annotations

import math

from gitloop.records import Interval
from gitloop.stats.distributions import z_value


def risk_ratio(
    here: tuple[int, int], elsewhere: tuple[int, int], *, level: float = 0.95
) -> tuple[float, Interval]:
    """Return the ratio of two independent rates and its log interval (Katz et al. 1978).

    Where a count is zero or full, half a case is added to each cell (Walter 1975), so that no
    ratio is infinite and none is certain.

    Args:
        here: Cases and all there are, here.
        elsewhere: The same elsewhere.
        level: Coverage in (0, 1).
    """
    (x1, n1), (x0, n0) = here, elsewhere
    a, m, b, n = float(x1), float(n1), float(x0), float(n0)
    if x1 in (0, n1) or x0 in (0, n0):
        a, m, b, n = a + 0.5, m + 1.0, b + 0.5, n + 1.0
    ratio = (a / m) / (b / n)
    spread = z_value(level) * math.sqrt(1 / a - 1 / m + 1 / b - 1 / n)
    low, high = ratio * math.exp(-spread), ratio * math.exp(spread)
    return round(ratio, 6), Interval(round(low, 6), round(high, 6), level, "katz")
