"""Groups by density: HDBSCAN over places, where a place counts as often as it was reported."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hdbscan
import numpy as np

from gitloop.core.cluster.results import NOISE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Density:
    """What density says about each row.

    Attributes:
        labels: Group of each row, 0..k-1, or -1; (n,).
        membership: HDBSCAN's strength in [0, 1], 0 for noise; (n,).
        persistence: Per group, in [0, 1]; (k,).
        model: The fitted HDBSCAN, or None when there was nothing to fit.
        row_of_point: For each point that the model saw, one row at its place.
    """

    labels: NDArray[np.intp]
    membership: NDArray[np.float64]
    persistence: NDArray[np.float64]
    model: Any
    row_of_point: NDArray[np.intp]

    def validity(self, labels: NDArray[np.intp]) -> float | None:
        """Return the relative validity of a labelling of the rows, or None without groups."""
        if self.model is None:
            return None
        _, self.model.labels_ = np.unique(
            np.append(labels[self.row_of_point], NOISE), return_inverse=True
        )
        self.model.labels_ = self.model.labels_[:-1] - 1
        if self.model.labels_.max() < 0:
            return None
        self.model._relative_validity = None  # noqa: SLF001 (else the first answer is kept)
        with np.errstate(all="ignore"):
            value = float(self.model.relative_validity_)
        return round(value, 6) if np.isfinite(value) else None


def find_groups(
    scores: NDArray[np.float64],
    counts: NDArray[np.intp],
    min_cluster_size: int,
    min_samples: int,
) -> Density:
    """Return HDBSCAN's groups (Campello et al. 2013, excess of mass) of weighted rows.

    Rows at one place are one place. It stands for as many points as it was reported, but for no
    more than half a cluster: one wording said often does not break its topic apart, and two
    make a cluster. A place in no group that was reported often enough is a group of its own.

    Args:
        scores: Rounded positions, float64 (n, d).
        counts: How often each row was reported, at least 1; (n,).
        min_cluster_size: Fewest points in a group, at least 2.
        min_samples: Neighbours that make a place dense, at least 1.
    """
    places, first_row, place_of = np.unique(scores, axis=0, return_index=True, return_inverse=True)
    place_of = place_of.reshape(-1)
    n_places = len(places)
    reported = np.bincount(place_of, weights=counts, minlength=n_places).astype(np.intp)
    labels = np.full(n_places, NOISE, dtype=np.intp)
    membership = np.zeros(n_places)
    persistence = np.zeros(0)
    model = None
    copies = np.clip(reported, 1, (min_cluster_size + 1) // 2)
    if n_places > 1 and copies.sum() >= min_cluster_size:
        model = _fit(np.repeat(places, copies, axis=0), min_cluster_size, min_samples)
        first_copy = np.cumsum(copies) - copies
        labels = np.asarray(model.labels_, dtype=np.intp)[first_copy]
        membership = _fraction(model.probabilities_)[first_copy]
        persistence = _fraction(model.cluster_persistence_)
    alone = np.flatnonzero((labels == NOISE) & (reported >= min_cluster_size))
    labels[alone] = len(persistence) + np.arange(len(alone))
    membership[alone] = 1.0
    return Density(
        labels=labels[place_of],
        membership=membership[place_of],
        persistence=np.append(persistence, np.ones(len(alone))),
        model=model,
        row_of_point=np.repeat(first_row, copies),
    )


def _fit(points: NDArray[np.float64], min_cluster_size: int, min_samples: int) -> Any:  # noqa: ANN401
    """Return the fitted model: exact, single-threaded, one algorithm for every size."""
    model = hdbscan.HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min_samples,
        cluster_selection_method="eom",
        algorithm="prims_kdtree",
        approx_min_span_tree=False,
        gen_min_span_tree=True,
        core_dist_n_jobs=1,
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return model.fit(points)


def _fraction(values: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the values in [0, 1], rounded; what is no number counts as 0."""
    fractions = np.nan_to_num(np.asarray(values, dtype=np.float64)).clip(0.0, 1.0)
    return np.asarray(fractions.round(6), dtype=np.float64)
