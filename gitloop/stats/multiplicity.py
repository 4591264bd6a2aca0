"""Adjusted p-values, so that many checks do not mean many false alarms.

With 120 one-sided checks at .025 a harmless change is blocked 95 % of the time. Holm's correction
bounds the chance of one false alarm; Benjamini and Hochberg's bounds the share of false alarms.
An untested check (None or NaN) keeps its place, gets no adjusted p, and is not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitloop.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Adjusted:
    """One p-value within its family.

    Attributes:
        p: As it came in; None when nothing was tested.
        p_adjusted: Compare this with alpha (Holm) or q (BH); None when nothing was tested.
        rejected: Whether it is at or below the family's bound; False when nothing was tested.
    """

    p: float | None
    p_adjusted: float | None
    rejected: bool


@dataclass(frozen=True, slots=True)
class Family:
    """A family of tests that share one correction.

    Attributes:
        method: "holm" or "bh".
        bound: alpha for Holm, q for BH.
        n_tests: Tests that have a p-value.
        members: One per p-value, in the order given.
    """

    method: str
    bound: float
    n_tests: int
    members: tuple[Adjusted, ...]


@dataclass(frozen=True, slots=True)
class Gatekeeping:
    """Rubric-level checks under Holm and slice-level checks under BH.

    Attributes:
        gates: The checks that decide about the whole; strong control of the family-wise error.
        cells: The checks per cohort and route; control of the false discovery rate.
    """

    gates: Family
    cells: Family


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return Holm's step-down adjusted p-values, in input order (Holm 1979)."""
    order = _tested(p_values)
    adjusted: dict[int, float] = {}
    running = 0.0
    for rank, (p, index) in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p))
        adjusted[index] = running
    return tuple(adjusted.get(index) for index in range(len(p_values)))


def benjamini_hochberg(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return BH step-up adjusted p-values, in input order (Benjamini & Hochberg 1995)."""
    order = _tested(p_values)
    adjusted: dict[int, float] = {}
    running = 1.0
    for rank, (p, index) in reversed(list(enumerate(order, 1))):
        running = min(running, p * len(order) / rank)
        adjusted[index] = running
    return tuple(adjusted.get(index) for index in range(len(p_values)))


def family(p_values: Sequence[float | None], method: str, bound: float) -> Family:
    """Return the decisions of one family.

    Args:
        p_values: One per check; None or NaN where nothing was tested.
        method: "holm" or "bh".
        bound: alpha for Holm, q for BH, in (0, 1).
    """
    adjust = {"holm": holm, "bh": benjamini_hochberg}[method]
    members = tuple(
        Adjusted(p if q is not None else None, q, q is not None and q <= bound)
        for p, q in zip(p_values, adjust(p_values), strict=True)
    )
    return Family(method, bound, sum(m.p is not None for m in members), members)


def gatekeep(
    gates: Sequence[float | None],
    cells: Sequence[float | None],
    *,
    alpha: float = 0.05,
    q: float = 0.1,
) -> Gatekeeping:
    """Return Holm's decisions on the gates and, as a family of their own, BH's on the cells.

    The cells are tested whatever the gates say: a gain on average must not hide a cohort's loss.

    Args:
        gates: p-values of the rubric-level checks.
        cells: p-values of the cohort- and route-level checks.
        alpha: Family-wise error rate over the gates.
        q: False discovery rate over the cells.
    """
    return Gatekeeping(family(gates, "holm", alpha), family(cells, "bh", q))


def spend(alpha: float, number: int) -> float:
    """Return the level of the nth look at one holdout; the levels of all looks add up to alpha.

    Spends alpha · 6 / (π² n²): a first look keeps three fifths, and no number of later ones can
    make a false alarm likelier than alpha in all.

    Args:
        alpha: The level over all looks, (0, 1).
        number: From 1.
    """
    return round(alpha * 6.0 / (math.pi**2 * number**2), 12)


def _tested(p_values: Sequence[float | None]) -> list[tuple[float, int]]:
    """Return the (p, index) pairs that were tested, smallest first, ties in input order."""
    tested = [(p, i) for i, p in enumerate(p_values) if p is not None and not math.isnan(p)]
    for p, _ in tested:
        if not 0.0 <= p <= 1.0:
            raise DataError(f"{p} is not a p-value")
    return sorted(tested)
