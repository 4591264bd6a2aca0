"""Clusters that keep their names over nights: tonight's matched to last night's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from gitloop.core.cluster.describe import mint_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MATCH_FLOOR = 0.25
"""Jaccard of the persisting members below which a cluster is new."""

SPLIT_SHARE = 0.25
"""Share of a cluster's persisting members that makes another cluster a part of it."""

MERGE_SHARE = 0.5
"""Share of a cluster's persisting members that must go to one cluster to be merged into it."""

_TIE_BREAK = 1e-4


@dataclass(frozen=True, slots=True)
class Night:
    """What one run left behind.

    Attributes:
        members: trace_id → cluster_id of every failure, "" for noise.
        medoids: cluster_id → trace_id of the medoid, one per cluster.
        lines: cluster_id → the medoid's line, for the tie-break; may lack any.
    """

    members: Mapping[str, str]
    medoids: Mapping[str, str]
    lines: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """A cluster that lives on.

    Attributes:
        cluster_id: The id it keeps.
        current_id: The id that tonight's run gave it.
        jaccard: Overlap of the persisting members, in [0, 1].
    """

    cluster_id: str
    current_id: str
    jaccard: float


@dataclass(frozen=True, slots=True)
class Change:
    """A split or a merge, in final ids.

    Attributes:
        cluster_id: The cluster that split, or that others merged into.
        parts: Where it went, or where it came from, ascending; itself included if it lives on.
    """

    cluster_id: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """How tonight's clusters continue last night's.

    Attributes:
        ids: Tonight's own cluster_id → the final one, for every cluster of tonight.
        matches: Clusters that live on, by cluster_id.
        births: Final ids of clusters that continue none, ascending.
        deaths: Last night's ids that none continues, ascending.
        splits: Last night's clusters whose members went to two or more, by id.
        merges: Tonight's clusters that took most of two or more, by id.
        n_persisting: Failures of both nights that had a cluster last night.
        n_kept: Those of them that have the same cluster_id tonight.
    """

    ids: Mapping[str, str]
    matches: tuple[Match, ...]
    births: tuple[str, ...]
    deaths: tuple[str, ...]
    splits: tuple[Change, ...]
    merges: tuple[Change, ...]
    n_persisting: int
    n_kept: int

    @property
    def kept_rate(self) -> float:
        """Share of the persisting failures that keep their cluster, 1 when none persist."""
        return self.n_kept / self.n_persisting if self.n_persisting else 1.0


def match(previous: Night, current: Night, floor: float = MATCH_FLOOR) -> Identity:
    """Return which of tonight's clusters are which of last night's, one to one.

    The assignment maximises the summed Jaccard of the persisting members (Kuhn 1955); between
    equal sums the one with more similar medoids wins. Below `floor` a cluster is new. Its
    content-derived id is kept unless that id stands for another cluster.

    Args:
        previous: Last night.
        current: Tonight, with the ids that `cluster` gave.
        floor: Smallest Jaccard that carries an id over, in (0, 1].
    """
    old_ids, new_ids = sorted(previous.medoids), sorted(current.medoids)
    shared = _shared_members(previous, current, old_ids, new_ids)
    overlap = shared[:-1, :-1]
    union = shared[:-1].sum(axis=1)[:, np.newaxis] + shared[:, :-1].sum(axis=0) - overlap
    jaccard = overlap / np.maximum(union, 1)
    score = np.where(jaccard >= floor, jaccard, 0.0)
    score += _TIE_BREAK * (score > 0) * _medoid_similarity(previous, current, old_ids, new_ids)
    rows, columns = linear_sum_assignment(score, maximize=True)
    matches = tuple(
        Match(old_ids[row], new_ids[column], round(float(jaccard[row, column]), 6))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if score[row, column] > 0
    )
    ids = _final_ids(matches, current, set(old_ids))
    finals = [ids[name] for name in new_ids]
    kept = {one.current_id for one in matches}
    place = {name: number for number, name in enumerate(new_ids)}
    n_kept = sum(shared[old_ids.index(one.cluster_id), place[one.current_id]] for one in matches)
    return Identity(
        ids=ids,
        matches=matches,
        births=tuple(sorted(ids[name] for name in new_ids if name not in kept)),
        deaths=tuple(sorted(set(old_ids) - {one.cluster_id for one in matches})),
        splits=_splits(shared, old_ids, finals),
        merges=_merges(shared, old_ids, finals),
        n_persisting=int(shared[:-1].sum()),
        n_kept=int(n_kept),
    )


def _shared_members(
    previous: Night, current: Night, old_ids: Sequence[str], new_ids: Sequence[str]
) -> NDArray[np.intp]:
    """Return how many persisting failures went from where to where; noise is the last."""
    row_of = {name: row for row, name in enumerate(old_ids)}
    column_of = {name: column for column, name in enumerate(new_ids)}
    shared = np.zeros((len(old_ids) + 1, len(new_ids) + 1), dtype=np.intp)
    for trace_id, old in previous.members.items():
        if trace_id in current.members:
            new = current.members[trace_id]
            shared[row_of.get(old, len(old_ids)), column_of.get(new, len(new_ids))] += 1
    return shared


def _medoid_similarity(
    previous: Night, current: Night, old_ids: Sequence[str], new_ids: Sequence[str]
) -> NDArray[np.float64]:
    """Return how alike two medoids are: 1 for the same trace, else the Jaccard of their words."""
    old_words = [_words(previous.lines.get(name, "")) for name in old_ids]
    new_words = [_words(current.lines.get(name, "")) for name in new_ids]
    similarity = np.zeros((len(old_ids), len(new_ids)))
    for row, old in enumerate(old_words):
        for column, new in enumerate(new_words):
            same = previous.medoids[old_ids[row]] == current.medoids[new_ids[column]]
            similarity[row, column] = 1.0 if same else len(old & new) / max(1, len(old | new))
    return similarity


def _words(line: str) -> frozenset[str]:
    """Return the words of a line."""
    return frozenset(re.findall(r"\w+", line.casefold()))


def _final_ids(matches: Sequence[Match], current: Night, old_ids: set[str]) -> dict[str, str]:
    """Return the id of each of tonight's clusters; a new one never takes a known id."""
    ids = {one.current_id: one.cluster_id for one in matches}
    taken = set(old_ids)
    for name in sorted(set(current.medoids) - set(ids)):
        final = name if name not in taken else mint_id(current.medoids[name], taken)
        ids[name] = final
        taken.add(final)
    return dict(sorted(ids.items()))


def _splits(
    shared: NDArray[np.intp], old_ids: Sequence[str], finals: Sequence[str]
) -> tuple[Change, ...]:
    """Return last night's clusters of which two or more of tonight's hold a fair share."""
    changes = []
    for row, name in enumerate(old_ids):
        share = shared[row, :-1] >= max(2.0, SPLIT_SHARE * shared[row].sum())
        parts = tuple(sorted(finals[column] for column in np.flatnonzero(share).tolist()))
        if len(parts) > 1:
            changes.append(Change(name, parts))
    return tuple(changes)


def _merges(
    shared: NDArray[np.intp], old_ids: Sequence[str], finals: Sequence[str]
) -> tuple[Change, ...]:
    """Return tonight's clusters that took most of two or more of last night's."""
    changes = []
    sizes = np.maximum(1, shared[:-1].sum(axis=1))
    for column, name in enumerate(finals):
        share = shared[:-1, column] >= MERGE_SHARE * sizes
        parts = tuple(old_ids[row] for row in np.flatnonzero(share).tolist())
        if len(parts) > 1:
            changes.append(Change(name, parts))
    return tuple(sorted(changes, key=lambda change: change.cluster_id))
