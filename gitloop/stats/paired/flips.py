"""The sign-flip permutation test of a sum of differences.

Under "no difference" each independent unit's difference is as likely to be minus itself (Fisher
1935, The Design of Experiments, §21). The distribution of the sum is computed exactly where that
is affordable, and that is nearly always: scores with few decimals lie on a lattice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from gitloop.stats.distributions import FloatArray, IntArray, as_floats, normal_cdf

if TYPE_CHECKING:
    from collections.abc import Sequence

N_MONTE_CARLO = 20_000  # flips drawn when neither lattice nor enumeration is affordable
EXACT_UNITS = 32  # non-zero differences enumerated, as two halves of 2^16
ASYMPTOTIC_UNITS = 2_000  # from here the expansion errs less than the draws
_LATTICE_WORK = 100_000_000  # cells that the exact lattice sum may touch, about 0.1 s
_DENOMINATORS = tuple(sorted({c * 10**k for c in (1, 2, 3, 4, 6, 7, 8, 9) for k in range(5)}))
_FLUSH_EVERY, _FLUSH_BELOW = 64, 1e-280  # keeps slow denormal numbers out of the lattice sum
_CHUNK_BITS = 4_000_000  # coin flips held at a time
_TIE = 1e-9  # two sums closer than this share of the largest sum are equal


@dataclass(frozen=True, slots=True)
class SignFlip:
    """The sign-flip distribution's verdict on a sum of differences.

    Attributes:
        p_worse: P(sum <= observed) when every sign is a fair coin.
        p_two_sided: P(|sum| >= |observed|).
        method: "sign-flip-exact", "sign-flip-monte-carlo" or "sign-flip-edgeworth".
    """

    p_worse: float
    p_two_sided: float
    method: str


def sign_flip(sums: Sequence[float] | FloatArray, *, seed: int = 0) -> SignFlip:
    """Return the sign-flip test of a sum of independent differences (Fisher 1935, §21).

    Exact when the differences lie on a common lattice (scores with few decimals do), or are few;
    seeded Monte Carlo otherwise, counting the observed flip; Edgeworth's expansion for thousands.

    Args:
        sums: Shape (n,): one difference per pair, or one sum of differences per group.
        seed: For the Monte Carlo case only.
    """
    units = as_floats(sums, "differences")
    units = units[np.abs(units) > 1e-12]  # a zero does not move when flipped
    if not units.size:
        return SignFlip(1.0, 1.0, "sign-flip-exact")
    lattice = _lattice(units)
    if lattice is not None and lattice.size * int(np.abs(lattice).sum()) <= _LATTICE_WORK:
        return _exact_lattice(lattice)
    if units.size <= EXACT_UNITS:
        return _exact_halves(units)
    if units.size <= ASYMPTOTIC_UNITS:
        return _monte_carlo(units, seed)
    return _edgeworth(units)


def _lattice(units: FloatArray) -> IntArray | None:
    """Return the differences as whole multiples of their common step; None if they have none."""
    for denominator in _DENOMINATORS:
        scaled = units * denominator
        whole = np.rint(scaled)
        if float(np.abs(scaled - whole).max()) < 1e-6 and whole.all():
            steps = whole.astype(np.int64)
            return np.asarray(steps // reduce(math.gcd, np.abs(steps).tolist()), dtype=np.int64)
    return None


def _exact_lattice(steps: IntArray) -> SignFlip:
    """Return the exact test on integers: the sum of the positive signs has a distribution."""
    sizes = np.sort(np.abs(steps))
    total, observed = int(sizes.sum()), int(steps.sum())
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    reach = 0
    for at, size in enumerate(sizes.tolist(), 1):
        chances[: reach + 1] *= 0.5
        moved = chances[: reach + 1].copy()
        chances[size : reach + size + 1] += moved
        reach += size
        if at % _FLUSH_EVERY == 0:
            head = chances[: reach + 1]
            head[head < _FLUSH_BELOW] = 0.0
    # sum = 2 * positives - total, so sum <= observed at positives <= (observed + total) / 2
    worse = float(chances[: (observed + total) // 2 + 1].sum())
    tail = float(chances[: (total - abs(observed)) // 2 + 1].sum())
    two_sided = 1.0 if observed == 0 else 2.0 * tail
    return SignFlip(min(1.0, worse), min(1.0, two_sided), "sign-flip-exact")


def _exact_halves(units: FloatArray) -> SignFlip:
    """Return the exact test by enumeration: every sum is one of each half's sums."""
    middle = units.size // 2
    left, right = _all_sums(units[:middle]), np.sort(_all_sums(units[middle:]))
    observed = float(units.sum())
    slack = _TIE * float(np.abs(units).sum())
    flips = left.size * right.size
    worse = int(np.searchsorted(right, observed + slack - left, side="right").sum())
    tail = int(np.searchsorted(right, -abs(observed) + slack - left, side="right").sum())
    two_sided = 1.0 if abs(observed) <= slack else 2.0 * tail / flips
    return SignFlip(worse / flips, min(1.0, two_sided), "sign-flip-exact")


def _all_sums(units: FloatArray) -> FloatArray:
    """Return the sums under every choice of signs, shape (2^n,)."""
    sums = np.zeros(1)
    for unit in units.tolist():
        sums = np.concatenate([sums - unit, sums + unit])
    return sums


def _monte_carlo(units: FloatArray, seed: int) -> SignFlip:
    """Return the test by seeded draws; the observed signs count as one more draw."""
    generator = np.random.default_rng(seed)
    observed = float(units.sum())
    slack = _TIE * float(np.abs(units).sum())
    worse = extreme = 1
    step = max(1, _CHUNK_BITS // units.size)
    for start in range(0, N_MONTE_CARLO, step):
        draws = min(step, N_MONTE_CARLO - start)
        coins = np.frombuffer(generator.bytes(draws * (-(-units.size // 8))), dtype=np.uint8)
        heads = np.unpackbits(coins.reshape(draws, -1), axis=1, count=units.size)
        sums = 2.0 * (heads @ units) - observed
        worse += int((sums <= observed + slack).sum())
        extreme += int((np.abs(sums) >= abs(observed) - slack).sum())
    total = N_MONTE_CARLO + 1
    return SignFlip(worse / total, extreme / total, "sign-flip-monte-carlo")


def _edgeworth(units: FloatArray) -> SignFlip:
    """Return the test by Edgeworth's expansion; the flips are symmetric, so it errs by 1/n^2."""
    variance = float((units**2).sum())
    excess = -2.0 * float((units**4).sum()) / variance**2
    z = float(units.sum()) / math.sqrt(variance)

    def below(x: float) -> float:
        density = math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
        return min(1.0, max(0.0, normal_cdf(x) - density * excess / 24.0 * (x**3 - 3.0 * x)))

    return SignFlip(below(z), min(1.0, 2.0 * below(-abs(z))), "sign-flip-edgeworth")
