"""Groups of points by density: smoothed over their neighbours, reduced, and held to cohesion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from gitloop.core.cluster.density import find_groups
from gitloop.core.cluster.describe import cohesion
from gitloop.core.cluster.graph import (
    DECIMALS,
    draw_to_centres,
    group_centres,
    neighbour_graph,
    principal_components,
    smooth,
)
from gitloop.core.cluster.results import NOISE, ClusterSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_PARTED = 20
"""Groups that are parted, at most: what has nothing in common still then is noise."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of points, and where the points lie.

    Attributes:
        labels: Group of each point, 0..k-1, or -1.
        membership: Strength in [0, 1], 0 for noise.
        persistence: Per group, in [0, 1].
        validity: Relative validity, or None.
        smoothed: The smoothed unit vectors.
        linked: Whether the point has a neighbour at all.
    """

    labels: NDArray[np.intp]
    membership: NDArray[np.float64]
    persistence: NDArray[np.float64]
    validity: float | None
    smoothed: NDArray[np.float32]
    linked: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Raw:
    """Groups as density gives them, changed in place: labels, memberships, persistence."""

    labels: NDArray[np.intp]
    membership: NDArray[np.float64]
    persistence: list[float]


def group(
    points: NDArray[np.float32],
    counts: NDArray[np.intp],
    known: NDArray[np.intp],
    settings: ClusterSettings,
    size: int,
) -> Groups:
    """Return the groups of points that are dense, or repeated, and cohesive.

    Density may call all but a few far ones a single group. One whose members have nothing in common
    on average is no topic: it is parted into the groups that are dense within it, again and again.

    Args:
        points: Distinct unit vectors, (n, d).
        counts: How many failures each stands for, (n,).
        known: Known cluster of each, or -1; (n,).
        settings: See `ClusterSettings`.
        size: Fewest failures that make a group.
    """
    near = neighbour_graph(points, settings.neighbours(len(points)), settings.min_similarity)
    linked = np.diff(near.indptr) > 0
    steps = settings.smoothing_steps if settings.smoothing_neighbours else 0
    smoothed = smooth(points, near, steps)
    drawn = draw_to_centres(smoothed, known, settings.anchor)[linked]
    scores = principal_components(drawn, settings.pca_dimensions)
    found = find_groups(scores, counts[linked], size, settings.min_samples)
    labels = np.full(len(points), NOISE, dtype=np.intp)
    membership = np.zeros(len(points))
    labels[linked], membership[linked] = found.labels, found.membership
    persistence = found.persistence.tolist()
    places = np.zeros((len(points), scores.shape[1]))
    places[linked] = scores
    further = [np.array([row]) for row in np.flatnonzero(~linked & (counts >= size))]
    if linked.any() and not persistence:
        further += _only_topic(points, near, counts, size)
    for rows in further:
        labels[rows], membership[rows] = len(persistence), 1.0
        persistence.append(1.0)
    raw = _Raw(labels, membership, persistence)
    _part(raw, points, places, counts, settings, size)
    kept = np.unique(raw.labels[raw.labels >= 0])
    lookup = np.full(len(raw.persistence) + 1, NOISE, dtype=np.intp)
    lookup[kept] = np.arange(len(kept))
    labels = lookup[np.where(strays(points, raw.labels), NOISE, raw.labels)]
    return Groups(
        labels=labels,
        membership=np.where(labels == NOISE, 0.0, raw.membership),
        persistence=np.array([raw.persistence[number] for number in kept.tolist()]),
        validity=found.validity(labels[linked]),
        smoothed=smoothed,
        linked=linked,
    )


def _part(
    raw: _Raw,
    points: NDArray[np.float32],
    places: NDArray[np.float64],
    counts: NDArray[np.intp],
    settings: ClusterSettings,
    size: int,
) -> None:
    """Put the groups within it in the place of each group that does not hold together."""
    n_parted = number = 0
    while number < len(raw.persistence):
        rows = np.flatnonzero(raw.labels == number)
        if cohesion(points[rows]) < settings.min_similarity:
            n_parted += 1
            inner = find_groups(places[rows], counts[rows], size, settings.min_samples)
            is_in = (inner.labels != NOISE) & (n_parted <= _MOST_PARTED)
            raw.labels[rows] = np.where(is_in, inner.labels + len(raw.persistence), NOISE)
            raw.membership[rows] = inner.membership
            raw.persistence.extend(inner.persistence.tolist())
        number += 1


def strays(points: NDArray[np.float32], labels: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which members are less than half as close to their centre as the middle member is.

    That is before smoothing: neighbours drew them in, but they do not say what the group says.
    """
    found = np.zeros(len(points), dtype=np.bool_)
    for number in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == number)
        centre = group_centres(points[rows], np.zeros(len(rows), dtype=np.intp), 1)[0]
        cosines = np.round((points[rows] @ centre).astype(np.float64), DECIMALS)
        found[rows] = 2 * cosines < np.median(cosines)
    return found


def _only_topic(
    units: NDArray[np.float32],
    near: Any,  # noqa: ANN401 (a scipy CSR matrix)
    counts: NDArray[np.intp],
    size: int,
) -> list[NDArray[np.intp]]:
    """Return the largest connected part of the graph, less its outliers, if it is large enough.

    It is for the case that density found no group: density compares parts, and one topic with a
    few strays has no second part.
    """
    _, part_of = connected_components(near, directed=False)
    largest = int(np.bincount(part_of, weights=counts).argmax())
    rows = np.flatnonzero(part_of == largest)
    centre = group_centres(units[rows], np.zeros(len(rows), dtype=np.intp), 1)[0]
    cosines = (units[rows] @ centre).astype(np.float64)
    rows = rows[cosines >= fence(cosines)]
    return [rows] if len(rows) > 1 and counts[rows].sum() >= size else []


def fence(cosines: NDArray[np.float64]) -> float:
    """Return Tukey's lower fence: the first quartile less one and a half interquartile ranges."""
    low, high = np.quantile(cosines, [0.25, 0.75])
    return float(low - 1.5 * (high - low))
