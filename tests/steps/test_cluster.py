"""`gitloop cluster` on a real repository."""

from __future__ import annotations

import json

import polars as pl
import pytest

from gitloop.errors import ConfigError, DataError
from gitloop.steps.cluster import cluster_failures
from gitloop.storage import parquet
from gitloop.tables import CLUSTERS, MEMBERS
from tests.failing import complaints, write_failures
from tests.repositories import Repository


@pytest.fixture
def complaining(repository: Repository) -> Repository:
    """A repository whose join is done."""
    write_failures(repository, complaints(12))
    return repository


def contents(repository: Repository) -> dict[str, bytes]:
    """The stage's outputs, byte for byte."""
    names = ("clusters.parquet", "members.parquet", "metrics.json")
    return {name: (repository.root / "loop/cluster" / name).read_bytes() for name in names}


def test_topics_become_clusters_and_the_rest_stays_noise(complaining: Repository) -> None:
    """Three topics, three named clusters, one failure on its own; everything is accounted for."""
    report = cluster_failures(complaining.root)
    assert (report.n_failures, len(report.clusters), report.n_noise) == (37, 3, 1)
    members = parquet.read(complaining.root / "loop/cluster/members.parquet", MEMBERS)
    clusters = parquet.read(complaining.root / "loop/cluster/clusters.parquet", CLUSTERS)
    assert members.filter(pl.col("cluster_id").is_null())["trace_id"].to_list() == ["lonely"]
    topics = (
        members.drop_nulls("cluster_id")
        .group_by("cluster_id")
        .agg(pl.col("trace_id").str.slice(0, 2).n_unique())
    )
    assert topics["trace_id"].to_list() == [1, 1, 1]
    assert clusters["size"].sum() + report.n_noise == members.height
    assert all(found.name and found.line for found in report.clusters)


def test_metrics_name_what_people_label(complaining: Repository) -> None:
    """Representatives are members of their cluster, as many as params.yaml wants."""
    complaining.gen({"params.yaml": "cluster: {representatives: 5}\n"})
    cluster_failures(complaining.root)
    metrics = json.loads(complaining.read("loop/cluster/metrics.json"))
    members = parquet.read(complaining.root / "loop/cluster/members.parquet", MEMBERS)
    home = dict(members.select("trace_id", "cluster_id").iter_rows())
    for cluster_id, found in metrics["clusters"].items():
        assert len(found["representatives"]) == 5
        assert {home[trace_id] for trace_id in found["representatives"]} == {cluster_id}


def test_the_same_input_gives_the_same_bytes(complaining: Repository) -> None:
    """A second run, from a directory below, changes no byte."""
    cluster_failures(complaining.root)
    first = contents(complaining)
    cluster_failures(complaining.root / "loop")
    assert contents(complaining) == first


def test_nothing_to_cluster_is_told(complaining: Repository) -> None:
    """Praise alone makes no failure: a data error, and nothing is written."""
    write_failures(complaining, complaints(12, signal="thumbs_up"))
    with pytest.raises(DataError, match="none of 37 joined events"):
        cluster_failures(complaining.root)
    assert not (complaining.root / "loop/cluster").exists()


def test_another_embedder_version_is_refused(complaining: Repository) -> None:
    """Cluster ids hang on the embedder: its pin must be the plug-in's own version."""
    complaining.gen({"params.yaml": 'embedder: {version: "0"}\n'})
    with pytest.raises(ConfigError, match=r"params\.yaml pins 0"):
        cluster_failures(complaining.root)
