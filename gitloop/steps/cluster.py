"""Failures → named clusters, and a noise bucket that is never one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.cluster import Clustering, ClusterSettings, Collapsed, cluster, collapse
from gitloop.core.cluster.frames import clusters_of, members_of
from gitloop.core.failures import failures
from gitloop.errors import ConfigError, DataError
from gitloop.params import Cluster as ClusterParams
from gitloop.params import Embedder as EmbedderPin
from gitloop.plugins import load
from gitloop.protocols import Embedder
from gitloop.storage.files import write_json
from gitloop.tables import CLUSTERS, JOINED, MEMBERS
from gitloop.workspace import Workspace

SCHEMA = "gitloop.cluster/v1"


@dataclass(frozen=True, slots=True)
class ClusterLine:
    """One cluster, as the terminal shows it.

    Attributes:
        cluster_id: Its id.
        name: Its keywords.
        n_failures: Members, duplicates counted.
        weight: Sum of its failures' weights.
        routes: Routes of its members, most frequent first.
        line: The most central failure, shortened.
    """

    cluster_id: str
    name: str
    n_failures: int
    weight: float
    routes: tuple[str, ...]
    line: str


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """What clustering found.

    Attributes:
        n_failures: Failures clustered.
        n_distinct: Distinct ones, after near duplicates were collapsed.
        n_noise: One-offs, in no cluster.
        noise_rate: Share of one-offs, [0, 1].
        clusters: By falling weight.
    """

    n_failures: int
    n_distinct: int
    n_noise: int
    noise_rate: float
    clusters: tuple[ClusterLine, ...]


def cluster_failures(directory: Path) -> ClusterReport:
    """Cluster the failures of loop/join/joined.parquet; write clusters, members and metrics.

    Raises:
        DataError: There is nothing to cluster, or an input is broken; nothing was written.
        ConfigError: The embedder's version is not the pinned one.
    """
    workspace = Workspace(directory)
    params = workspace.params
    joined = workspace.read("loop/join/joined.parquet", JOINED)
    failed = failures(joined, params.failures, params.cluster.text)
    if failed.is_empty():
        raise DataError(
            f"none of {joined.height} joined events makes a failure",
            hint="look at params.yaml: failures, and at loop/join/metrics.json",
        )
    groups, found = _cluster(failed, params.embedder, params.cluster)
    members = members_of(failed, groups, found)
    clusters = clusters_of(failed, members, found)
    workspace.write("loop/cluster/members.parquet", MEMBERS, members)
    workspace.write("loop/cluster/clusters.parquet", CLUSTERS, clusters)
    report = _report(members, clusters, groups)
    write_json(workspace.root / "loop/cluster/metrics.json", _metrics(report, clusters, found))
    return report


def _cluster(
    failed: pl.DataFrame, pin: EmbedderPin, params: ClusterParams
) -> tuple[Collapsed, Clustering]:
    plugin = load("embedders", pin.use)
    if plugin.version != pin.version:
        raise ConfigError(
            f"embedder {pin.use} is version {plugin.version}, but params.yaml pins {pin.version}",
            hint="edit params.yaml: embedder.version; cluster ids may change",
        )
    embedder: Embedder = plugin(dimensions=pin.dimensions, **pin.parameters)
    texts, trace_ids = failed["text"].to_list(), failed["trace_id"].to_list()
    groups = collapse(texts, trace_ids, failed["weight"].to_numpy())
    distinct = [texts[row] for row in groups.first]
    found = cluster(
        distinct,
        embedder.embed(distinct),
        [trace_ids[row] for row in groups.first],
        groups.weights,
        ClusterSettings(
            min_cluster_size=params.min_cluster_size,
            min_samples=params.min_samples,
            smoothing_neighbours=params.smoothing_neighbours,
            smoothing_steps=params.smoothing_steps,
            pca_dimensions=params.pca_dimensions,
            soft_assignment=params.soft_assignment,
            n_representatives=params.representatives,
        ),
    )
    return groups, found


def _report(members: pl.DataFrame, clusters: pl.DataFrame, groups: Collapsed) -> ClusterReport:
    n_noise = members["cluster_id"].null_count()
    lines = tuple(
        ClusterLine(
            cluster_id=row["cluster_id"],
            name=row["name"],
            n_failures=row["size"],
            weight=row["weight"],
            routes=tuple(row["routes"]),
            line=row["medoid_line"],
        )
        for row in clusters.sort("weight", "cluster_id", descending=[True, False]).to_dicts()
    )
    rate = round(n_noise / members.height, 6)
    return ClusterReport(members.height, len(groups.first), n_noise, rate, lines)


def _metrics(report: ClusterReport, clusters: pl.DataFrame, found: Clustering) -> dict[str, Any]:
    """What `gitloop status`, `gitloop label` and `dvc metrics diff` read."""
    kept = ("name", "size", "weight", "cohesion", "representatives")
    validity = found.metrics.validity
    return {
        "schema": SCHEMA,
        "n_failures": report.n_failures,
        "n_distinct": report.n_distinct,
        "n_clusters": len(report.clusters),
        "n_noise": report.n_noise,
        "noise_rate": report.noise_rate,
        "validity": None if validity is None else round(validity, 6),
        "min_cluster_size": found.metrics.min_cluster_size,
        "clusters": {
            row["cluster_id"]: {name: row[name] for name in kept} for row in clusters.to_dicts()
        },
    }
