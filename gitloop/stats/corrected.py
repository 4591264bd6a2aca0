"""Rates and means corrected for the judge's mistakes, with the uncertainty of that correction.

The share that a judge passes is biased by its sensitivity and specificity, and both are only
estimated. Rogan-Gladen undoes the bias; PPI++ needs no model of it and is often tighter. Neither
is worth more than its calibration rows, and both assume that the judge errs alike everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import DataError
from gitloop.records import Interval
from gitloop.stats.distributions import FloatArray, as_floats, fisher_exact, z_value

if TYPE_CHECKING:
    from collections.abc import Sequence

Count = tuple[int, int]


@dataclass(frozen=True, slots=True)
class CorrectedRate:
    """A pass rate corrected for misclassification.

    Attributes:
        value: In [0, 1]; None when the judge is no better than chance on the calibration rows.
        interval: Of `value`; None when there is none.
        judged_rate: The share that the judge passes; None without judged rows.
        sensitivity: On the calibration rows; None when people pass none.
        specificity: On the calibration rows; None when people fail none.
        reason: Why there is no value, or that it was cut to [0, 1]; "" otherwise.
    """

    value: float | None
    interval: Interval | None
    judged_rate: float | None
    sensitivity: float | None
    specificity: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PoweredMean:
    """A mean of people's scores, helped by a judge's scores of many more rows.

    Attributes:
        value: The PPI++ estimate; None with fewer than two labelled or unlabelled rows.
        interval: Normal, of `value`.
        tuning: Weight of the judge in [0, 1]; 0 ignores it, 1 is plain PPI.
        labelled_mean: Mean of people's scores alone; None without labelled rows.
        n_labelled: Rows with both scores.
        n_unlabelled: Rows with the judge's score only.
        reason: Why there is no value; "" when there is one.
    """

    value: float | None
    interval: Interval | None
    tuning: float | None
    labelled_mean: float | None
    n_labelled: int
    n_unlabelled: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DifferentialErrors:
    """Whether the judge errs differently on two arms, which would bias their difference.

    Attributes:
        p: Bonferroni's combination of the two; None when nothing could be tested.
        p_sensitivity: Fisher's exact two-sided p; None when an arm has no row that people pass.
        p_specificity: The same for rows that people fail.
        sensitivity_gap: Candidate minus baseline; None when untested.
        specificity_gap: Candidate minus baseline; None when untested.
        reason: What could not be tested; "" when both were.
    """

    p: float | None
    p_sensitivity: float | None
    p_specificity: float | None
    sensitivity_gap: float | None
    specificity_gap: float | None
    reason: str = ""


def rogan_gladen(
    judged: Count, sensitivity: Count, specificity: Count, *, level: float = 0.95
) -> CorrectedRate:
    """Return the pass rate that people would give, from the judge's.

    Estimate: Rogan & Gladen 1978. Interval: Lang & Reiczigel 2014, as recommended for LLM judges
    by Lee et al. (arXiv 2511.21140): smoothed rates, and a shift for the ratio's skewness.

    Args:
        judged: (passes by the judge, rows) of the rows to estimate for.
        sensitivity: (judge passes, rows) of calibration rows that people pass.
        specificity: (judge fails, rows) of calibration rows that people fail.
        level: Coverage of the interval.
    """
    for hits, n in (judged, sensitivity, specificity):
        if not 0 <= hits <= n:
            raise DataError(f"{hits} of {n} is not a count")
    rates = [hits / n if n else None for hits, n in (judged, sensitivity, specificity)]
    rate, se, sp = rates
    if rate is None or se is None or sp is None:
        missing = "judged rows" if rate is None else "calibration rows of both labels"
        return CorrectedRate(None, None, rate, se, sp, f"no {missing}")
    youden = se + sp - 1.0
    if youden <= 0.0:
        reason = "the judge is no better than chance on the calibration rows"
        return CorrectedRate(None, None, rate, se, sp, reason)
    raw = (rate + sp - 1.0) / youden
    value = min(1.0, max(0.0, raw))
    reason = "" if value == raw else "the corrected rate left [0, 1] and was cut"
    interval = _lang_reiczigel(judged, sensitivity, specificity, level)
    if interval is None:
        reason = "the smoothed judge is no better than chance: no interval"
    return CorrectedRate(value, interval, rate, se, sp, reason)


def ppi_mean(
    labels: Sequence[float] | FloatArray,
    judged: Sequence[float] | FloatArray,
    unlabelled: Sequence[float] | FloatArray,
    *,
    level: float = 0.95,
) -> PoweredMean:
    """Return the PPI++ estimate of a mean (Angelopoulos, Duchi & Zrnic 2023, arXiv 2311.01453).

    Args:
        labels: People's scores, shape (n,).
        judged: The judge's scores of the same rows, shape (n,).
        unlabelled: The judge's scores of the other rows, shape (m,).
        level: Coverage of the interval.
    """
    truth, own = as_floats(labels, "labels"), as_floats(judged, "judged scores")
    others = as_floats(unlabelled, "unlabelled scores")
    n, m = truth.size, others.size
    if own.size != n:
        raise DataError(f"{n} labels cannot pair with {own.size} judged scores")
    mean = float(truth.mean()) if n else None
    if n < 2 or m < 2 or mean is None:
        reason = "fewer than two labelled or two unlabelled rows"
        return PoweredMean(None, None, None, mean, n, m, reason)
    spread = float(np.concatenate([own, others]).var(ddof=1))
    together = float(np.cov(truth, own)[0, 1])
    tuning = together / ((1.0 + n / m) * spread) if spread > 0.0 else 0.0
    tuning = min(1.0, max(0.0, tuning))
    value = float((truth - tuning * own).mean() + tuning * others.mean())
    rest = float((truth - tuning * own).var(ddof=1)) / n
    variance = rest + tuning**2 * float(others.var(ddof=1)) / m
    if variance <= 1e-24:
        reason = "labels and judge do not vary: no interval"
        return PoweredMean(value, None, tuning, mean, n, m, reason)
    half = z_value(level) * math.sqrt(variance)
    return PoweredMean(
        value, Interval(value - half, value + half, level, "ppi++"), tuning, mean, n, m
    )


def differential_errors(
    baseline: tuple[Count, Count], candidate: tuple[Count, Count]
) -> DifferentialErrors:
    """Return the test that sensitivity and specificity are the same on both arms.

    A corrected difference divides by sensitivity + specificity - 1 of both arms together; if they
    differ, a change of the judge looks like a change of the system.

    Args:
        baseline: ((judge passes, rows people pass), (judge fails, rows people fail)).
        candidate: The same of the candidate's calibration rows.
    """
    p_values: list[float | None] = []
    gaps: list[float | None] = []
    untested = []
    names = ("sensitivity", "specificity")
    for name, first, second in zip(names, baseline, candidate, strict=True):
        if not first[1] or not second[1]:
            p_values.append(None)
            gaps.append(None)
            untested.append(name)
            continue
        p_values.append(fisher_exact(first, second)[2])
        gaps.append(second[0] / second[1] - first[0] / first[1])
    tested = [p for p in p_values if p is not None]
    return DifferentialErrors(
        p=min(1.0, len(tested) * min(tested)) if tested else None,
        p_sensitivity=p_values[0],
        p_specificity=p_values[1],
        sensitivity_gap=gaps[0],
        specificity_gap=gaps[1],
        reason=f"an arm has no rows to test {' and '.join(untested)}" if untested else "",
    )


def _lang_reiczigel(
    judged: Count, sensitivity: Count, specificity: Count, level: float
) -> Interval | None:
    """Return the interval of a corrected rate; None when the smoothed judge is useless."""
    z = z_value(level)
    n, n_se, n_sp = judged[1] + z * z, sensitivity[1] + 2.0, specificity[1] + 2.0
    rate = (judged[0] + z * z / 2.0) / n
    se, sp = (sensitivity[0] + 1.0) / n_se, (specificity[0] + 1.0) / n_sp
    youden = se + sp - 1.0
    if youden <= 0.0:
        return None
    centre = (rate + sp - 1.0) / youden
    noise_se, noise_sp = se * (1.0 - se) / n_se, sp * (1.0 - sp) / n_sp
    shift = 2.0 * z * z * (centre * noise_se - (1.0 - centre) * noise_sp)
    noise = rate * (1.0 - rate) / n + centre**2 * noise_se + (1.0 - centre) ** 2 * noise_sp
    half = z * math.sqrt(noise) / youden
    low, high = (min(1.0, max(0.0, centre + shift + way * half)) for way in (-1.0, 1.0))
    return Interval(low, high, level, "lang-reiczigel")
