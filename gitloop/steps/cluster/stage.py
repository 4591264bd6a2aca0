"""Failures → named clusters, and a noise bucket that is never one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.cluster import (
    Clustering,
    ClusterSettings,
    Collapsed,
    Night,
    NightLine,
    cluster,
    collapse,
    known_groups,
    match,
    night_line,
    night_of,
    renamed,
    render,
)
from gitloop.core.cluster.frames import clusters_of, members_of
from gitloop.core.failures import failures
from gitloop.errors import DataError
from gitloop.evaluation import call_store, embed, open_embedder
from gitloop.params import Cluster as ClusterParams
from gitloop.protocols import Progress, silent
from gitloop.steps.cluster.nights import (
    CLUSTERS_PATH,
    LEDGER,
    MEMBERS_PATH,
    inputs_sha256,
    read_night,
    tonight,
)
from gitloop.storage.calls import CallStore
from gitloop.storage.files import write_json, write_text
from gitloop.tables import CALLS, CLUSTERS, JOINED, MEMBERS
from gitloop.workspace import Workspace

SCHEMA = "gitloop.cluster/v1"
CALLS_PATH = "loop/cluster/calls.parquet"
_LIBRARIES = ("hdbscan", "numpy", "scikit-learn", "scipy")
_NOBODY = Night(members={}, medoids={})


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
        n_persisting: Failures of both nights that had a cluster.
        kept_rate: Share of them that keep their cluster's id, [0, 1].
        births: Ids of new clusters.
        deaths: Ids that no cluster has any more.
        splits: cluster_id → where its members went.
        merges: cluster_id → where its members came from.
    """

    number: int
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


def cluster_failures(
    directory: Path, *, anew: bool = False, progress: Progress = silent
) -> ClusterReport:
    """Cluster the failures of loop/join/joined.parquet; write loop/cluster/.

    Args:
        directory: A directory of the checkout.
        anew: Whether every cluster gets a new id, whatever last night's were.
        progress: Is told how many texts are embedded.

    Raises:
        DataError: There is nothing to cluster, or an input is broken; nothing was written.
        ConfigError: The embedder's version is not the pinned one.
        MissingObjectError: Last night's tables are gone; nothing was written.
        ApiError: An embeddings server failed; what it answered is kept, nothing else was written.
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
    pins = params.model_dump(mode="json", include={"cluster", "embedder", "failures", "seed"})
    inputs = inputs_sha256(failed, pins)
    goes_on = tonight(workspace, inputs, anew=anew)
    last = read_night(workspace, goes_on.previous) if goes_on.previous else _NOBODY
    store = call_store(workspace, CALLS_PATH)
    groups, found = _cluster(workspace, failed, last, store, progress)
    trace_ids = failed["trace_id"].to_list()
    identity = match(last, night_of(trace_ids, groups, found))
    found = renamed(found, identity.ids)
    line = night_line(inputs, goes_on.previous, failed.height, identity)
    members = members_of(failed, groups, found)
    clusters = clusters_of(failed, members, found)
    report = _report(members, clusters, groups, (*goes_on.before, line))
    workspace.write(MEMBERS_PATH, MEMBERS, members)
    workspace.write(CLUSTERS_PATH, CLUSTERS, clusters)
    workspace.write(CALLS_PATH, CALLS, store.used())
    metrics = _metrics(workspace, report, clusters, found)
    write_json(workspace.root / "loop/cluster/metrics.json", metrics)
    write_text(workspace.root / LEDGER, render((*goes_on.before, line)))
    return report


def _cluster(
    workspace: Workspace,
    failed: pl.DataFrame,
    last: Night,
    store: CallStore,
    progress: Progress,
) -> tuple[Collapsed, Clustering]:
    embedder = open_embedder(workspace)
    texts, trace_ids = failed["text"].to_list(), failed["trace_id"].to_list()
    groups = collapse(texts, trace_ids, failed["weight"].to_numpy())
    distinct = [texts[row] for row in groups.first]
    stand_ins = [trace_ids[row] for row in groups.first]
    found = cluster(
        distinct,
        embed(embedder, distinct, stand_ins, store, progress),
        stand_ins,
        groups.weights,
        _settings(workspace.params.cluster),
        known_groups(groups, trace_ids, last.members),
    )
    return groups, found


def _settings(params: ClusterParams) -> ClusterSettings:
    return ClusterSettings(
        min_cluster_size=params.min_cluster_size,
        min_samples=params.min_samples,
        smoothing_neighbours=params.smoothing_neighbours,
        smoothing_steps=params.smoothing_steps,
        pca_dimensions=params.pca_dimensions,
        soft_assignment=params.soft_assignment,
        n_representatives=params.representatives,
    )


def _report(
    members: pl.DataFrame,
    clusters: pl.DataFrame,
    groups: Collapsed,
    nights: tuple[NightLine, ...],
) -> ClusterReport:
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


def _metrics(
    workspace: Workspace, report: ClusterReport, clusters: pl.DataFrame, found: Clustering
) -> dict[str, Any]:
    """What `gitloop status`, `gitloop label` and `dvc metrics diff` read."""
    kept = ("name", "size", "weight", "cohesion", "representatives")
    validity = found.metrics.validity
    pin = workspace.params.embedder
    night: dict[str, float] | None = None
    if report.nightly is not None:
        counts = ("births", "deaths", "splits", "merges")
        night = {f"n_{name}": len(getattr(report.nightly, name)) for name in counts}
        night |= {"n_persisting": report.nightly.n_persisting}
        night |= {"kept_rate": report.nightly.kept_rate}
    return {
        "schema": SCHEMA,
        "n_failures": report.n_failures,
        "n_distinct": report.n_distinct,
        "n_clusters": len(report.clusters),
        "n_noise": report.n_noise,
        "noise_rate": report.noise_rate,
        "validity": None if validity is None else round(validity, 6),
        "min_cluster_size": found.metrics.min_cluster_size,
        "night": night,
        "embedder": {"use": pin.use, "version": pin.version, "dimensions": pin.dimensions}
        | ({"model": pin.parameters["model"]} if "model" in pin.parameters else {}),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "clusters": {
            row["cluster_id"]: {name: row[name] for name in kept} for row in clusters.to_dicts()
        },
    }
