"""The pure core of `gitloop cluster`: collapse, cluster, and keep identities over nights."""

from gitloop.core.cluster.duplicates import Collapsed, collapse, normalise
from gitloop.core.cluster.identity import Change, Identity, Match, Night, match
from gitloop.core.cluster.pipeline import cluster
from gitloop.core.cluster.results import (
    NOISE,
    Cluster,
    Clustering,
    ClusterMetrics,
    ClusterSettings,
)

__all__ = [
    "NOISE",
    "Change",
    "Cluster",
    "ClusterMetrics",
    "ClusterSettings",
    "Clustering",
    "Collapsed",
    "Identity",
    "Match",
    "Night",
    "cluster",
    "collapse",
    "match",
    "normalise",
]
