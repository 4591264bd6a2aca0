"""Clusters described from their members: identity, medoid, representatives, cohesion."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gitloop.core.cluster.names import keywords, shorten
from gitloop.core.cluster.results import NOISE, Cluster

if TYPE_CHECKING:
    from collections.abc import Container

    from numpy.typing import NDArray

    from gitloop.core.cluster.items import Items

RELEVANCE = 0.7
"""Weight of being central against being different, in maximal marginal relevance."""


def mint_id(medoid_trace_id: str, taken: Container[str] = ()) -> str:
    """Return the cluster_id that a medoid gives: "c-" and 8 hex digits of its SHA-256.

    When another cluster has that id, the digits of "<trace_id>#2", "#3" and so on are tried.
    """
    attempt, key = 1, medoid_trace_id
    while True:
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        cluster_id = f"c-{digest[:8]}"
        if cluster_id not in taken:
            return cluster_id
        attempt += 1
        key = f"{medoid_trace_id}#{attempt}"


def cohesion(units: NDArray[np.float32]) -> float:
    """Return the mean cosine over pairs of distinct rows, in [-1, 1]; 1 for a single row."""
    distinct = np.unique(units, axis=0).astype(np.float64)
    n_rows = len(distinct)
    if n_rows < 2:
        return 1.0
    own = float((distinct**2).sum())
    total = float((distinct.sum(axis=0) ** 2).sum())
    return round((total - own) / (n_rows * (n_rows - 1)), 6)


def medoid(units: NDArray[np.float32], weights: NDArray[np.float64]) -> int:
    """Return the row with the highest weighted mean cosine to all rows.

    Of equals the heavier counts, then the first.
    """
    centrality = np.round(units @ (weights @ units.astype(np.float64)) / weights.sum(), 6)
    return int(np.lexsort((np.arange(len(units)), -weights, -centrality))[0])


def representatives(
    units: NDArray[np.float32], weights: NDArray[np.float64], first: int, most: int
) -> list[int]:
    """Return the rows to look at first: central ones that differ from each other.

    Maximal marginal relevance (Carbonell and Goldstein 1998): after the medoid, each next row
    maximises 0.7 · cosine to the weighted centre - 0.3 · largest cosine to a row chosen before.
    Equal vectors count once while others are left; of equals the heavier counts, then the first.

    Args:
        units: Unit rows of the members, float32 (n, d).
        weights: Their weights, (n,).
        first: The medoid's row.
        most: How many are wanted, at least 1.
    """
    n_rows = len(units)
    wanted = min(n_rows, most)
    centre = weights @ units.astype(np.float64)
    length = float(np.linalg.norm(centre))
    relevance = units @ (centre / length) if length else np.zeros(n_rows)
    chosen = [first]
    nearest = np.full(n_rows, -1.0)
    while len(chosen) < wanted:
        nearest = np.maximum(nearest, units @ units[chosen[-1]])
        score = np.round(RELEVANCE * relevance - (1.0 - RELEVANCE) * nearest, 6)
        score[nearest > 1.0 - 1e-5] -= 2.0
        score[chosen] = -np.inf
        chosen.append(int(np.lexsort((np.arange(n_rows), -weights, -score))[0]))
    return chosen


def describe(
    items: Items,
    labels: NDArray[np.intp],
    soft: NDArray[np.bool_],
    persistence: NDArray[np.float64],
    n_representatives: int,
) -> tuple[tuple[Cluster, ...], NDArray[np.intp]]:
    """Return the clusters by falling weight, and the new number of each label.

    Name, medoid, representatives and cohesion come from those that density put there; soft
    members only count.

    Args:
        items: The failures.
        labels: Label of each item, 0..k-1, or -1; (n,).
        soft: Whether the item joined by soft assignment; (n,).
        persistence: Per label, (k,).
        n_representatives: Cases per cluster that people look at, at most.
    """
    hard = np.where(soft, NOISE, labels)
    texts = {
        label: [items.texts[row] for row in np.flatnonzero(hard == label)]
        for label in range(len(persistence))
    }
    noise = [items.texts[row] for row in np.flatnonzero(labels == NOISE)]
    terms = keywords(texts, noise)
    taken: set[str] = set()
    clusters = []
    for label in range(len(persistence)):
        rows = np.flatnonzero(hard == label)
        one = _describe_one(items, rows, terms[label], taken, n_representatives)
        everyone = labels == label
        clusters.append(
            replace(
                one,
                n_items=int(everyone.sum()),
                n_soft=int((everyone & soft).sum()),
                weight=round(float(items.weights[everyone].sum()), 6),
                persistence=float(persistence[label]),
            )
        )
        taken.add(one.cluster_id)
    by_weight = sorted(
        range(len(clusters)),
        key=lambda label: (-clusters[label].weight, clusters[label].cluster_id),
    )
    numbers = np.empty(len(clusters), dtype=np.intp)
    numbers[by_weight] = np.arange(len(clusters))
    return tuple(clusters[label] for label in by_weight), numbers


def _describe_one(
    items: Items,
    rows: NDArray[np.intp],
    terms: tuple[str, ...],
    taken: Container[str],
    n_representatives: int,
) -> Cluster:
    """Return one cluster as its hard members show it."""
    units, weights = items.units[rows], items.weights[rows]
    first = medoid(units, weights)
    trace_id = items.trace_ids[rows[first]]
    line = shorten(items.texts[rows[first]])
    return Cluster(
        cluster_id=mint_id(trace_id, taken),
        name=", ".join(terms) or line,
        keywords=terms,
        line=line,
        medoid_trace_id=trace_id,
        representatives=tuple(
            items.trace_ids[rows[row]]
            for row in representatives(units, weights, first, n_representatives)
        ),
        n_items=len(rows),
        n_soft=0,
        weight=float(weights.sum()),
        cohesion=cohesion(units),
        persistence=1.0,
    )
