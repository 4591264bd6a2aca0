"""Krippendorff's alpha, for any number of raters, gaps, and four kinds of scale.

alpha = 1 - D_o / D_e over the pairable ratings (Krippendorff 2011, Computing Krippendorff's
Alpha-Reliability). Every formula here takes weights per item, so that one call evaluates all
resamples of the bootstrap over items (Zapf et al. 2016 find that bootstrap the better interval).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError
from gitloop.records import Interval
from gitloop.stats.agreement.ratings import Agreement, RatingTable
from gitloop.stats.distributions import FloatArray, IntArray

if TYPE_CHECKING:
    from collections.abc import Callable

METRICS = ("nominal", "ordinal", "interval", "ratio")
_CHUNK_CELLS = 4_000_000  # item weights held at a time, 32 MB


@dataclass(frozen=True, slots=True)
class _Pairable:
    """The ratings of items that two or more raters rated.

    Attributes:
        items: Item number of each rating, renumbered 0..n-1.
        codes: Category of each rating.
        sizes: Ratings per item, shape (n,), all at least 2.
        k: Categories.
    """

    items: IntArray
    codes: IntArray
    sizes: FloatArray
    k: int

    def counts(self) -> FloatArray:
        """Return the ratings per item and category, shape (n, k)."""
        n = self.sizes.size
        flat = np.bincount(self.items * self.k + self.codes, minlength=n * self.k)
        return flat.reshape(n, self.k).astype(np.float64)


def krippendorff_alpha(
    table: RatingTable,
    metric: str = "nominal",
    *,
    level: float = 0.95,
    seed: int = 0,
    n_resamples: int = 1000,
) -> Agreement:
    """Return Krippendorff's alpha with a seeded percentile bootstrap over items.

    Args:
        table: The ratings; an interval or ratio scale needs numeric categories, an ordinal one
            needs its order.
        metric: "nominal", "ordinal", "interval" or "ratio".
        level: Coverage of the interval.
        seed: Of the bootstrap.
        n_resamples: Of the bootstrap; 0: no interval.
    """
    if metric not in METRICS:
        raise ConfigError(f"no scale is called {metric!r}: {', '.join(METRICS)}")
    if metric == "ordinal" and not table.ordered:
        raise ConfigError("an ordinal scale of words needs `categories`, the scale in order")
    name = f"krippendorff-alpha-{metric}"
    per_item = table.ratings_per_item()
    n_raters = int(per_item.max()) if per_item.size else 0
    ratings = _pairable(table, per_item)
    n, skipped = int(ratings.sizes.size), table.n_items - int(ratings.sizes.size)
    if n == 0:
        reason = "no item was rated twice"
        return Agreement(name, None, None, 0, n_raters, skipped, reason)
    alpha = _evaluator(ratings, table, metric)
    value = float(alpha(np.ones((1, n)))[0])
    if math.isnan(value):
        reason = "one category only was used"
        return Agreement(name, None, None, n, n_raters, skipped, reason)
    if n_resamples < 1:
        return Agreement(name, value, None, n, n_raters, skipped, "no bootstrap was asked for")
    draws = _bootstrap(alpha, n, seed, n_resamples)
    interval, reason = _interval(draws, level)
    return Agreement(name, value, interval, n, n_raters, skipped, reason)


def _pairable(table: RatingTable, per_item: IntArray) -> _Pairable:
    """Return the ratings of items that have at least two."""
    keep = per_item >= 2
    number = np.cumsum(keep) - 1
    rated = keep[table.items] if table.items.size else np.zeros(0, dtype=np.bool_)
    sizes = per_item[keep].astype(np.float64)
    return _Pairable(number[table.items[rated]], table.codes[rated], sizes, len(table.categories))


def _bootstrap(
    alpha: Callable[[FloatArray], FloatArray], n: int, seed: int, n_resamples: int
) -> FloatArray:
    """Return alpha of each resample of the items, shape (n_resamples,)."""
    generator = np.random.default_rng(seed)
    chances = np.full(n, 1.0 / n)
    step = max(1, _CHUNK_CELLS // n)
    draws = []
    for start in range(0, n_resamples, step):
        picks = generator.multinomial(n, chances, size=min(step, n_resamples - start))
        draws.append(alpha(picks.astype(np.float64)))
    return np.concatenate(draws)


def _interval(draws: FloatArray, level: float) -> tuple[Interval | None, str]:
    """Return the percentile interval, and what is wrong with it."""
    defined = draws[~np.isnan(draws)]
    undefined = draws.size - defined.size
    if undefined > draws.size // 20:
        return None, f"{undefined} of {draws.size} resamples hold one category only"
    if float(np.ptp(defined)) < 1e-12:
        return None, "every resample gives the same alpha"
    low, high = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    reason = f"{undefined} of {draws.size} resamples were undefined" if undefined else ""
    return Interval(float(low), float(high), level, "bootstrap-percentile"), reason


def _evaluator(
    ratings: _Pairable, table: RatingTable, metric: str
) -> Callable[[FloatArray], FloatArray]:
    """Return the function from item weights (b, n) to alphas (b,); NaN where D_e is zero."""
    if metric == "interval":
        return _interval_alpha(ratings, table.values())
    counts = ratings.counts()
    if metric == "ordinal":
        return _ordinal_alpha(ratings, counts)
    if metric == "ratio":
        return _distance_alpha(ratings, counts, _ratio_distances(table.values()))
    disagree = (ratings.sizes**2 - (counts**2).sum(axis=1)) / (ratings.sizes - 1.0)

    def nominal(weights: FloatArray) -> FloatArray:
        margins = weights @ counts
        total = margins.sum(axis=1)
        return _alpha(weights @ disagree, total**2 - (margins**2).sum(axis=1), total)

    return nominal


def _interval_alpha(ratings: _Pairable, values: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return the evaluator of the squared difference, from moments alone."""
    centre = float(values[ratings.codes].mean())
    numbers = values[ratings.codes] - centre  # keeps the digits of n * sum(x^2) - sum(x)^2
    n = ratings.sizes.size
    first = np.bincount(ratings.items, weights=numbers, minlength=n)
    second = np.bincount(ratings.items, weights=numbers**2, minlength=n)
    disagree = 2.0 * (ratings.sizes * second - first**2) / (ratings.sizes - 1.0)

    def interval(weights: FloatArray) -> FloatArray:
        total = weights @ ratings.sizes
        expected = 2.0 * (total * (weights @ second) - (weights @ first) ** 2)
        return _alpha(weights @ disagree, expected, total)

    return interval


def _ordinal_alpha(ratings: _Pairable, counts: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return the evaluator of the squared number of ratings between two ranks.

    That distance is the squared difference of mid-ranks, which the weights themselves move.
    """
    share = 1.0 / (ratings.sizes - 1.0)
    squares = counts * (ratings.sizes * share)[:, None]

    def ordinal(weights: FloatArray) -> FloatArray:
        margins = weights @ counts
        total = margins.sum(axis=1)
        ranks = np.cumsum(margins, axis=1) - margins / 2.0
        ranks -= (ranks * margins).sum(axis=1, keepdims=True) / total[:, None]
        linear = (counts @ ranks.T).T
        second = ((weights @ squares) * ranks**2).sum(axis=1)
        observed = 2.0 * (second - (weights * share * linear**2).sum(axis=1))
        return _alpha(observed, 2.0 * total * (margins * ranks**2).sum(axis=1), total)

    return ordinal


def _ratio_distances(values: FloatArray) -> FloatArray:
    """Return ((a - b) / (a + b))^2 of each pair of categories, shape (k, k)."""
    sums = np.add.outer(values, values)
    gaps = np.subtract.outer(values, values)
    return np.asarray(np.divide(gaps, sums, out=np.zeros_like(sums), where=sums != 0.0) ** 2)


def _distance_alpha(
    ratings: _Pairable, counts: FloatArray, distances: FloatArray
) -> Callable[[FloatArray], FloatArray]:
    """Return the evaluator of any fixed distance between categories."""
    disagree = (counts @ distances * counts).sum(axis=1) / (ratings.sizes - 1.0)

    def fixed(weights: FloatArray) -> FloatArray:
        margins = weights @ counts
        expected = (margins @ distances * margins).sum(axis=1)
        return _alpha(weights @ disagree, expected, margins.sum(axis=1))

    return fixed


def _alpha(observed: FloatArray, expected: FloatArray, total: FloatArray) -> FloatArray:
    """Return 1 - (total - 1) * observed / expected; NaN where nothing differs at all."""
    alphas = np.full(observed.shape, math.nan)
    some = expected > 1e-12 * total**2
    alphas[some] = 1.0 - (total[some] - 1.0) * observed[some] / expected[some]
    return alphas
