"""The input of `cluster`: checked, in trace_id order, equal vectors put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gitloop.core.cluster.graph import unit_rows
from gitloop.core.cluster.results import NOISE
from gitloop.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Items:
    """Failures in the order of their trace_ids.

    Attributes:
        order: For each item its row in the input.
        trace_ids: Ascending.
        texts: One per item.
        weights: One per item, above 0.
        points: The distinct unit vectors, in the order in which the items first have them.
        point_of: The point of each item.
        counts: How many failures each point stands for: its items' weights, each rounded to a
            whole number of at least 1.
    """

    order: NDArray[np.intp]
    trace_ids: tuple[str, ...]
    texts: tuple[str, ...]
    weights: NDArray[np.float64]
    points: NDArray[np.float32]
    point_of: NDArray[np.intp]
    counts: NDArray[np.intp]

    @property
    def units(self) -> NDArray[np.float32]:
        """The unit vector of each item."""
        return self.points[self.point_of]

    def known_points(self, known: Mapping[str, str]) -> NDArray[np.intp]:
        """Return the known cluster of each point as a number, or -1.

        A point whose items come from several clusters belongs to the heaviest, then to the
        first by cluster_id.
        """
        numbers = {name: number for number, name in enumerate(sorted(set(known.values()) - {""}))}
        votes: dict[int, dict[int, float]] = {}
        for point, trace_id, weight in zip(
            self.point_of.tolist(), self.trace_ids, self.weights.tolist(), strict=True
        ):
            number = numbers.get(known.get(trace_id, ""), NOISE)
            if number != NOISE:
                vote = votes.setdefault(point, {})
                vote[number] = vote.get(number, 0.0) + weight
        groups = np.full(len(self.points), NOISE, dtype=np.intp)
        for point, vote in votes.items():
            groups[point] = min(vote, key=lambda number: (-vote[number], number))
        return groups

    def seen_points(self, known: Mapping[str, str]) -> NDArray[np.bool_]:
        """Return whether each point has an item that the last run knew, noise included."""
        seen = np.array([trace_id in known for trace_id in self.trace_ids], dtype=np.bool_)
        return np.bincount(self.point_of, weights=seen, minlength=len(self.points)) > 0


def read_items(
    texts: Sequence[str],
    embeddings: NDArray[np.floating[Any]],
    trace_ids: Sequence[str],
    weights: NDArray[np.floating[Any]],
) -> Items:
    """Return the items, checked and sorted.

    Raises:
        DataError: The columns do not fit together; every fault is named with its row.
    """
    vectors = np.asarray(embeddings)
    if vectors.size == 0 and len(trace_ids) == 0:
        vectors = np.zeros((0, 1), dtype=np.float32)
    masses = np.asarray(weights, dtype=np.float64)
    _check_shapes(len(texts), vectors.shape, len(trace_ids), masses.shape)
    _check_rows(vectors, trace_ids, masses)
    ranked = sorted(range(len(trace_ids)), key=lambda row: trace_ids[row])
    order = np.array(ranked, dtype=np.intp)
    points, point_of = _distinct(unit_rows(vectors[order]))
    reports = np.maximum(1, np.rint(masses[order]))
    return Items(
        order=order,
        trace_ids=tuple(trace_ids[row] for row in ranked),
        texts=tuple(texts[row] for row in ranked),
        weights=masses[order],
        points=points,
        point_of=point_of,
        counts=np.bincount(point_of, weights=reports, minlength=len(points)).astype(np.intp),
    )


def _check_shapes(
    n_texts: int, vectors: tuple[int, ...], n_ids: int, weights: tuple[int, ...]
) -> None:
    """Refuse columns of different lengths."""
    if n_texts != n_ids or weights != (n_ids,) or len(vectors) != 2 or vectors[0] != n_ids:
        raise DataError(
            f"clustering needs one text, vector and weight per trace: {n_ids} trace_ids, "
            f"{n_texts} texts, embeddings of shape {vectors}, weights of shape {weights}"
        )


def _check_rows(
    vectors: NDArray[np.floating[Any]], trace_ids: Sequence[str], weights: NDArray[np.float64]
) -> None:
    """Refuse vectors and weights that are no numbers, and trace_ids that repeat."""
    finite = np.isfinite(vectors).all(axis=1)
    usable = np.isfinite(weights) & (weights > 0.0)
    seen: dict[str, int] = {}
    faults = []
    for row, trace_id in enumerate(trace_ids):
        place = f"row {row} ({trace_id})"
        if not finite[row]:
            faults.append(f"{place}: the embedding holds NaN or infinity")
        if not usable[row]:
            faults.append(f"{place}: the weight is {weights[row]}, not a number above 0")
        if trace_id in seen:
            faults.append(f"{place}: the trace_id stands in row {seen[trace_id]} too")
        seen.setdefault(trace_id, row)
    if faults:
        shown = faults[:_MAX_FAULTS]
        if len(faults) > len(shown):
            shown.append(f"and {len(faults) - len(shown)} more")
        lines = "\n".join(f"  {fault}" for fault in shown)
        raise DataError(
            f"{len(faults)} of the failures cannot be clustered:\n{lines}",
            hint="embed these texts again, or leave them out",
        )


def _distinct(units: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return the distinct rows by first appearance, and which of them each row is."""
    number_of: dict[bytes, int] = {}
    point_of = np.array(
        [number_of.setdefault(row.tobytes(), len(number_of)) for row in units], dtype=np.intp
    )
    _, first = np.unique(point_of, return_index=True)
    return units[first], point_of.reshape(-1)
