"""The paired comparison of a candidate with its baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError, DataError
from gitloop.records import Interval
from gitloop.stats.distributions import (
    FloatArray,
    as_floats,
    binomial_pmf,
    coin_tail,
    group_codes,
    mean_bounds,
    mean_estimate,
)
from gitloop.stats.paired.flips import sign_flip
from gitloop.stats.paired.rates import tango_interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


@dataclass(frozen=True, slots=True)
class PairedResult:
    """A paired comparison of candidate and baseline.

    Attributes:
        n: Pairs.
        n_groups: Independent groups; equal to `n` when pairs are independent.
        n_worse: Pairs in which the candidate scores lower.
        n_better: Pairs in which it scores higher.
        baseline_mean: None when there are no pairs.
        candidate_mean: None when there are no pairs.
        effect: Mean of candidate minus baseline; None when there are no pairs.
        p_worse: One-sided p against "not worse"; None when nothing was tested.
        p_two_sided: Two-sided p against "no difference"; None when nothing was tested.
        interval: Two-sided interval of the effect; None when there are no pairs.
        method: The deciding test, e.g. "mcnemar-exact".
        reason: Why there is no p-value; "" when there is one.
    """

    n: int
    n_groups: int
    n_worse: int
    n_better: int
    baseline_mean: float | None
    candidate_mean: float | None
    effect: float | None
    p_worse: float | None
    p_two_sided: float | None
    interval: Interval | None
    method: str
    reason: str = ""

    @property
    def n_discordant(self) -> int:
        """Pairs that differ: the only ones that carry evidence."""
        return self.n_worse + self.n_better


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether the effect is shown to be above minus the margin.

    Attributes:
        margin: The largest loss that does not matter, > 0.
        lower: Lower bound of the effect's interval; None when there is no interval.
        established: True only when `lower` exceeds minus the margin; no interval is False.
        inferior: True when the whole interval lies below minus the margin.
    """

    margin: float
    lower: float | None
    established: bool
    inferior: bool


def paired_binary(
    baseline: Sequence[float] | FloatArray,
    candidate: Sequence[float] | FloatArray,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    mid_p: bool = False,
) -> PairedResult:
    """Return the paired comparison of pass/fail verdicts.

    Independent pairs: exact McNemar (or its mid-p variant, Fagerland et al. 2013) with Tango's
    interval. Groups of more than one pair: exact flips of whole groups with the CR2 interval.

    Args:
        baseline: Shape (n,), 0 or 1, in row order.
        candidate: Shape (n,), 0 or 1, in the same order.
        groups: One id per pair; pairs that share one are not independent.
        level: Coverage of the interval.
        mid_p: Less conservative, no longer exact.
    """
    before, after = _aligned(baseline, candidate)
    for name, side in (("baseline", before), ("candidate", after)):
        if np.any((side != 0.0) & (side != 1.0)):
            raise DataError(f"the {name} holds verdicts other than 0 and 1")
    if not before.size or (groups is not None and len(set(groups)) < before.size):
        return _flipped(before, after, groups, level, seed=0)
    if groups is not None:
        group_codes(groups, before.size)
    n_worse, n_better = int((after < before).sum()), int((after > before).sum())
    p_worse, p_two_sided = mcnemar(n_worse, n_better, mid_p=mid_p)
    return PairedResult(
        n=before.size,
        n_groups=before.size,
        n_worse=n_worse,
        n_better=n_better,
        baseline_mean=float(before.mean()),
        candidate_mean=float(after.mean()),
        effect=(n_better - n_worse) / before.size,
        p_worse=p_worse,
        p_two_sided=p_two_sided,
        interval=tango_interval(n_worse, n_better, before.size, level=level),
        method="mcnemar-mid-p" if mid_p else "mcnemar-exact",
    )


def paired_graded(
    baseline: Sequence[float] | FloatArray,
    candidate: Sequence[float] | FloatArray,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> PairedResult:
    """Return the paired comparison of graded scores, by sign flips of the differences.

    Args:
        baseline: Shape (n,), in row order, replicates already averaged. Scores lie in [0, 1];
            of anything else (seconds, dollars) the interval is not cut to [-1, 1].
        candidate: Shape (n,), in the same order.
        groups: One id per pair; whole groups are flipped, and the interval is CR2.
        level: Coverage of the interval.
        seed: For the Monte Carlo case only.
    """
    return _flipped(*_aligned(baseline, candidate), groups, level, seed=seed)


def mcnemar(n_worse: int, n_better: int, *, mid_p: bool = False) -> tuple[float, float]:
    """Return (p_worse, p_two_sided) of McNemar's exact test on the discordant pairs.

    Under "no difference" each discordant pair is a fair coin (McNemar 1947); mid-p counts the
    observed table half (Fagerland, Lydersen & Laake 2013). Without discordant pairs both are 1.
    """
    n = n_worse + n_better
    if n == 0:
        return 1.0, 1.0
    worse, better = coin_tail(n_better, n), coin_tail(n_worse, n)
    two_sided = 2.0 * min(worse, better)
    if mid_p:
        observed = binomial_pmf(n_better, n, 0.5)
        worse -= 0.5 * observed
        two_sided -= observed
        if n_worse == n_better:
            two_sided = 1.0
    return worse, min(1.0, two_sided)


def non_inferiority(interval: Interval | None, margin: float) -> NonInferiority:
    """Return whether a loss larger than `margin` is ruled out; no interval rules nothing out."""
    if margin <= 0.0:
        raise ConfigError(f"a non-inferiority margin must be positive, not {margin}")
    if interval is None:
        return NonInferiority(margin, None, established=False, inferior=False)
    return NonInferiority(
        margin, interval.low, established=interval.low > -margin, inferior=interval.high < -margin
    )


def _aligned(
    baseline: Sequence[float] | FloatArray, candidate: Sequence[float] | FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return both sides as arrays of one length."""
    before, after = as_floats(baseline, "baseline"), as_floats(candidate, "candidate")
    if before.size != after.size:
        raise DataError(f"{before.size} baseline rows cannot pair with {after.size} rows")
    return before, after


def _flipped(
    before: FloatArray,
    after: FloatArray,
    groups: Sequence[Hashable] | None,
    level: float,
    *,
    seed: int,
) -> PairedResult:
    """Return the comparison by sign flips, of pairs or of whole groups."""
    n = before.size
    if n == 0:
        none = (None,) * 6
        return PairedResult(0, 0, 0, 0, *none, method="sign-flip-exact", reason="no pairs")
    difference = after - before
    difference[np.abs(difference) <= 1e-12] = 0.0
    sums = difference
    if groups is not None:
        sums = np.bincount(group_codes(groups, n), weights=difference).astype(np.float64)
    flips = sign_flip(sums, seed=seed)
    is_score = bool(np.all(np.abs(difference) <= 1.0))
    support = (-1.0, 1.0) if is_score else (-math.inf, math.inf)
    low, high, method = mean_bounds(mean_estimate(difference, groups), level, support)
    return PairedResult(
        n=n,
        n_groups=sums.size,
        n_worse=int((difference < 0.0).sum()),
        n_better=int((difference > 0.0).sum()),
        baseline_mean=float(before.mean()),
        candidate_mean=float(after.mean()),
        effect=float(difference.mean()),
        p_worse=flips.p_worse,
        p_two_sided=flips.p_two_sided,
        interval=Interval(low, high, level, method),
        method=flips.method,
    )
