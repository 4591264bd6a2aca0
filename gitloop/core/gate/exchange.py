"""One candidate run among several baseline runs: is it the odd one out?

If nothing changed, the candidate is one more draw of the same application: in each row (or group)
any of the K + 1 runs could as well have been the candidate. The sum of the candidate's verdicts
then has a known distribution, which is summed exactly. With one baseline run this is McNemar's
test, or the sign-flip test; with several, averaging the baseline and flipping signs would not do:
a candidate's verdict is 0 or 1, an average is neither, and their difference is skewed.
(Permutation within blocks: Pitman 1938; Good 2005, Permutation Tests, §6.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gitloop.stats.distributions import normal_cdf

FloatArray = npt.NDArray[np.float64]

N_DRAWS = 20_000
ASYMPTOTIC_UNITS = 2_000  # from here the normal approximation errs less than the draws
_WORK = 100_000_000  # cells that the exact sum may touch
_DENOMINATORS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 100, 1000)
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Permuted:
    """The verdict of the permutation.

    Attributes:
        p_worse: Chance of a candidate sum as low as this one.
        p_two_sided: Twice the smaller tail, at most 1.
        least: Smallest p_worse that these rows could have given at all.
        method: "run-permutation-exact", "-monte-carlo" or "-normal".
    """

    p_worse: float
    p_two_sided: float
    least: float
    method: str


def permute_runs(runs: FloatArray, codes: list[int] | None, *, seed: int) -> Permuted:
    """The test that the candidate is one more of the baseline's runs.

    Args:
        runs: Shape (n rows, K + 1): the candidate's verdicts or scores in column 0, then those of
            the baseline's runs; NaN where a run does not have the row.
        codes: Group of each row, or None; the runs of a group are permuted together.
        seed: For the Monte Carlo case only.
    """
    present = ~np.isnan(runs)
    counts = present.sum(axis=1, keepdims=True)
    centre = np.nansum(runs, axis=1, keepdims=True) / counts
    deviations = np.where(present, runs - centre, 0.0)
    if codes is not None:
        index = np.asarray(codes) - min(codes)
        grouped = np.zeros((int(index.max()) + 1, runs.shape[1]))
        np.add.at(grouped, index, deviations)
        there = np.zeros(grouped.shape, dtype=np.int64)
        np.add.at(there, index, present.astype(np.int64))
        kept = there.sum(axis=1) > 0
        deviations, present = grouped[kept], there[kept] > 0
    values = np.where(present, deviations, np.inf)
    values = values - values.min(axis=1, keepdims=True)
    values[np.abs(values) < _TIE] = 0.0
    moves = np.where(present, values, 0.0).max(axis=1) > 0.0
    values, present = values[moves], present[moves]
    if not values.shape[0]:
        return Permuted(1.0, 1.0, 1.0, "run-permutation-exact")
    options = present.sum(axis=1)
    least = float(np.exp(np.log((values == 0.0).sum(axis=1) / options).sum()))
    lower, upper, method = _tails(values, present, seed)
    return Permuted(lower, min(1.0, 2.0 * min(lower, upper)), least, method)


def _tails(
    values: FloatArray, present: npt.NDArray[np.bool_], seed: int
) -> tuple[float, float, str]:
    """(P(sum ≤ observed), P(sum ≥ observed), method)."""
    steps = _lattice(values, present)
    if steps is not None:
        total = int(np.where(present, steps, 0).max(axis=1).sum())
        if values.size * total <= _WORK:
            chances = _exact(steps, present, total)
            at = int(steps[:, 0].sum())
            lower, upper = float(chances[: at + 1].sum()), float(chances[at:].sum())
            return min(1.0, lower), min(1.0, upper), "run-permutation-exact"
    observed = float(values[:, 0].sum())
    if values.shape[0] > ASYMPTOTIC_UNITS:
        finite = np.where(present, values, 0.0)
        n = present.sum(axis=1)
        mean = finite.sum(axis=1) / n
        variance = (np.where(present, (values - mean[:, None]) ** 2, 0.0).sum(axis=1) / n).sum()
        z = (observed - float(mean.sum())) / math.sqrt(float(variance))
        return normal_cdf(z), normal_cdf(-z), "run-permutation-normal"
    return _drawn(values, present, observed, seed)


def _lattice(values: FloatArray, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64] | None:
    """The values as whole multiples of a common step, or None if they have none."""
    finite = np.where(present, values, 0.0)
    for denominator in _DENOMINATORS:
        scaled = finite * denominator
        whole = np.rint(scaled)
        if float(np.abs(scaled - whole).max()) < 1e-6:
            return np.asarray(whole, dtype=np.int64)
    return None


def _exact(steps: npt.NDArray[np.int64], present: npt.NDArray[np.bool_], total: int) -> FloatArray:
    """The chance of every sum, shape (total + 1,)."""
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    reach = 0
    for row, there in zip(steps, present, strict=True):
        sizes, counts = np.unique(row[there], return_counts=True)
        now = chances[: reach + 1].copy()
        top = int(sizes[-1])
        chances[: reach + top + 1] = 0.0
        for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
            chances[size : size + reach + 1] += now * (count / int(there.sum()))
        reach += top
    return chances


def _drawn(
    values: FloatArray, present: npt.NDArray[np.bool_], observed: float, seed: int
) -> tuple[float, float, str]:
    """The tails by seeded draws; the observed choice counts as one more draw."""
    generator = np.random.default_rng(seed)
    options = present.sum(axis=1)
    packed = np.sort(np.where(present, values, np.inf), axis=1)
    slack = _TIE * max(1.0, abs(observed))
    lower = upper = 1
    rows = np.arange(values.shape[0])
    for _ in range(N_DRAWS):
        picks = (generator.random(values.shape[0]) * options).astype(np.int64)
        drawn = float(packed[rows, picks].sum())
        lower += drawn <= observed + slack
        upper += drawn >= observed - slack
    total = N_DRAWS + 1
    return lower / total, upper / total, "run-permutation-monte-carlo"
