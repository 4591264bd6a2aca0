"""Vectors made ready for density: neighbours, smoothing over them, principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_CELLS = 2**23
DECIMALS = 6


def unit_rows(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return the rows scaled to length one; a row of zeros stays zero."""
    rows = np.asarray(vectors, dtype=np.float64)
    # First by the largest entry: squares of very large or small ones leave the float range.
    peaks = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    rows = rows / np.where(peaks == 0.0, 1.0, peaks)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    # Adding zero turns -0.0 into 0.0: equal vectors must have equal bytes.
    return (rows / np.where(lengths == 0.0, 1.0, lengths)).astype(np.float32) + np.float32(0.0)


def neighbour_graph(units: NDArray[np.float32], k: int, floor: float) -> Any:  # noqa: ANN401
    """Return who is near whom: exact cosine k nearest neighbours, made symmetric.

    Args:
        units: Unit rows, float32 (n, d).
        k: Neighbours per row, below n. Of equally similar ones, the lowest indices count.
        floor: Cosine below which a row is nobody's neighbour.

    Returns:
        A CSR matrix (n, n) of ones, zero on the diagonal.
    """
    n_rows = len(units)
    if k < 1:
        return sparse.csr_matrix((n_rows, n_rows), dtype=np.float32)
    block = max(1, _BLOCK_CELLS // n_rows)
    columns = np.ascontiguousarray(units.T)
    starts, ends = [], []
    for first in range(0, n_rows, block):
        similarity = units[first : first + block] @ columns
        rows = np.arange(len(similarity))
        similarity[rows, first + rows] = -np.inf
        from_rows, to_rows = _top(similarity, k, floor)
        starts.append(first + from_rows)
        ends.append(to_rows)
    heads, tails = np.concatenate(starts), np.concatenate(ends)
    ones = np.ones(len(heads), dtype=np.float32)
    directed = sparse.csr_matrix((ones, (heads, tails)), shape=(n_rows, n_rows))
    return directed.maximum(directed.T).tocsr()


def nearest(rows: NDArray[np.float32], others: NDArray[np.float32], k: int, floor: float) -> Any:  # noqa: ANN401
    """Return which k others each row is most like, of those that reach the floor.

    Returns:
        A CSR matrix (n_rows, n_others) of ones.
    """
    shape = (len(rows), len(others))
    k = min(k, len(others))
    if k < 1 or not len(rows):
        return sparse.csr_matrix(shape, dtype=np.float32)
    block = max(1, _BLOCK_CELLS // len(others))
    columns = np.ascontiguousarray(others.T)
    starts, ends = [], []
    for first in range(0, len(rows), block):
        from_rows, to_rows = _top(rows[first : first + block] @ columns, k, floor)
        starts.append(first + from_rows)
        ends.append(to_rows)
    heads, tails = np.concatenate(starts), np.concatenate(ends)
    return sparse.csr_matrix((np.ones(len(heads), dtype=np.float32), (heads, tails)), shape=shape)


def _top(
    similarity: NDArray[np.float32], k: int, floor: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of the k largest entries per row that reach the floor."""
    cut = np.partition(similarity, similarity.shape[1] - k, axis=1)[:, -k]
    chosen = similarity >= np.maximum(cut, np.float32(floor))[:, np.newaxis]
    for row in np.flatnonzero(chosen.sum(axis=1) > k):
        tied = np.flatnonzero(similarity[row] == cut[row])
        above = int((similarity[row] > cut[row]).sum())
        chosen[row, tied[k - above :]] = False
    rows, columns = np.nonzero(chosen)
    return rows, columns


def smooth(units: NDArray[np.float32], graph: Any, steps: int) -> NDArray[np.float32]:  # noqa: ANN401
    """Return each row as the mean of itself and its neighbours, `steps` times over.

    It is mean shift's blurring on a graph (Fukunaga and Hostetler 1975; Cheng 1995): it draws
    members of one topic together where TF-IDF alone leaves them at near right angles.
    """
    averaging = (graph + sparse.identity(len(units), dtype=np.float32, format="csr")).tocsr()
    for _ in range(steps):
        units = unit_rows(averaging @ units)
    return units


def draw_to_centres(
    units: NDArray[np.float32], groups: NDArray[np.intp], share: float
) -> NDArray[np.float32]:
    """Return the rows with those of a known group drawn to the group's centre.

    Args:
        units: Unit rows, float32 (n, d).
        groups: The group of each row, or -1; (n,).
        share: Weight of the centre in the mean with the row, in [0, 1).
    """
    known = np.flatnonzero(groups >= 0)
    if share == 0.0 or len(known) == 0:
        return units
    centres = group_centres(units, groups, int(groups.max()) + 1)
    drawn = units.copy()
    drawn[known] = unit_rows((1.0 - share) * units[known] + share * centres[groups[known]])
    return drawn


def group_centres(
    units: NDArray[np.float32], groups: NDArray[np.intp], n_groups: int
) -> NDArray[np.float32]:
    """Return the unit mean of each group's rows, float32 (n_groups, d)."""
    sums = np.zeros((n_groups, units.shape[1]))
    grouped = groups >= 0
    np.add.at(sums, groups[grouped], units[grouped].astype(np.float64))
    return unit_rows(sums)


def principal_components(units: NDArray[np.float32], dimensions: int) -> NDArray[np.float64]:
    """Return the rows on their first principal components, rounded, with a fixed sign.

    Each component points to where its loading of largest size is positive.
    """
    if len(units) == 0:
        return np.zeros((0, dimensions))
    centred = units.astype(np.float64) - units.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :dimensions]
    peaks = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    scores: NDArray[np.float64] = centred @ (axes * np.where(peaks < 0, -1.0, 1.0))
    return np.round(scores, DECIMALS) + 0.0
