"""Agreement of two raters who can be told apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError, DataError
from gitloop.records import Interval
from gitloop.stats.agreement.ratings import (
    Agreement,
    Label,
    constant_interval,
    encode,
    is_missing,
    observed_scale,
    scale_weights,
)
from gitloop.stats.distributions import FloatArray, wilson_bounds, z_value

if TYPE_CHECKING:
    from collections.abc import Sequence


def cohen_kappa(
    first: Sequence[Label | None],
    second: Sequence[Label | None],
    *,
    weights: str = "identity",
    categories: Sequence[Label] | None = None,
    level: float = 0.95,
) -> Agreement:
    """Return Cohen's kappa with the interval of Fleiss, Cohen & Everitt (1969).

    Args:
        first: One label per item; None is missing.
        second: One label per item, in the same order.
        weights: "identity" for a nominal scale; "linear" or "quadratic" over the scale's steps.
        categories: The scale, in order; None: the labels that occur, sorted. Weights on words
            need it, since the alphabet is no scale.
        level: Coverage of the interval, which is clipped to [-1, 1].
    """
    name = "cohen-kappa" if weights == "identity" else f"cohen-kappa-{weights}"
    shares, n, skipped = _cross(first, second, categories, needs_order=weights != "identity")
    if n == 0:
        return Agreement(name, None, None, 0, 2, skipped, "no item was rated by both")
    agree = scale_weights(shares.shape[0], weights)
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed = float((agree * shares).sum())
    chance = float(rows @ agree @ columns)
    if 1.0 - chance < 1e-12:
        return Agreement(name, None, None, n, 2, skipped, "both raters used one category only")
    kappa = (observed - chance) / (1.0 - chance)
    means = np.add.outer(agree @ columns, rows @ agree)
    spread = float((shares * (agree - means * (1.0 - kappa)) ** 2).sum())
    variance = (spread - (kappa - chance * (1.0 - kappa)) ** 2) / (n * (1.0 - chance) ** 2)
    if variance <= 1e-15:
        interval = constant_interval(observed, chance, n, level)
    else:
        half = z_value(level) * math.sqrt(variance)
        low, high = max(-1.0, kappa - half), min(1.0, kappa + half)
        interval = Interval(low, high, level, "fleiss-cohen-everitt")
    return Agreement(name, kappa, interval, n, 2, skipped)


def pabak(
    first: Sequence[Label | None],
    second: Sequence[Label | None],
    *,
    categories: Sequence[Label] | None = None,
    level: float = 0.95,
) -> Agreement:
    """Return the prevalence- and bias-adjusted kappa (Byrt, Bishop & Carlin 1993).

    (k p - 1) / (k - 1) for agreement p over k categories, with Wilson's interval of p carried
    over; for k > 2 it is Brennan & Prediger's coefficient.

    Args:
        first: One label per item; None is missing.
        second: One label per item, in the same order.
        categories: The scale, used or not; None: the labels that occur.
        level: Coverage of the interval.
    """
    shares, n, skipped = _cross(first, second, categories, needs_order=False)
    k = shares.shape[0]
    if n == 0:
        return Agreement("pabak", None, None, 0, 2, skipped, "no item was rated by both")
    if k < 2:
        return Agreement("pabak", None, None, n, 2, skipped, "both raters used one category only")
    agreed = round(float(np.trace(shares)) * n)
    low, high = ((k * p - 1.0) / (k - 1.0) for p in wilson_bounds(agreed, n, z_value(level)))
    value = (k * agreed / n - 1.0) / (k - 1.0)
    return Agreement("pabak", value, Interval(low, high, level, "wilson"), n, 2, skipped)


def _cross(
    first: Sequence[Label | None],
    second: Sequence[Label | None],
    categories: Sequence[Label] | None,
    *,
    needs_order: bool,
) -> tuple[FloatArray, int, int]:
    """Return the table of shares, the items that both rated, and the items left out."""
    if len(first) != len(second):
        raise DataError(f"{len(first)} labels cannot pair with {len(second)}")
    pairs = [
        (a, b)
        for a, b in zip(first, second, strict=True)
        if not is_missing(a) and not is_missing(b)
    ]
    labels = [label for pair in pairs for label in pair]
    scale = tuple(categories) if categories is not None else observed_scale(labels)
    if needs_order and categories is None and any(isinstance(label, str) for label in scale):
        raise ConfigError("a weighted kappa of words needs `categories`, the scale in order")
    k, n = len(scale), len(pairs)
    if n == 0:
        return np.zeros((k, k)), 0, len(first)
    codes = encode(labels, scale)
    cells = np.bincount(codes[0::2] * k + codes[1::2], minlength=k * k)
    return cells.reshape(k, k) / n, n, len(first) - n
