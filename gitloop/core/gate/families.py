"""Two families of tests and one promise: a change that changes nothing blocks at most alpha often.

Rubric-level deltas are corrected by Holm, slices by Benjamini and Hochberg. Either alone would
keep its own promise; together they would not. So the whole question "is anything worse?" is asked
first, at alpha, by Holm over the two families: the rubrics' smallest Holm p, and the slices'
smallest Benjamini-Hochberg p, which is Simes' test of "no slice is worse" (Simes 1986). Only when
the answer is yes are slices named, at their false discovery rate. One family that shows a loss
hands its share of alpha to the other (Wiens & Dmitrienko 2005, the fallback procedure).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitloop.stats.multiplicity import benjamini_hochberg, holm


@dataclass(frozen=True, slots=True)
class Tested:
    """One p-value after both corrections.

    Attributes:
        p: As it came in; None when nothing was tested.
        p_adjusted: To be compared with the family's bound; None when nothing was tested.
        rejected: Whether "not worse" is rejected.
    """

    p: float | None
    p_adjusted: float | None
    rejected: bool


@dataclass(frozen=True, slots=True)
class Families:
    """Every test of a gate.

    Attributes:
        gates: One per rubric, in the order given; p_adjusted goes with alpha.
        cells: One per slice, in the order given; p_adjusted goes with cell_alpha.
        gate_level: Unadjusted level that the first rubric has to meet: alpha, its family's share
            and Holm's divisor together. What a detectable loss is computed for.
        cell_level: The same for the first slice.
    """

    gates: tuple[Tested, ...]
    cells: tuple[Tested, ...]
    gate_level: float
    cell_level: float


def families(
    gates: Sequence[float | None],
    cells: Sequence[float | None],
    *,
    alpha: float,
    cell_alpha: float,
) -> Families:
    """The decisions on all tests together.

    Args:
        gates: One-sided p per rubric; None where nothing was tested.
        cells: One-sided p per slice.
        alpha: Chance that a harmless change is blocked at all, over both families.
        cell_alpha: False discovery rate among the slices that are named.
    """
    by_holm, by_bh = holm(gates), benjamini_hochberg(cells)
    n_gates = sum(p is not None for p in by_holm)
    n_cells = sum(p is not None for p in by_bh)
    share = alpha / 2 if n_gates and n_cells else alpha
    is_cell_worse = _least(by_bh) <= share
    factor = alpha / (alpha if is_cell_worse else share)
    adjusted = [None if p is None else min(1.0, p * factor) for p in by_holm]
    is_gate_worse = _least(adjusted) <= alpha
    is_open = is_cell_worse or is_gate_worse
    return Families(
        gates=tuple(
            Tested(p, q, q is not None and q <= alpha) for p, q in zip(gates, adjusted, strict=True)
        ),
        cells=tuple(
            Tested(p, q, is_open and q is not None and q <= cell_alpha)
            for p, q in zip(cells, by_bh, strict=True)
        ),
        gate_level=share / max(1, n_gates),
        cell_level=min(share, cell_alpha) / max(1, n_cells),
    )


def _least(p_values: Sequence[float | None]) -> float:
    return min((p for p in p_values if p is not None), default=2.0)
