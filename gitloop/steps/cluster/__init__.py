"""`gitloop cluster`: failures → named clusters that keep their ids over nights."""

from gitloop.steps.cluster.ordering import Ordered, order_failures
from gitloop.steps.cluster.stage import Drawn, cluster_failures, draw_map
from gitloop.steps.cluster.telling import ClusterLine, ClusterReport, Nightly
from gitloop.steps.cluster.trail import Trail, trail

__all__ = [
    "ClusterLine",
    "ClusterReport",
    "Drawn",
    "Nightly",
    "Ordered",
    "Trail",
    "cluster_failures",
    "draw_map",
    "order_failures",
    "trail",
]
