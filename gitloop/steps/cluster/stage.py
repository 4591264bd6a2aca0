"""Failures → named clusters, and a noise bucket that is never one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from gitloop.core.cluster import (
    Clustering,
    ClusterSettings,
    Collapsed,
    Night,
    NightLine,
    cluster,
    collapse,
    is_due,
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
from gitloop.evaluation import call_store, embed, keep_calls, open_embedder
from gitloop.params import Cluster as ClusterParams
from gitloop.plugins import load
from gitloop.protocols import Progress, silent
from gitloop.reports import cluster_svg
from gitloop.steps.cluster.nights import (
    CLUSTERS_PATH,
    LEDGER,
    MEMBERS_PATH,
    inputs_sha256,
    read_night,
    tonight,
)
from gitloop.steps.cluster.telling import ClusterReport, map_of, metrics_of, report_of
from gitloop.storage.briefs import given_names
from gitloop.storage.calls import CallStore
from gitloop.storage.files import write_json, write_text
from gitloop.tables import CLUSTERS, JOINED, MEMBERS
from gitloop.workspace import Workspace

CALLS_PATH = "loop/cluster/calls.parquet"
_NOBODY = Night(members={}, medoids={})


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
    ran = _run(workspace, progress, anew=anew)
    report, members, clusters = ran.report, ran.members, ran.clusters
    workspace.write(MEMBERS_PATH, MEMBERS, members)
    workspace.write(CLUSTERS_PATH, CLUSTERS, clusters)
    keep_calls(workspace, CALLS_PATH, ran.store)
    folder = workspace.root / "loop/cluster"
    write_json(folder / "metrics.json", metrics_of(workspace, report, clusters, ran.found))
    drawn = map_of(report, (members, clusters), ran.found, ran.vectors, ran.embedder)
    write_text(folder / "map.html", load("reports", "html")().render(drawn))
    write_text(folder / "map.svg", cluster_svg.render(drawn))
    write_text(workspace.root / LEDGER, render(ran.nights))
    return report


def draw_map(directory: Path, path: Path, *, progress: Progress = silent) -> Drawn:
    """Draw the map of the clusters that are there, under the names that briefs give them.

    The night is computed again, which gives the same clusters; nothing in loop/cluster/ is written.

    Args:
        directory: A directory of the checkout.
        path: Where to draw it: a page, or with the ending .svg a picture.
        progress: Is told how many texts are embedded.

    Raises:
        DataError: There are no clusters yet, or the inputs have changed since.
    """
    workspace = Workspace(directory)
    ran = _run(workspace, progress, anew=False)
    there = workspace.root / CLUSTERS_PATH
    wanted = set(ran.clusters["cluster_id"].to_list())
    if not there.is_file() or set(workspace.read(CLUSTERS_PATH, CLUSTERS)["cluster_id"]) != wanted:
        raise DataError(
            "the clusters are not those of these failures and params.yaml",
            hint="run: dvc repro cluster",
        )
    names = given_names(workspace.root, sorted(wanted))
    clusters = ran.clusters.with_columns(
        name=pl.col("cluster_id").replace_strict(names, default=pl.col("name"))
    )
    found = replace(
        ran.found,
        clusters=tuple(
            replace(one, name=names.get(one.cluster_id, one.name)) for one in ran.found.clusters
        ),
    )
    drawn = map_of(ran.report, (ran.members, clusters), found, ran.vectors, ran.embedder)
    is_picture = path.suffix.lower() == ".svg"
    text = cluster_svg.render(drawn) if is_picture else load("reports", "html")().render(drawn)
    write_text(path, text)
    return Drawn(str(path), len(wanted), len(names))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A map that was drawn.

    Attributes:
        path: Where it lies.
        n_clusters: Clusters on it.
        n_named: Those that bear the name of their brief.
    """

    path: str
    n_clusters: int
    n_named: int


@dataclass(frozen=True, slots=True)
class _Ran:
    """A night, computed and not yet written."""

    report: ClusterReport
    members: pl.DataFrame
    clusters: pl.DataFrame
    found: Clustering
    vectors: np.ndarray
    store: CallStore
    nights: tuple[NightLine, ...]
    embedder: str


def _run(workspace: Workspace, progress: Progress, *, anew: bool) -> _Ran:
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
    mode = params.cluster.mode
    if mode == "incremental" and is_due(goes_on.before, params.cluster.full_every):
        mode = "full"
    settings = _settings(params.cluster, params.seed, is_incremental=mode == "incremental")
    groups, vectors = _embedded(workspace, failed, store, progress)
    found = _clustered(failed, groups, vectors, settings, last)
    trace_ids = failed["trace_id"].to_list()
    identity = match(last, night_of(trace_ids, groups, found))
    found = renamed(found, identity.ids)
    line = night_line(inputs, goes_on, failed.height, identity, mode)
    members = members_of(failed, groups, found)
    clusters = clusters_of(failed, members, found)
    nights = (*goes_on.before, line)
    report = report_of(members, clusters, groups, nights)
    return _Ran(report, members, clusters, found, vectors, store, nights, params.embedder.use)


def _embedded(
    workspace: Workspace, failed: pl.DataFrame, store: CallStore, progress: Progress
) -> tuple[Collapsed, np.ndarray]:
    """Which failures say the same, and the vector of each group of them."""
    embedder = open_embedder(workspace)
    texts, trace_ids = failed["text"].to_list(), failed["trace_id"].to_list()
    groups = collapse(texts, trace_ids, failed["weight"].to_numpy())
    distinct = [texts[row] for row in groups.first]
    stand_ins = [trace_ids[row] for row in groups.first]
    return groups, embed(embedder, distinct, stand_ins, store, progress)


def _clustered(
    failed: pl.DataFrame,
    groups: Collapsed,
    vectors: np.ndarray,
    settings: ClusterSettings,
    last: Night,
) -> Clustering:
    texts, trace_ids = failed["text"].to_list(), failed["trace_id"].to_list()
    return cluster(
        [texts[row] for row in groups.first],
        vectors,
        [trace_ids[row] for row in groups.first],
        groups.weights,
        settings,
        known_groups(groups, trace_ids, last.members),
    )


def _settings(params: ClusterParams, seed: int, *, is_incremental: bool) -> ClusterSettings:
    return ClusterSettings(
        min_cluster_size=params.min_cluster_size,
        min_samples=params.min_samples,
        smoothing_neighbours=params.smoothing_neighbours,
        smoothing_steps=params.smoothing_steps,
        pca_dimensions=params.pca_dimensions,
        soft_assignment=params.soft_assignment,
        n_representatives=params.representatives,
        sample=params.sample,
        is_incremental=is_incremental,
        stability_draws=params.stability_draws,
        seed=seed,
    )
