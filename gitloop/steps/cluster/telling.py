"""What a run of `gitloop cluster` tells: the report, metrics.json and the map."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import polars as pl

from gitloop.core.cluster import Clustering, Collapsed, NightLine, lay_out
from gitloop.core.cluster.names import shorten
from gitloop.workspace import Workspace

SCHEMA = "gitloop.cluster/v1"
MAP_SCHEMA = "gitloop.cluster_map/v1"
_LIBRARIES = ("hdbscan", "numpy", "scikit-learn", "scipy")
_MOST_MEMBERS = 50
_MOST_NOISE = 5_000


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
        is_new: Whether it continues no cluster of last night.
    """

    cluster_id: str
    name: str
    n_failures: int
    weight: float
    routes: tuple[str, ...]
    line: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Nightly:
    """What became of last night's clusters.

    Attributes:
        number: Number of this night in the ledger, from 1.
        mode: "full" or "incremental".
        n_persisting: Failures of both nights that had a cluster.
        kept_rate: Share of them that keep their cluster's id, [0, 1].
        births: Ids of new clusters.
        deaths: Ids that no cluster has any more.
        splits: cluster_id → where its members went.
        merges: cluster_id → where its members came from.
    """

    number: int
    mode: str
    n_persisting: int
    kept_rate: float
    births: tuple[str, ...]
    deaths: tuple[str, ...]
    splits: dict[str, tuple[str, ...]]
    merges: dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """What clustering found.

    Attributes:
        n_failures: Failures clustered.
        n_distinct: Distinct ones, after near duplicates were collapsed.
        n_noise: One-offs, in no cluster.
        noise_rate: Share of one-offs, [0, 1].
        clusters: By falling weight.
        nightly: What became of last night's clusters, or None on the first night.
    """

    n_failures: int
    n_distinct: int
    n_noise: int
    noise_rate: float
    clusters: tuple[ClusterLine, ...]
    nightly: Nightly | None


def report_of(
    members: pl.DataFrame,
    clusters: pl.DataFrame,
    groups: Collapsed,
    nights: tuple[NightLine, ...],
) -> ClusterReport:
    """The report of a run, from its tables and the ledger that ends with it."""
    n_noise = members["cluster_id"].null_count()
    line = nights[-1]
    is_first = line.previous is None
    lines = tuple(
        ClusterLine(
            cluster_id=row["cluster_id"],
            name=row["name"],
            n_failures=row["size"],
            weight=row["weight"],
            routes=tuple(row["routes"]),
            line=row["medoid_line"],
            is_new=not is_first and row["cluster_id"] in line.births,
        )
        for row in clusters.sort("weight", "cluster_id", descending=[True, False]).to_dicts()
    )
    nightly = Nightly(
        number=len(nights),
        mode=line.mode,
        n_persisting=line.n_persisting,
        kept_rate=line.kept_rate,
        births=line.births,
        deaths=line.deaths,
        splits={change.cluster_id: change.parts for change in line.splits},
        merges={change.cluster_id: change.parts for change in line.merges},
    )
    rate = round(n_noise / members.height, 6)
    return ClusterReport(
        n_failures=members.height,
        n_distinct=len(groups.first),
        n_noise=n_noise,
        noise_rate=rate,
        clusters=lines,
        nightly=None if is_first else nightly,
    )


def metrics_of(
    workspace: Workspace, report: ClusterReport, clusters: pl.DataFrame, found: Clustering
) -> dict[str, Any]:
    """What `gitloop status`, `gitloop label` and `dvc metrics diff` read."""
    kept = ("name", "size", "weight", "cohesion", "stability", "representatives")
    validity = found.metrics.validity
    pin = workspace.params.embedder
    night: dict[str, Any] | None = None
    if report.nightly is not None:
        counts = ("births", "deaths", "splits", "merges")
        night = {f"n_{name}": len(getattr(report.nightly, name)) for name in counts}
        night |= {"mode": report.nightly.mode, "n_persisting": report.nightly.n_persisting}
        night |= {"kept_rate": report.nightly.kept_rate}
    return {
        "schema": SCHEMA,
        "n_failures": report.n_failures,
        "n_distinct": report.n_distinct,
        "n_clusters": len(report.clusters),
        "n_noise": report.n_noise,
        "noise_rate": report.noise_rate,
        "validity": None if validity is None else round(validity, 6),
        "stability": found.metrics.stability,
        "min_cluster_size": found.metrics.min_cluster_size,
        "night": night,
        "embedder": {"use": pin.use, "version": pin.version, "dimensions": pin.dimensions}
        | ({"model": pin.parameters["model"]} if "model" in pin.parameters else {}),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "clusters": {
            row["cluster_id"]: {name: row[name] for name in kept} for row in clusters.to_dicts()
        },
    }


def map_of(
    report: ClusterReport,
    tables: tuple[pl.DataFrame, pl.DataFrame],
    found: Clustering,
    vectors: np.ndarray,
    embedder: str,
) -> dict[str, Any]:
    """What the map shows, as a `gitloop.cluster_map/v1` document.

    Args:
        report: The run's report.
        tables: The rows of members.parquet and of clusters.parquet.
        found: The clustering.
        vectors: The embeddings of its items.
        embedder: The embedder's name.
    """
    members, clusters = tables
    rows = {row["cluster_id"]: row for row in clusters.to_dicts()}
    ordered = [rows[one.cluster_id] for one in found.clusters]
    new = {line.cluster_id for line in report.clusters if line.is_new}
    layout = lay_out(found, vectors, [row["size"] for row in ordered], report.n_noise)
    noise = members.filter(pl.col("cluster_id").is_null()).head(_MOST_NOISE)
    return {
        "schema": MAP_SCHEMA,
        "n_failures": report.n_failures,
        "n_noise": report.n_noise,
        "stability": found.metrics.stability,
        "embedder": embedder,
        "layout": asdict(layout),
        "clusters": [
            {
                **{name: row[name] for name in ("cluster_id", "name", "size", "weight", "routes")},
                "line": row["medoid_line"],
                "stability": row["stability"],
                "is_new": row["cluster_id"] in new,
                "members": _shown(members, row),
            }
            for row in ordered
        ],
        "noise": [
            {"trace_id": row["trace_id"], "line": shorten(row["text"])}
            for row in noise.iter_rows(named=True)
        ],
    }


def _shown(members: pl.DataFrame, cluster: dict[str, Any]) -> list[dict[str, Any]]:
    """The members to list: representatives first, then the strongest."""
    first = list(cluster["representatives"])
    own = (
        members.filter(pl.col("cluster_id") == cluster["cluster_id"])
        .with_columns(first=pl.col("trace_id").is_in(first))
        .sort("first", "probability", "trace_id", descending=[True, True, False])
        .head(_MOST_MEMBERS)
    )
    return [
        {
            **{name: row[name] for name in ("trace_id", "probability", "runner_up")},
            "line": shorten(row["text"]),
            "is_representative": row["first"],
        }
        for row in own.iter_rows(named=True)
    ]
