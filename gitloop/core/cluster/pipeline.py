"""Failures in, named clusters out: the whole way from vectors to a `Clustering`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse.csgraph import connected_components
from threadpoolctl import threadpool_limits

from gitloop.core.cluster.density import find_groups
from gitloop.core.cluster.describe import cohesion, describe
from gitloop.core.cluster.graph import (
    draw_to_centres,
    group_centres,
    neighbour_graph,
    principal_components,
    smooth,
)
from gitloop.core.cluster.items import Items, read_items
from gitloop.core.cluster.results import (
    NOISE,
    Cluster,
    Clustering,
    ClusterMetrics,
    ClusterSettings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_BLOCK_CELLS = 2**24
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class _Groups:
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
class _Places:
    """Where each point lies among the groups, by cosine to their centres.

    Attributes:
        own: To the centre of its group, NaN without one.
        best: The most similar group that is not its own, or -1.
        other: To that group's centre, NaN without one.
    """

    own: NDArray[np.float64]
    best: NDArray[np.intp]
    other: NDArray[np.float64]


def cluster(
    texts: Sequence[str],
    embeddings: NDArray[np.floating[Any]],
    trace_ids: Sequence[str],
    weights: NDArray[np.floating[Any]],
    settings: ClusterSettings,
    known: Mapping[str, str] | None = None,
) -> Clustering:
    """Return the clusters of failures, and those that belong to none.

    Neither the order of the items nor the number of threads changes the result. Collapse
    duplicates first (`collapse`) and pass their counts as weights: the cost falls with the
    square, and a failure reported often makes its place denser.

    Args:
        texts: One per failure.
        embeddings: One vector per failure, (n, d), any float type.
        trace_ids: One per failure, unique.
        weights: How much each failure counts, finite and above 0; (n,).
        settings: See `ClusterSettings`.
        known: trace_id → cluster_id of the last run, "" for noise. Members of one known
            cluster are drawn to its centre, so that they part only for a reason.

    Raises:
        DataError: Lengths differ, a trace_id repeats, a vector or weight is not usable; every
            fault is named with its row.
    """
    items = read_items(texts, embeddings, trace_ids, weights)
    # One BLAS thread: the order in which threads add up would show in the last bits.
    with threadpool_limits(limits=1):
        groups = _group(items, settings, items.known_points(known or {}))
        centres = group_centres(groups.smoothed, groups.labels, len(groups.persistence))
        places = _place(groups.smoothed, centres, groups.labels)
        soft = np.zeros(len(groups.labels), dtype=np.bool_)
        if settings.soft_assignment:
            groups, soft = _join(groups, places)
            places = _place(groups.smoothed, centres, groups.labels)
        labels, soft_items = groups.labels[items.point_of], soft[items.point_of]
        clusters, numbers = describe(
            items, labels, soft_items, groups.persistence, settings.n_representatives
        )
    # Noise is -1: the last entry of the lookup.
    lookup = np.append(numbers, NOISE)
    of = items.point_of
    return _in_input_order(
        items,
        Clustering(
            trace_ids=items.trace_ids,
            labels=lookup[labels],
            membership=groups.membership[of],
            runner_up=lookup[places.best[of]],
            margin=np.round(places.own - places.other, _DECIMALS)[of],
            soft=soft_items,
            clusters=clusters,
            metrics=_measure(items, labels, clusters, groups.validity, settings),
        ),
    )


def _group(items: Items, settings: ClusterSettings, known: NDArray[np.intp]) -> _Groups:
    """Return the groups of points that are dense, or repeated, and cohesive."""
    points, counts = items.points, items.counts
    size = settings.cluster_size(int(counts.sum()))
    near = neighbour_graph(points, settings.neighbours(len(points)), settings.min_similarity)
    linked = np.diff(near.indptr) > 0
    steps = settings.smoothing_steps if settings.smoothing_neighbours else 0
    smoothed = smooth(points, near, steps)
    drawn = draw_to_centres(smoothed, known, settings.anchor)[linked]
    scores = principal_components(drawn, settings.pca_dimensions)
    found = find_groups(scores, counts[linked], size, settings.samples(size))
    labels = np.full(len(points), NOISE, dtype=np.intp)
    membership = np.zeros(len(points))
    labels[linked], membership[linked] = found.labels, found.membership
    persistence = found.persistence.tolist()
    further = [np.array([row]) for row in np.flatnonzero(~linked & (counts >= size))]
    if linked.any() and not persistence:
        further += _only_topic(points, near, counts, size)
    for rows in further:
        labels[rows], membership[rows] = len(persistence), 1.0
        persistence.append(1.0)
    kept = [
        group
        for group in range(len(persistence))
        if cohesion(points[labels == group]) >= settings.min_similarity
    ]
    lookup = np.full(len(persistence) + 1, NOISE, dtype=np.intp)
    lookup[kept] = np.arange(len(kept))
    labels = lookup[labels]
    return _Groups(
        labels=labels,
        membership=np.where(labels == NOISE, 0.0, membership),
        persistence=np.array([persistence[group] for group in kept]),
        validity=found.validity(labels[linked]),
        smoothed=smoothed,
        linked=linked,
    )


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
    rows = rows[cosines >= _fence(cosines)]
    return [rows] if len(rows) > 1 and counts[rows].sum() >= size else []


def _fence(cosines: NDArray[np.float64]) -> float:
    """Return Tukey's lower fence: the first quartile less one and a half interquartile ranges."""
    low, high = np.quantile(cosines, [0.25, 0.75])
    return float(low - 1.5 * (high - low))


def _place(
    smoothed: NDArray[np.float32], centres: NDArray[np.float32], labels: NDArray[np.intp]
) -> _Places:
    """Return the cosine of each point to its own centre and to the best other one."""
    n_points, n_groups = len(smoothed), len(centres)
    own = np.full(n_points, np.nan)
    best = np.full(n_points, NOISE, dtype=np.intp)
    other = np.full(n_points, np.nan)
    block = max(1, _BLOCK_CELLS // max(1, n_groups))
    for first in range(0, n_points if n_groups else 0, block):
        rows = slice(first, first + block)
        cosines = np.round((smoothed[rows] @ centres.T).astype(np.float64), _DECIMALS)
        grouped = np.flatnonzero(labels[rows] != NOISE)
        mine = labels[rows][grouped]
        own[first + grouped] = cosines[grouped, mine]
        cosines[grouped, mine] = -np.inf
        highest = cosines.max(axis=1)
        # A centre at a right angle or beyond is nobody's second choice.
        best[rows] = np.where(highest > 0.0, cosines.argmax(axis=1), NOISE)
        other[rows] = np.where(highest > 0.0, highest, np.nan)
    return _Places(own=own, best=best, other=other)


def _join(groups: _Groups, places: _Places) -> tuple[_Groups, NDArray[np.bool_]]:
    """Return the groups with the noise that would be no outlier in the nearest one.

    The line is Tukey's lower fence on the members' own cosines to their centre. The membership
    of one who joins is the share of the members that are no closer to the centre.
    """
    labels, membership = groups.labels.copy(), groups.membership.copy()
    candidates = (groups.labels == NOISE) & groups.linked
    for group in range(len(groups.persistence)):
        members = np.sort(places.own[groups.labels == group])
        near = (places.best == group) & (places.other >= _fence(members))
        joins = np.flatnonzero(candidates & near)
        labels[joins] = group
        below = np.searchsorted(members, places.other[joins], side="right")
        membership[joins] = np.round(below / len(members), _DECIMALS)
    soft = labels != groups.labels
    return replace(groups, labels=labels, membership=membership), soft


def _measure(
    items: Items,
    labels: NDArray[np.intp],
    clusters: tuple[Cluster, ...],
    validity: float | None,
    settings: ClusterSettings,
) -> ClusterMetrics:
    """Return the clustering in numbers."""
    n_items = len(labels)
    noise = labels == NOISE
    total = float(items.weights.sum())
    size = settings.cluster_size(int(items.counts.sum()))
    return ClusterMetrics(
        n_items=n_items,
        n_clusters=len(clusters),
        noise_rate=round(float(noise.mean()), _DECIMALS) if n_items else 0.0,
        noise_weight_rate=round(float(items.weights[noise].sum()) / total, _DECIMALS)
        if n_items
        else 0.0,
        validity=validity,
        sizes=tuple(one.n_items for one in clusters),
        min_cluster_size=size,
        min_samples=settings.samples(size),
    )


def _in_input_order(items: Items, sorted_result: Clustering) -> Clustering:
    """Return the clustering with its items as they came in."""
    back = np.argsort(items.order)
    return replace(
        sorted_result,
        trace_ids=tuple(items.trace_ids[row] for row in back),
        labels=sorted_result.labels[back],
        membership=sorted_result.membership[back],
        runner_up=sorted_result.runner_up[back],
        margin=sorted_result.margin[back],
        soft=sorted_result.soft[back],
    )
