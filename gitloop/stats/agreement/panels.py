"""Agreement of any number of raters, with gaps, from the ratings per item.

Point estimates and variances follow Gwet's general framework (Gwet 2014, Handbook of Inter-Rater
Reliability, §2; Gwet 2008): items are the sample, each contributes its linearised value, and the
interval is Student's t with n - 1 degrees of freedom. Where the number of ratings differs from
item to item, every item may count alike (Gwet), or every rating (as in Krippendorff's alpha).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from gitloop.errors import ConfigError
from gitloop.records import Interval
from gitloop.stats.agreement.ratings import (
    Agreement,
    RatingTable,
    constant_interval,
    scale_weights,
)
from gitloop.stats.distributions import (
    FloatArray,
    mean_bounds,
    mean_estimate,
    t_ppf,
    wilson_bounds,
    z_value,
)


@dataclass(frozen=True, slots=True)
class _Panel:
    """The parts that every coefficient needs, one row per rated item.

    Attributes:
        agree: Agreement weights, shape (k, k).
        agreed: What the item adds to the agreement's numerator, shape (n,).
        pairs: What it adds to the denominator, 0 with one rating, shape (n,).
        parts: What it adds to each category's numerator, shape (n, k).
        mass: What it adds to the categories' denominator, shape (n,).
        by_rating: Whether every rating counts alike, and not every item.
        n_raters: The most ratings of an item.
        n_skipped: Items with fewer than two ratings, unrated ones included.
    """

    agree: FloatArray
    agreed: FloatArray
    pairs: FloatArray
    parts: FloatArray
    mass: FloatArray
    by_rating: bool
    n_raters: int
    n_skipped: int

    @property
    def n_items(self) -> int:
        """Items that two or more raters rated."""
        return int(np.count_nonzero(self.pairs))

    @property
    def observed(self) -> float:
        """The observed agreement."""
        return float(self.agreed.sum() / self.pairs.sum())

    @property
    def shares(self) -> FloatArray:
        """The share of each category, shape (k,)."""
        return np.asarray(self.parts.sum(axis=0) / max(1.0, float(self.mass.sum())))


def raw_agreement(table: RatingTable, *, level: float = 0.95) -> Agreement:
    """Return the share of all pairs of ratings of an item that agree.

    The interval is Wilson's when each item has two ratings, otherwise Student's t over items, as
    for a ratio of sums.
    """
    panel = _panel(table, "identity", "ratings")
    n = panel.n_items
    if n == 0:
        return _undefined("raw-agreement", panel, "no item was rated twice")
    value = panel.observed
    if panel.n_raters == 2:
        agreed = int(panel.agreed.sum()) // 2
        low, high = wilson_bounds(agreed, n, z_value(level))
        interval = Interval(low, high, level, "wilson")
    else:
        pairs = panel.pairs[panel.pairs > 0.0]
        gaps = (panel.agreed[panel.pairs > 0.0] - value * pairs) / float(pairs.mean())
        error = replace(mean_estimate(gaps), mean=value)
        low, high, method = mean_bounds(error, level, (0.0, 1.0))
        interval = Interval(low, high, level, method)
    return Agreement("raw-agreement", value, interval, n, panel.n_raters, panel.n_skipped)


def fleiss_kappa(
    table: RatingTable,
    *,
    weights: str = "identity",
    average: str = "items",
    level: float = 0.95,
) -> Agreement:
    """Return Fleiss' kappa (Fleiss 1971), generalised to gaps and weights (Gwet 2014).

    Args:
        table: The ratings.
        weights: "identity", "linear" or "quadratic" over the scale's steps.
        average: "items": each item counts alike; "ratings": each rating does.
        level: Coverage of the interval, clipped to [-1, 1].
    """
    panel = _panel(table, weights, average)
    shares = panel.shares
    chance = float(shares @ panel.agree @ shares)
    slope = panel.agree @ shares + shares @ panel.agree
    name = "fleiss-kappa" if weights == "identity" else f"fleiss-kappa-{weights}"
    return _coefficient(name, panel, (chance, slope), level)


def gwet_ac(
    table: RatingTable,
    *,
    weights: str = "identity",
    average: str = "items",
    level: float = 0.95,
) -> Agreement:
    """Return Gwet's AC1, or AC2 when weighted (Gwet 2008): steady where one class prevails.

    Args:
        table: The ratings; its scale should list unused categories too, they count.
        weights: "identity" for AC1, "linear" or "quadratic" for AC2.
        average: "items": each item counts alike, as Gwet has it; "ratings": each rating does.
        level: Coverage of the interval, clipped to [-1, 1].
    """
    panel = _panel(table, weights, average)
    k = len(table.categories)
    name = "gwet-ac1" if weights == "identity" else f"gwet-ac2-{weights}"
    if k < 2:
        return _undefined(name, panel, "one category only was used")
    shares = panel.shares
    factor = float(panel.agree.sum()) / (k * (k - 1))
    chance = factor * float((shares * (1.0 - shares)).sum())
    return _coefficient(name, panel, (chance, factor * (1.0 - 2.0 * shares)), level)


def _panel(table: RatingTable, weights: str, average: str) -> _Panel:
    """Return the parts of a coefficient."""
    if weights != "identity" and not table.ordered:
        raise ConfigError("weights on words need `categories`, the scale in order")
    if average not in {"items", "ratings"}:
        raise ConfigError(f"an agreement averages over items or ratings, not {average!r}")
    agree = scale_weights(len(table.categories), weights)
    counts = table.counts()
    mass = counts.sum(axis=1)
    n_raters = int(mass.max()) if mass.size else 0
    skipped = int((mass < 2).sum())
    counts, mass = counts[mass > 0], mass[mass > 0]
    pairs = mass * (mass - 1.0)
    agreed = (counts * (counts @ agree - 1.0)).sum(axis=1) * (pairs > 0.0)
    by_rating = average == "ratings"
    if not by_rating:
        agreed = agreed / np.maximum(pairs, 1.0)
        pairs = (pairs > 0.0).astype(np.float64)
        counts = counts / mass[:, None]
        mass = np.ones_like(mass)
    return _Panel(agree, agreed, pairs, counts, mass, by_rating, n_raters, skipped)


def _coefficient(
    name: str, panel: _Panel, chances: tuple[float, FloatArray], level: float
) -> Agreement:
    """Return (observed - chance) / (1 - chance) with its linearised interval.

    Args:
        name: The coefficient.
        panel: The parts.
        chances: Chance agreement, and its slope in each category's share, shape (k,).
        level: Coverage.
    """
    chance, slope = chances
    rated = panel.n_items
    if rated == 0:
        return _undefined(name, panel, "no item was rated twice")
    if 1.0 - chance < 1e-12:
        return _undefined(name, panel, "one category only was used")
    total, observed = panel.mass.size, panel.observed
    value = (observed - chance) / (1.0 - chance)
    # Gwet centres an item at chance, which counts a lone rating as no agreement; a ratio of sums
    # is centred at the observed agreement. The two agree when no item has a lone rating.
    base, centre = (value, observed) if panel.by_rating else (0.0, chance)
    own = base + (panel.agreed - centre * panel.pairs) / float(panel.pairs.mean()) / (1.0 - chance)
    drift = (panel.parts - panel.mass[:, None] * panel.shares) @ slope / float(panel.mass.mean())
    linear = own - (1.0 - value) * drift / (1.0 - chance)
    variance = float(((linear - value) ** 2).sum()) / (total * max(1, total - 1))
    if total > 1 and variance > 1e-18:
        half = t_ppf(0.5 + level / 2.0, total - 1.0) * math.sqrt(variance)
        low, high = max(min(-1.0, value), value - half), min(1.0, value + half)
        interval = Interval(low, high, level, "gwet-linearised")
    else:
        interval = constant_interval(observed, chance, rated, level)
    return Agreement(name, value, interval, rated, panel.n_raters, panel.n_skipped)


def _undefined(name: str, panel: _Panel, reason: str) -> Agreement:
    """Return an agreement without a value."""
    return Agreement(name, None, None, panel.n_items, panel.n_raters, panel.n_skipped, reason)
