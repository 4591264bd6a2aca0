"""The pure core of `gitloop cluster`: collapse, cluster, and keep identities over nights."""

from gitloop.core.cluster.duplicates import Collapsed, collapse, normalise
from gitloop.core.cluster.identity import Change, Identity, Match, Night, match
from gitloop.core.cluster.layout import Layout, lay_out
from gitloop.core.cluster.nights import (
    Continuation,
    NightLine,
    Outputs,
    Whereabouts,
    continuation,
    is_due,
    known_groups,
    night_line,
    night_of,
    parse_nights,
    renamed,
    render,
    whereabouts,
)
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
    "Continuation",
    "Identity",
    "Layout",
    "Match",
    "Night",
    "NightLine",
    "Outputs",
    "Whereabouts",
    "cluster",
    "collapse",
    "continuation",
    "is_due",
    "known_groups",
    "lay_out",
    "match",
    "night_line",
    "night_of",
    "normalise",
    "parse_nights",
    "renamed",
    "render",
    "whereabouts",
]
