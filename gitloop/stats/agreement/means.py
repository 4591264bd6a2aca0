"""Agreement of several raters who can be told apart: the mean over every two of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError
from gitloop.records import Interval
from gitloop.stats.agreement.pairs import cohen_kappa
from gitloop.stats.agreement.ratings import (
    Agreement,
    Label,
    constant_interval,
    encode,
    is_missing,
    observed_scale,
    scale_weights,
)
from gitloop.stats.distributions import FloatArray, IntArray, t_ppf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class _Crossed:
    """What every two raters said of an item that they share, one row per item and two raters.

    Attributes:
        items: Number of the item, shape (n,).
        duos: Number of the two raters, shape (n,).
        cells: Place of the first one's label × k + place of the second's, shape (n,).
        tables: How often each two raters met in each cell, shape (n_duos, k, k).
    """

    items: IntArray
    duos: IntArray
    cells: IntArray
    tables: FloatArray


def mean_kappa(
    items: Sequence[Mapping[str, Label | None]],
    *,
    weights: str = "identity",
    categories: Sequence[Label] | None = None,
    level: float = 0.95,
) -> Agreement:
    """Return the mean of Cohen's kappa over every two raters (Light 1971), by items they share.

    Two raters have Cohen's kappa and its own interval. The interval of a mean is the delete-one
    jackknife over items with Student's t (Fleiss & Davies 1982): an item is left out with
    everything that all raters said of it, so that kappas which share raters and items are not
    taken for independent ones. Two raters whose kappa is undefined are left out of the mean.

    Args:
        items: Rater → label, per item; None is missing.
        weights: "identity" for a nominal scale; "linear" or "quadratic" over the scale's steps.
        categories: The scale, in order; None: the labels that occur, sorted. Weights on words
            need it.
        level: Coverage of the interval, which is clipped to [-1, 1].
    """
    said = [{who: one for who, one in by.items() if not is_missing(one)} for by in items]
    labels = [one for by in said for one in by.values()]
    scale = tuple(categories) if categories is not None else observed_scale(labels)
    if weights != "identity" and categories is None and any(isinstance(c, str) for c in scale):
        raise ConfigError("a weighted kappa of words needs `categories`, the scale in order")
    name = "cohen-kappa" if weights == "identity" else f"cohen-kappa-{weights}"
    pairs = sorted({pair for by in said for pair in combinations(sorted(by), 2)})
    skipped = sum(len(by) < 2 for by in said)
    n_items, n_raters = len(said) - skipped, max((len(by) for by in said), default=0)
    if not pairs:
        return Agreement(name, None, None, 0, n_raters, skipped, "no two people share an item")
    if len(pairs) == 1:
        first, second = ([by.get(who) for by in said] for who in pairs[0])
        return cohen_kappa(first, second, weights=weights, categories=scale, level=level)
    crossed = _crossed(said, pairs, scale)
    agree = scale_weights(len(scale), weights)
    kappas, counts = _kappas(crossed.tables, agree)
    name = f"{name}-mean"
    if not counts.sum():
        reason = "every two raters used one category only"
        return Agreement(name, None, None, n_items, n_raters, skipped, reason)
    value = float(kappas @ counts / counts.sum())
    interval = _jackknife(crossed, agree, value, level)
    reason = "" if interval else "too few items to tell how far the mean would vary"
    return Agreement(name, value, interval, n_items, n_raters, skipped, reason)


def _crossed(
    said: Sequence[Mapping[str, Label | None]],
    pairs: Sequence[tuple[str, str]],
    scale: Sequence[Label],
) -> _Crossed:
    """Return who met whom on which item, and what the two said."""
    k, number = len(scale), {pair: n for n, pair in enumerate(pairs)}
    items, duos, labels = [], [], []
    for item, by in enumerate(said):
        for pair in combinations(sorted(by), 2):
            items.append(item)
            duos.append(number[pair])
            labels += [by[who] for who in pair]
    codes = encode(labels, scale)
    cells = codes[0::2] * k + codes[1::2]
    own = np.asarray(duos, dtype=np.int64)
    tables = np.bincount(own * k * k + cells, minlength=len(pairs) * k * k)
    return _Crossed(
        np.asarray(items, dtype=np.int64),
        own,
        cells,
        tables.reshape(-1, k, k).astype(np.float64),
    )


def _kappas(tables: FloatArray, agree: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the kappa of each table and the items it counts for; both 0 where it is undefined.

    Args:
        tables: Counts, shape (n, k, k).
        agree: Agreement weights, shape (k, k).
    """
    counts = tables.sum(axis=(1, 2))
    shares = tables / np.maximum(counts, 1.0)[:, None, None]
    observed = (shares * agree).sum(axis=(1, 2))
    chance = np.einsum("ni,ij,nj->n", shares.sum(axis=2), agree, shares.sum(axis=1))
    is_known = (counts > 0) & (1.0 - chance > 1e-12)
    kappas = np.where(is_known, (observed - chance) / np.where(is_known, 1.0 - chance, 1.0), 0.0)
    return kappas, np.where(is_known, counts, 0.0)


def _jackknife(crossed: _Crossed, agree: FloatArray, value: float, level: float) -> Interval | None:
    """Return the interval of the mean from leaving out each item once, or None with too few."""
    tables, k = crossed.tables, agree.shape[0]
    kappas, counts = _kappas(tables, agree)
    # What the table of two raters comes to without one item: the same for items of one cell.
    less = tables[:, None] - np.eye(k * k).reshape(1, k * k, k, k)
    fewer, left = _kappas(np.maximum(less, 0.0).reshape(-1, k, k), agree)
    place = crossed.duos * k * k + crossed.cells
    lost = (fewer * left)[place] - (kappas * counts)[crossed.duos]
    numbers, item = np.unique(crossed.items, return_inverse=True)
    sums = float(kappas @ counts) + np.bincount(item, weights=lost)
    masses = counts.sum() + np.bincount(item, weights=left[place] - counts[crossed.duos])
    n = numbers.size
    if n < 2 or bool((masses <= 0.0).any()):
        return None
    means = sums / masses
    variance = (n - 1) / n * float(((means - means.mean()) ** 2).sum())
    if variance <= 1e-15:
        total = tables.sum(axis=0)
        shares = total / total.sum()
        chance = float(shares.sum(axis=1) @ agree @ shares.sum(axis=0))
        # Of all pairs in one table: the mean of their kappas may lie outside, and must not.
        pooled = constant_interval(float((agree * shares).sum()), chance, n, level)
        return replace(pooled, low=min(pooled.low, value), high=max(pooled.high, value))
    half = t_ppf(0.5 + level / 2.0, n - 1.0) * math.sqrt(variance)
    return Interval(max(-1.0, value - half), min(1.0, value + half), level, "jackknife")
