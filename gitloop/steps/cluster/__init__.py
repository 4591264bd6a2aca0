"""`gitloop cluster`: failures → named clusters that keep their ids over nights."""

from gitloop.steps.cluster.ordering import Ordered, order_failures
from gitloop.steps.cluster.stage import cluster_failures
from gitloop.steps.cluster.telling import ClusterLine, ClusterReport, Nightly
from gitloop.steps.cluster.trail import Trail, trail

__all__ = [
    "ClusterLine",
    "ClusterReport",
    "Nightly",
    "Ordered",
    "Trail",
    "cluster_failures",
    "order_failures",
    "trail",
]
