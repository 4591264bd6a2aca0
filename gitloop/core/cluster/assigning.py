"""Points that join groups found before: of a sample, or of last night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from gitloop.core.cluster.describe import cohesion
from gitloop.core.cluster.graph import group_centres, nearest, unit_rows
from gitloop.core.cluster.grouping import Groups, fence, group, strays
from gitloop.core.cluster.results import NOISE, ClusterSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOTERS = 10
"""Nearest neighbours that vote on where a point belongs."""

MAJORITY = 0.5
"""Share of the votes that a group needs; neighbours in noise vote as well."""

_DECIMALS = 6
_BLOCK = 4_096


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last run knew of each point.

    Attributes:
        known: Known cluster as a number, or -1; (n,).
        is_old: Whether it was there at all, noise included; (n,).
    """

    known: NDArray[np.intp]
    is_old: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Votes:
    """What the neighbours say about each point.

    Attributes:
        labels: The group with the most votes if they suffice, or -1; (n,).
        shares: Its share of the votes, 0 for none; (n,).
        near: Who voted, a CSR matrix (n, m) of ones.
    """

    labels: NDArray[np.intp]
    shares: NDArray[np.float64]
    near: sparse.csr_matrix


def vote(
    points: NDArray[np.float32],
    voters: NDArray[np.float32],
    labels: NDArray[np.intp],
    floor: float,
) -> _Votes:
    """Return the group of each point by its nearest voters, where half of them agree.

    A voter below the floor votes for noise. Of equal counts the lower group wins.

    Args:
        points: Unit rows to place, (n, d).
        voters: Unit rows that are placed, (m, d).
        labels: Group of each voter, or -1; (m,).
        floor: Cosine below which a voter has nothing to say.
    """
    near = nearest(points, voters, VOTERS, floor)
    n_voters, n_groups = len(voters), int(labels.max(initial=NOISE)) + 1
    grouped = np.flatnonzero(labels >= 0)
    member = sparse.csr_matrix(
        (np.ones(len(grouped)), (grouped, labels[grouped])), shape=(n_voters, max(1, n_groups))
    )
    found = np.full(len(points), NOISE, dtype=np.intp)
    shares = np.zeros(len(points))
    for first in range(0, len(points), _BLOCK):
        rows = slice(first, first + _BLOCK)
        counts = (near[rows] @ member).toarray()
        best = counts.argmax(axis=1)
        share = counts[np.arange(len(best)), best] / min(VOTERS, n_voters)
        wins = share >= MAJORITY
        found[rows] = np.where(wins, best, NOISE)
        shares[rows] = np.where(wins, share, 0.0)
    return _Votes(found, np.round(shares, _DECIMALS), near)


def sampled(
    points: NDArray[np.float32],
    counts: NDArray[np.intp],
    known: NDArray[np.intp],
    settings: ClusterSettings,
) -> Groups:
    """Return the groups of a sample of the points, which all others join or do not.

    A place that was reported as often as a cluster needs is always in the sample.
    """
    wanted = min(settings.sample or len(points), len(points))
    size = settings.cluster_size(int(counts.sum()))
    order = np.random.default_rng(settings.seed).permutation(len(points))
    often = counts[order] >= size
    chosen = np.sort(np.concatenate([order[often], order[~often]])[:wanted])
    others = np.setdiff1d(np.arange(len(points)), chosen)
    own_size = settings.cluster_size(int(counts[chosen].sum()))
    found = group(points[chosen], counts[chosen], known[chosen], settings, own_size)
    votes = vote(points[others], points[chosen], found.labels, settings.min_similarity)
    labels = np.full(len(points), NOISE, dtype=np.intp)
    membership = np.zeros(len(points))
    linked = np.zeros(len(points), dtype=np.bool_)
    smoothed = points.copy()
    labels[chosen], labels[others] = found.labels, votes.labels
    labels[strays(points, labels)] = NOISE
    membership[chosen], membership[others] = found.membership, votes.shares
    membership[labels == NOISE] = 0.0
    linked[chosen], linked[others] = found.linked, np.diff(votes.near.indptr) > 0
    smoothed[chosen] = found.smoothed
    smoothed[others] = unit_rows(points[others] + votes.near @ found.smoothed)
    return Groups(labels, membership, found.persistence, found.validity, smoothed, linked)


def continued(
    points: NDArray[np.float32],
    counts: NDArray[np.intp],
    seen: Seen,
    settings: ClusterSettings,
    size: int,
) -> Groups:
    """Return last night's groups with the new points that belong to them, and groups of the rest.

    A known group that fell below half the size of a cluster is dissolved.
    """
    labels = seen.known.copy()
    mass = np.bincount(labels[labels >= 0], weights=counts[labels >= 0])
    labels = _renumbered(labels, np.flatnonzero(2 * mass >= size))
    new = np.flatnonzero(~seen.is_old)
    old = np.flatnonzero(seen.is_old)
    membership = np.zeros(len(points))
    n_known = int(labels.max(initial=NOISE)) + 1
    centres = group_centres(points, labels, n_known)
    if len(new):
        votes = vote(points[new], points[old], labels[old], settings.min_similarity)
        belongs = _fits(points[new], votes.labels, centres, _fences(points, labels, centres))
        labels[new] = np.where(belongs, votes.labels, NOISE)
        membership[new] = np.where(belongs, votes.shares, 0.0)
    kept = np.flatnonzero((labels >= 0) & seen.is_old)
    own = (points[kept] * centres[labels[kept]]).sum(axis=1).astype(np.float64)
    membership[kept] = _ranks(np.round(own, _DECIMALS), labels[kept])
    rest = np.flatnonzero(labels == NOISE)
    persistence = np.ones(n_known)
    linked = np.ones(len(points), dtype=np.bool_)
    if len(rest):
        unknown = np.full(len(rest), NOISE, dtype=np.intp)
        found = group(points[rest], counts[rest], unknown, settings, size)
        bar = _usual_cohesion(points, labels, n_known)
        dense = [
            number
            for number in range(len(found.persistence))
            if cohesion(points[rest[found.labels == number]]) >= bar
        ]
        fresh = _renumbered(found.labels, np.array(dense, dtype=np.intp))
        labels[rest] = np.where(fresh == NOISE, NOISE, fresh + n_known)
        membership[rest] = np.where(fresh == NOISE, 0.0, found.membership)
        linked[rest] = found.linked
        persistence = np.append(persistence, found.persistence[dense])
    return Groups(labels, membership, persistence, None, points, linked)


def _fences(
    points: NDArray[np.float32], labels: NDArray[np.intp], centres: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return per group the cosine to its centre below which a point is an outlier."""
    found = np.ones(len(centres))
    for number in range(len(centres)):
        found[number] = fence(_cosines(points[labels == number], centres[number]))
    return found


def _fits(
    points: NDArray[np.float32],
    labels: NDArray[np.intp],
    centres: NDArray[np.float32],
    fences: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return whether each point would be no outlier in its group.

    Neighbours alone would not do: those of a new topic are all old, and have to be somewhere.
    """
    fits = np.asarray(labels != NOISE)
    for row in np.flatnonzero(fits).tolist():
        cosine = _cosines(points[row : row + 1], centres[labels[row]])[0]
        fits[row] = cosine >= fences[labels[row]]
    return fits


def _cosines(points: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the cosine of each point to a centre, rounded."""
    return np.asarray(np.round(points @ centre, _DECIMALS), dtype=np.float64)


def _usual_cohesion(points: NDArray[np.float32], labels: NDArray[np.intp], n_known: int) -> float:
    """Return the median cohesion of the known groups, -1 without any.

    Density compares parts, and what is left over has parts as well: a new cluster must be as tight
    as known ones are, or the one-offs of many nights would become clusters.
    """
    tight = [cohesion(points[labels == number]) for number in range(n_known)]
    return float(np.median(tight)) if tight else -1.0


def _renumbered(labels: NDArray[np.intp], kept: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the labels with the kept ones counted from 0 and all others as noise."""
    lookup = np.full(int(labels.max(initial=NOISE)) + 2, NOISE, dtype=np.intp)
    lookup[kept] = np.arange(len(kept))
    return lookup[labels]


def _ranks(cosines: NDArray[np.float64], labels: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return for each member the share of its group that lies no closer to the centre."""
    shares = np.zeros(len(cosines))
    for number in np.unique(labels):
        rows = np.flatnonzero(labels == number)
        ranked = np.sort(cosines[rows])
        shares[rows] = np.searchsorted(ranked, cosines[rows], side="right") / len(rows)
    return np.round(shares, _DECIMALS)
