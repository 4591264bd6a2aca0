"""Failures in, named clusters out: the whole way from vectors to a `Clustering`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from gitloop.core.cluster.assigning import Seen, continued, sampled
from gitloop.core.cluster.describe import describe
from gitloop.core.cluster.graph import group_centres
from gitloop.core.cluster.grouping import Groups, fence, group
from gitloop.core.cluster.items import Items, read_items
from gitloop.core.cluster.results import (
    NOISE,
    Cluster,
    Clustering,
    ClusterMetrics,
    ClusterSettings,
)
from gitloop.core.cluster.stability import overall, stability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_BLOCK_CELLS = 2**24
_DECIMALS = 6


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
        groups = _grouped(items, settings, known or {})
        centres = group_centres(groups.smoothed, groups.labels, len(groups.persistence))
        places = _place(groups.smoothed, centres, groups.labels)
        soft = np.zeros(len(groups.labels), dtype=np.bool_)
        if settings.soft_assignment:
            groups, soft = _join(groups, places)
            places = _place(groups.smoothed, centres, groups.labels)
        labels, soft_items = groups.labels[items.point_of], soft[items.point_of]
        steady = stability(items.points, items.counts, groups, settings)
        clusters, numbers = describe(
            items, labels, soft_items, groups.persistence, settings.n_representatives
        )
        pairs = zip(clusters, np.argsort(numbers).tolist(), strict=True)
        clusters = tuple(replace(one, stability=steady[label]) for one, label in pairs)
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


def _grouped(items: Items, settings: ClusterSettings, known: Mapping[str, str]) -> Groups:
    """Return the groups: of all points at once, of a sample, or of what last night left open."""
    names = items.known_points(known)
    size = settings.cluster_size(int(items.counts.sum()))
    if settings.is_incremental and (names != NOISE).any():
        seen = Seen(names, items.seen_points(known))
        return continued(items.points, items.counts, seen, settings, size)
    if settings.sample is not None and len(items.points) > settings.sample:
        return sampled(items.points, items.counts, names, settings)
    return group(items.points, items.counts, names, settings, size)


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


def _join(groups: Groups, places: _Places) -> tuple[Groups, NDArray[np.bool_]]:
    """Return the groups with the noise that would be no outlier in the nearest one.

    The line is Tukey's lower fence on the members' own cosines to their centre. The membership
    of one who joins is the share of the members that are no closer to the centre.
    """
    labels, membership = groups.labels.copy(), groups.membership.copy()
    candidates = (groups.labels == NOISE) & groups.linked
    for number in range(len(groups.persistence)):
        members = np.sort(places.own[groups.labels == number])
        near = (places.best == number) & (places.other >= fence(members))
        joins = np.flatnonzero(candidates & near)
        labels[joins] = number
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
        stability=overall(clusters),
        sizes=tuple(one.n_items for one in clusters),
        min_cluster_size=size,
        min_samples=settings.min_samples,
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
