"""Neighbours, smoothing, components and density do what their papers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hdbscan
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from gitloop.core.cluster import ClusterSettings, cluster
from gitloop.core.cluster.density import find_groups
from gitloop.core.cluster.graph import (
    draw_to_centres,
    neighbour_graph,
    principal_components,
    smooth,
    unit_rows,
)
from gitloop.core.cluster.grouping import strays

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _cloud(n_rows: int, dimensions: int, seed: int = 0) -> NDArray[np.float32]:
    """Return random unit rows."""
    return unit_rows(np.random.default_rng(seed).standard_normal((n_rows, dimensions)))


@pytest.mark.parametrize("block", [7, 1_000])
def test_neighbours_are_those_of_scikit_learn(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The symmetric graph holds exactly the k nearest by cosine, in any number of blocks."""
    monkeypatch.setattr("gitloop.core.cluster.graph._BLOCK_CELLS", block * 60)
    units = _cloud(60, 5)
    model = NearestNeighbors(n_neighbors=4, metric="cosine").fit(units)
    directed = model.kneighbors_graph().toarray() > 0
    expected = directed | directed.T
    assert (neighbour_graph(units, 4, -1.0).toarray() > 0).tolist() == expected.tolist()


def test_ties_go_to_the_lowest_index() -> None:
    """Of equally near rows the first ones are the neighbours."""
    units = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (6, 1))
    graph = neighbour_graph(units, 2, -1.0).toarray()
    assert graph[5].tolist() == [1, 1, 0, 0, 0, 0]
    assert graph[0].tolist() == [0, 1, 1, 1, 1, 1]


def test_strangers_are_no_neighbours() -> None:
    """Below the floor a row has no neighbour, however near it is by comparison."""
    graph = neighbour_graph(np.eye(4, dtype=np.float32), 2, 0.1)
    assert graph.nnz == 0


@given(st.integers(1, 12), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_smoothing_keeps_unit_rows(n_rows: int, steps: int) -> None:
    """Smoothed rows have length one."""
    units = _cloud(n_rows, 4, seed=n_rows)
    smoothed = smooth(units, neighbour_graph(units, min(3, n_rows - 1), 0.0), steps)
    assert np.linalg.norm(smoothed, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_drawing_moves_known_rows_only() -> None:
    """Members of a known group come closer to each other; the others stay."""
    units = _cloud(10, 6)
    groups = np.array([0, 0, 0, -1, -1, 1, 1, -1, -1, -1])
    drawn = draw_to_centres(units, groups, 0.5)
    assert drawn[groups < 0].tolist() == units[groups < 0].tolist()
    assert drawn[0] @ drawn[1] > units[0] @ units[1]


def test_components_are_those_of_scikit_learn() -> None:
    """The scores equal scikit-learn's PCA but for the sign, which is ours to fix."""
    units = _cloud(80, 6)
    expected = PCA(3, svd_solver="full").fit_transform(units.astype(np.float64))
    scores = principal_components(units, 3)
    assert np.abs(scores) == pytest.approx(np.abs(expected), abs=2e-6)
    assert principal_components(-units, 3) == pytest.approx(-scores, abs=2e-6)


def test_vectors_at_the_edge_of_float_have_length_one() -> None:
    """Very large and very small vectors are scaled without overflow; zeros stay zeros."""
    rows = unit_rows(np.array([[1e300, 1e300], [1e-300, 0.0], [0.0, 0.0]]))
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1.0, 1.0, 0.0])


def test_a_place_reported_often_is_a_group() -> None:
    """A place far from all others is noise when reported once, a group when reported often."""
    loose = np.round(np.random.default_rng(0).normal(0, 0.3, (40, 2)), 6)
    scores = np.vstack([loose, loose + 20.0, [[90.0, -90.0]]])
    once = np.ones(len(scores), dtype=np.intp)
    often = np.append(once[:-1], 500)
    assert find_groups(scores, once, 8, 4).labels[-1] == -1
    found = find_groups(scores, often, 8, 4)
    assert (found.labels == found.labels[-1]).sum() == 1
    assert len(found.persistence) == found.labels.max() + 1
    validity = found.validity(found.labels)
    assert validity is not None
    assert 0.0 < validity <= 1.0


def test_groups_are_those_of_hdbscan() -> None:
    """Without repetition the groups are the package's own, whatever their numbers."""
    chance = np.random.default_rng(1)
    scores = np.vstack([chance.normal(centre, 0.5, (30, 3)) for centre in (0.0, 4.0, 9.0)])
    expected = hdbscan.HDBSCAN(min_cluster_size=6, min_samples=3).fit(scores)
    found = find_groups(scores, np.ones(90, dtype=np.intp), 6, 3)
    assert adjusted_rand_score(expected.labels_, found.labels) == 1.0
    assert found.membership == pytest.approx(expected.probabilities_, abs=1e-6)


def test_no_rows_have_no_groups() -> None:
    """Nothing to group is a result, not an error."""
    found = find_groups(np.zeros((0, 2)), np.zeros(0, dtype=np.intp), 4, 2)
    assert (len(found.labels), len(found.persistence)) == (0, 0)
    assert found.validity(found.labels) is None


def test_a_group_of_everything_is_parted() -> None:
    """Where density sees one far handful and all the rest, the topics within the rest are found."""
    dice = np.random.default_rng(4)
    centres = dice.normal(size=(12, 40))
    rows = np.repeat(centres, 25, axis=0) + 0.3 * dice.normal(size=(300, 40))
    far = np.hstack([1e-3 * dice.normal(size=(8, 40)), np.ones((8, 1))])
    vectors = np.vstack([np.hstack([rows, np.zeros((300, 1))]), far]).astype(np.float32)
    ids = [f"t{row:03}" for row in range(308)]
    found = cluster(ids, vectors, ids, np.ones(308), ClusterSettings(stability_draws=0))
    assert found.metrics.n_clusters == 13
    assert {len(set(found.labels[25 * n : 25 * n + 25].tolist())) for n in range(12)} == {1}


def test_a_stray_is_less_than_half_as_close_as_the_middle_member() -> None:
    """Who shares little with a group is a stray; those at its rim and noise are none."""
    angles = np.radians([0.0, 4.0, -4.0, 30.0, 100.0, 90.0])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = np.array([0, 0, 0, 0, 0, -1])
    assert strays(points, labels).tolist() == [False, False, False, False, True, False]
