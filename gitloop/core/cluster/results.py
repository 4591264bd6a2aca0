"""What `cluster` takes and gives: settings, clusters, the clustering, its metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitloop.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NOISE = -1
"""The label of an item that belongs to no cluster."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How failures are clustered: one configuration for all data.

    Nothing is random but which failures are sampled, and that follows the seed.

    Attributes:
        min_cluster_size: Fewest failures in a cluster, at least 2; None lets it grow with the
            number n of failures: max(4, n^0.32), that is 4 up to 109, 6 at 300, 16 at 6,000.
        min_samples: Neighbours that make a place dense, at least 1.
        smoothing_neighbours: Nearest neighbours of the smoothing graph, of which at most 0.7·√n
            are used; 0 turns smoothing off.
        smoothing_steps: How often each vector becomes the mean of itself and its neighbours.
        pca_dimensions: Dimensions that HDBSCAN sees.
        min_similarity: Cosine below which two texts have nothing in common: they are no
            neighbours, and a cluster whose pairs stay below it on average is parted.
        soft_assignment: Whether a noise item that would be no outlier in the nearest cluster
            joins it. Such items are marked; genuine one-offs then enter clusters.
        n_representatives: Cases per cluster that people look at, at most; at least 1.
        anchor: How far an item of a known cluster is drawn to that cluster's centre, in [0, 1).
        sample: Of more distinct vectors than this, so many are clustered and the others join them;
            at least 100, or None for never.
        is_incremental: Whether known members keep their cluster, new failures join one, and only
            the rest is clustered.
        stability_draws: Half samples that are clustered again to see which clusters last; 0 is
            off.
        seed: Where samples are drawn from.
    """

    min_cluster_size: int | None = None
    min_samples: int = 1
    smoothing_neighbours: int = 12
    smoothing_steps: int = 2
    pca_dimensions: int = 40
    min_similarity: float = 0.1
    soft_assignment: bool = False
    n_representatives: int = 8
    anchor: float = 0.5
    sample: int | None = 30_000
    is_incremental: bool = False
    stability_draws: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that no clustering could honour, all faults at once.

        Raises:
            ConfigError: A value is out of range.
        """
        minimum = {
            "min_cluster_size": 2,
            "min_samples": 1,
            "smoothing_neighbours": 0,
            "smoothing_steps": 0,
            "pca_dimensions": 1,
            "n_representatives": 1,
            "sample": 100,
            "stability_draws": 0,
        }
        faults = [
            f"{name} must be at least {low}, not {getattr(self, name)}"
            for name, low in minimum.items()
            if getattr(self, name) is not None and getattr(self, name) < low
        ]
        if not -1.0 <= self.min_similarity <= 1.0:
            faults.append(f"min_similarity must lie in [-1, 1], not {self.min_similarity}")
        if not 0.0 <= self.anchor < 1.0:
            faults.append(f"anchor must lie in [0, 1), not {self.anchor}")
        if faults:
            raise ConfigError("cluster: " + "; ".join(faults))

    def cluster_size(self, n_failures: int) -> int:
        """Return the fewest failures that make a cluster among `n_failures`."""
        if self.min_cluster_size is not None:
            return self.min_cluster_size
        return max(4, round(math.pow(n_failures, 0.32)))

    def neighbours(self, n_points: int) -> int:
        """Return the number of neighbours of the graph, below `n_points`.

        Without smoothing the graph still tells who has a neighbour at all.
        """
        grown = max(2, round(0.7 * math.sqrt(n_points)))
        return max(0, min(self.smoothing_neighbours or 12, grown, n_points - 1))


@dataclass(frozen=True, slots=True)
class Cluster:
    """One named group of failures.

    Attributes:
        cluster_id: "c-" and the first 8 hex digits of the SHA-256 of the medoid's trace_id.
        name: Three to four words that set the cluster apart, or the medoid's line.
        keywords: The terms of the name, most telling first; empty when there are none.
        line: The medoid's first line, shortened.
        medoid_trace_id: The member most similar to all others.
        representatives: trace_ids to read and label first, medoid first.
        n_items: Members, soft ones included.
        n_soft: Members that joined by soft assignment.
        weight: Sum of the members' weights.
        cohesion: Mean cosine over pairs of distinct members before smoothing, in [-1, 1].
        persistence: HDBSCAN's persistence, in [0, 1]; 1 for a cluster of one repeated text.
        stability: How much of it comes back when half of the failures are clustered: mean Jaccard
            over draws (Hennig 2007), in [0, 1]; None where no draw says anything.
    """

    cluster_id: str
    name: str
    keywords: tuple[str, ...]
    line: str
    medoid_trace_id: str
    representatives: tuple[str, ...]
    n_items: int
    n_soft: int
    weight: float
    cohesion: float
    persistence: float
    stability: float | None = None


@dataclass(frozen=True, slots=True)
class ClusterMetrics:
    """How the clustering as a whole looks.

    Attributes:
        n_items: Items clustered.
        n_clusters: Clusters found.
        noise_rate: Share of the items in no cluster; 0 when there are no items.
        noise_weight_rate: Share of the weight in no cluster.
        validity: HDBSCAN's relative validity (a fast DBCV, Moulavi et al. 2014), in [-1, 1],
            higher is better; None when density decided nothing.
        stability: Mean stability of the clusters, by their weight; None without any.
        sizes: Items per cluster, in the order of the clusters.
        min_cluster_size: The size that was used.
        min_samples: The number that was used.
    """

    n_items: int
    n_clusters: int
    noise_rate: float
    noise_weight_rate: float
    validity: float | None
    stability: float | None
    sizes: tuple[int, ...]
    min_cluster_size: int
    min_samples: int


@dataclass(frozen=True, slots=True)
class Clustering:
    """Each item in exactly one cluster or in the noise, in the order of the input.

    Attributes:
        trace_ids: The items.
        labels: Index into `clusters`, or -1 for noise; intp (n,).
        membership: Strength of the membership in [0, 1], 0 for noise; float64 (n,).
        runner_up: The most similar cluster that is not the item's own (of a noise item: the most
            similar one), or -1 when there is none; intp (n,).
        margin: Cosine to the own centre minus that to the runner-up's, in [-2, 2]; near or below
            zero is a boundary case; NaN without either; float64 (n,).
        soft: Whether the item joined by soft assignment; bool (n,).
        clusters: By falling weight, then by cluster_id.
        metrics: The whole in numbers.
    """

    trace_ids: tuple[str, ...]
    labels: NDArray[np.intp]
    membership: NDArray[np.float64]
    runner_up: NDArray[np.intp]
    margin: NDArray[np.float64]
    soft: NDArray[np.bool_]
    clusters: tuple[Cluster, ...]
    metrics: ClusterMetrics
