"""Which clusters come back when only half of the failures are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gitloop.core.cluster.grouping import Groups, group
from gitloop.core.cluster.results import NOISE, Cluster, ClusterSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHARE = 0.5
"""Share of the failures in a draw."""

MOST_POINTS = 2_000
"""Points in a draw at most: it shall cost less than the clustering itself."""

_LEAST = 2
"""Members of a cluster in a draw, below which the draw says nothing about it."""


def stability(
    points: NDArray[np.float32],
    counts: NDArray[np.intp],
    groups: Groups,
    settings: ClusterSettings,
) -> list[float | None]:
    """Return how much of each group comes back in draws without replacement, [0, 1].

    Per draw it is the largest Jaccard of the group's members in the draw with a group found there;
    the mean over the draws is Hennig's clusterwise stability (2007). The size that makes a group
    shrinks with the draw. None where no draw holds two members of the group.
    """
    k, n = len(groups.persistence), len(points)
    size = settings.cluster_size(int(counts.sum()))
    told: list[list[float]] = [[] for _ in range(k)]
    dice = np.random.default_rng(settings.seed)
    n_drawn = min(round(SHARE * n), MOST_POINTS)
    for _ in range(settings.stability_draws if k and n_drawn else 0):
        drawn = np.sort(dice.permutation(n)[:n_drawn])
        unknown = np.full(n_drawn, NOISE, dtype=np.intp)
        own_size = max(2, round(size * counts[drawn].sum() / counts.sum()))
        again = group(points[drawn], counts[drawn], unknown, settings, own_size)
        for number, value in _overlaps(groups.labels[drawn], again.labels, k):
            told[number].append(value)
    return [round(float(np.mean(values)), 6) if values else None for values in told]


def _overlaps(before: NDArray[np.intp], again: NDArray[np.intp], k: int) -> list[tuple[int, float]]:
    """Return for each group with enough members in the draw its largest Jaccard there."""
    n_again = int(again.max(initial=NOISE)) + 1
    both = np.zeros((k, n_again + 1), dtype=np.intp)
    inside = before != NOISE
    np.add.at(both, (before[inside], again[inside]), 1)
    sizes = np.bincount(before[inside], minlength=k)
    others = np.bincount(again[again != NOISE], minlength=n_again)
    union = sizes[:, np.newaxis] + others - both[:, :n_again]
    jaccard = both[:, :n_again] / np.maximum(union, 1)
    best = jaccard.max(axis=1, initial=0.0)
    return [(number, float(best[number])) for number in np.flatnonzero(sizes >= _LEAST).tolist()]


def overall(clusters: Sequence[Cluster]) -> float | None:
    """Return the mean stability of the clusters, each counted by its weight."""
    told = [(one.stability, one.weight) for one in clusters if one.stability is not None]
    weight = sum(mass for _, mass in told)
    return round(sum(value * mass for value, mass in told) / weight, 6) if told else None
