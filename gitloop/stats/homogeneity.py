"""Whether judgements of the same rows are distributed alike, and whether one stands alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import DataError
from gitloop.stats.distributions import binomial_sf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitloop.stats.distributions import FloatArray


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """The Stuart-Maxwell test that two judgements use the categories equally often.

    Attributes:
        statistic: Chi-squared, ≥ 0.
        df: Degrees of freedom; 0 where nothing is discordant.
        p: Two-sided; 1 where nothing is discordant.
    """

    statistic: float
    df: int
    p: float


@dataclass(frozen=True, slots=True)
class OddOneOut:
    """How often the first of three judgements stands alone against two that agree.

    Attributes:
        n_first: Rows on which the first differs and the other two agree.
        n_split: Rows on which exactly two of the three agree.
        p: One-sided, exact: under "all three are draws of one judge" it is each one's turn equally
            often, so `n_first` is binomial with a third.
    """

    n_first: int
    n_split: int
    p: float


def stuart_maxwell(table: Sequence[Sequence[float]] | FloatArray) -> Homogeneity:
    """Return the Stuart-Maxwell test of marginal homogeneity (Stuart 1955, Maxwell 1970).

    With two categories it is McNemar's test without continuity correction.

    Args:
        table: Rows per (first judgement, second judgement), square.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise DataError(f"a table of two judgements is square, not {counts.shape}")
    gaps = counts.sum(axis=1) - counts.sum(axis=0)
    spread = np.diag(counts.sum(axis=1) + counts.sum(axis=0)) - counts - counts.T
    df = int(np.linalg.matrix_rank(spread))
    if not df:
        return Homogeneity(0.0, 0, 1.0)
    statistic = float(gaps @ np.linalg.pinv(spread, hermitian=True) @ gaps)
    return Homogeneity(statistic, df, chi_squared_sf(statistic, df))


def odd_one_out(
    first: Sequence[object], second: Sequence[object], third: Sequence[object]
) -> OddOneOut:
    """Return the exact test that a first judgement is a draw like the two that came later.

    A judge at temperature 0 still changes its mind. Two later draws measure how often; only a
    first one that stands alone more often than its share says that the judge is another.

    Args:
        first: One judgement per row.
        second: The same rows, judged later.
        third: The same rows, judged later once more.
    """
    alone = [
        later == again != then for then, later, again in zip(first, second, third, strict=True)
    ]
    split = [
        len({then, later, again}) == 2
        for then, later, again in zip(first, second, third, strict=True)
    ]
    n_first, n_split = sum(alone), sum(split)
    p = binomial_sf(n_first - 1, n_split, 1.0 / 3.0) if n_first else 1.0
    return OddOneOut(n_first, n_split, min(1.0, p))


def chi_squared_sf(x: float, df: int) -> float:
    """Return P(X > x) of the chi-squared distribution, by its recurrence over df."""
    half = x / 2.0
    if half <= 0.0:
        return 1.0
    tail = math.erfc(math.sqrt(half)) if df % 2 else math.exp(-half)
    for lower in range(2 - df % 2, df, 2):
        tail += math.exp(lower / 2.0 * math.log(half) - half - math.lgamma(lower / 2.0 + 1.0))
    return min(1.0, tail)
