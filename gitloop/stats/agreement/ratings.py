"""The ratings of a set of items, counted, and the record of an agreement."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError, DataError
from gitloop.records import Interval
from gitloop.stats.distributions import (
    FloatArray,
    IntArray,
    constant_bounds,
    mean_bounds,
    mean_estimate,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Label = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """An agreement coefficient.

    Attributes:
        name: e.g. "cohen-kappa-quadratic".
        value: At most 1, and 0 where agreement is what chance gives; None when undefined.
        interval: None when undefined, or when no interval can be given.
        n_items: Items that two or more raters rated.
        n_raters: The most ratings that one item has.
        n_skipped: Items left out because fewer than two raters rated them.
        reason: Why there is no value or no interval; "" when both are there.
    """

    name: str
    value: float | None
    interval: Interval | None
    n_items: int
    n_raters: int
    n_skipped: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """How often a category was used.

    Attributes:
        category: The label.
        n: Ratings that chose it.
        share: `n` over all ratings, in [0, 1].
        interval: Of the share, Student's t over items; [0, 1] where nothing was rated.
    """

    category: Label
    n: int
    share: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class RatingTable:
    """Ratings in long form, coded.

    Attributes:
        items: Item number of each rating, 0..n_items - 1, shape (n_ratings,).
        codes: Category number of each rating, shape (n_ratings,).
        n_items: Items, rated or not.
        categories: The labels; their order is the scale's.
        ordered: Whether that order has a meaning: it was given, or the labels are numbers.
    """

    items: IntArray
    codes: IntArray
    n_items: int
    categories: tuple[Label, ...]
    ordered: bool

    def counts(self) -> FloatArray:
        """Return the ratings per item and category, shape (n_items, n_categories)."""
        width = len(self.categories)
        flat = np.bincount(self.items * width + self.codes, minlength=self.n_items * width)
        return flat.reshape(self.n_items, width).astype(np.float64)

    def ratings_per_item(self) -> IntArray:
        """Return how many ratings each item has, shape (n_items,)."""
        return np.bincount(self.items, minlength=self.n_items).astype(np.int64)

    def values(self) -> FloatArray:
        """Return the categories as numbers, shape (n_categories,).

        Raises:
            ConfigError: A category is no number.
        """
        if any(isinstance(category, str) for category in self.categories):
            raise ConfigError("an interval or ratio scale needs numbers, these labels are words")
        return np.asarray(self.categories, dtype=np.float64)


def tabulate(
    units: Sequence[Sequence[Label | None]], categories: Sequence[Label] | None = None
) -> RatingTable:
    """Return the table of ratings.

    Args:
        units: One sequence of labels per item; None and NaN are missing, lengths may differ, the
            position of a label in its sequence has no meaning.
        categories: The scale, in order, used or not; None: the labels that occur, sorted.

    Raises:
        DataError: A label is not in `categories`.
    """
    items, labels = [], []
    for item, unit in enumerate(units):
        for label in unit:
            if not is_missing(label):
                items.append(item)
                labels.append(label)
    scale = tuple(categories) if categories is not None else observed_scale(labels)
    return RatingTable(
        items=np.asarray(items, dtype=np.int64),
        codes=encode(labels, scale),
        n_items=len(units),
        categories=scale,
        ordered=categories is not None or not any(isinstance(c, str) for c in scale),
    )


def prevalence(table: RatingTable, *, level: float = 0.95) -> tuple[Share, ...]:
    """Return how often each category was used, in the scale's order.

    Items are the sample: ratings of one item resemble each other, so that the interval is that of a
    ratio of sums over items (as for `raw_agreement`), and not that of as many independent ratings.

    Args:
        table: The ratings.
        level: Coverage of the intervals.
    """
    counts = table.counts()
    mass = counts.sum(axis=1)
    counts, mass = counts[mass > 0], mass[mass > 0]
    if not mass.size:
        nothing = Interval(0.0, 1.0, level, "none")
        return tuple(Share(category, 0, 0.0, nothing) for category in table.categories)
    found = []
    for place, category in enumerate(table.categories):
        n = int(counts[:, place].sum())
        share = n / float(mass.sum())
        gaps = (counts[:, place] - share * mass) / float(mass.mean())
        low, high, method = mean_bounds(replace(mean_estimate(gaps), mean=share), level, (0.0, 1.0))
        found.append(Share(category, n, share, Interval(low, high, level, method)))
    return tuple(found)


def is_missing(label: Label | None) -> bool:
    """Return whether a label is None or NaN."""
    return label is None or (isinstance(label, float) and math.isnan(label))


def observed_scale(labels: Sequence[Label | None]) -> tuple[Label, ...]:
    """Return the labels that occur, sorted: numbers by size, words by code point."""
    distinct = {label for label in labels if label is not None}
    words = sorted(str(label) for label in distinct if isinstance(label, str))
    numbers = sorted(label for label in distinct if not isinstance(label, str))
    if words and numbers:
        raise DataError(f"labels mix words ({words[0]!r}) and numbers ({numbers[0]!r})")
    return tuple(words) if words else tuple(numbers)


def encode(labels: Sequence[Label | None], scale: Sequence[Label]) -> IntArray:
    """Return each label's place on the scale.

    Raises:
        DataError: Labels that are not on the scale, all named.
    """
    places = {label: place for place, label in enumerate(scale)}
    unknown = sorted({repr(label) for label in labels if label not in places})
    if unknown:
        raise DataError(f"labels outside the scale: {', '.join(unknown)}")
    return np.asarray([places[label] for label in labels if label is not None], dtype=np.int64)


def scale_weights(k: int, weights: str) -> FloatArray:
    """Return the agreement weights of a scale of `k` steps, shape (k, k): 1 on the diagonal.

    Raises:
        ConfigError: `weights` is none of "identity", "linear", "quadratic".
    """
    steps = np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / max(1, k - 1)
    match weights:
        case "identity":
            return np.eye(k)
        case "linear":
            return np.asarray(1.0 - steps, dtype=np.float64)
        case "quadratic":
            return np.asarray(1.0 - steps**2, dtype=np.float64)
    raise ConfigError(f"no weights are called {weights!r}: identity, linear or quadratic")


def constant_interval(observed: float, chance: float, n: int, level: float) -> Interval:
    """Return the interval of a coefficient whose items do not vary, chance taken as known.

    The bounds of the observed agreement (`distributions.constant_bounds`) are carried over by
    (agreement - chance) / (1 - chance), and clipped to [-1, 1].
    """
    low, high = constant_bounds(observed, n, level, (0.0, 1.0))
    scale = 1.0 - chance
    low, high = (max(-1.0, min(1.0, (bound - chance) / scale)) for bound in (low, high))
    return Interval(low, high, level, "zero-variance")
