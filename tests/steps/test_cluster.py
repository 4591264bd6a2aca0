"""`gitloop cluster` on a real repository."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from gitloop.errors import ConfigError, DataError
from gitloop.steps.cluster import cluster_failures
from gitloop.storage import parquet
from gitloop.tables import CLUSTERS, JOINED, MEMBERS
from tests.repositories import Repository

AT = datetime(2026, 5, 4, tzinfo=UTC)
TOPICS = (
    ("refund window for the {0}", "You have sixty days to return the {0}, no questions asked."),
    ("where is parcel {0}", "Good news, parcel {0} was delivered and put into your letterbox."),
    ("please delete my account {0}", "I am sorry, I cannot help with a request like {0}."),
)


def joined(n_per_topic: int = 12, signal: str = "thumbs_down") -> pl.DataFrame:
    """Complaints about three topics, and one that nothing resembles."""
    things = ("kayak", "tent", "helmet", "rope", "stove", "lamp", "boots", "jacket", "map", "axe")
    rows: list[dict[str, Any]] = []
    for topic, (question, answer) in enumerate(TOPICS):
        for n in range(n_per_topic):
            thing = f"{things[n % len(things)]} {n}"
            rows.append(
                _row(f"t{topic}-{n:02}", question.format(thing), answer.format(thing), signal)
            )
    rows.append(_row("lonely", "Quel temps fait-il ?", "zxq vvv 998877 qqq", signal))
    return JOINED.order(JOINED.complete(pl.DataFrame(rows, schema_overrides=dict(JOINED.schema))))


def _row(trace_id: str, question: str, answer: str, signal: str) -> dict[str, Any]:
    return {
        "feedback_id": f"f-{trace_id}",
        "trace_id": trace_id,
        "signal_type": signal,
        "signal_class": "explicit",
        "created_at": AT + timedelta(seconds=len(question)),
        "group_id": trace_id,
        "input": question,
        "output": answer,
        "route": "refund",
        "user_cohort": "pro",
        "prompt_version": "support@1",
    }


@pytest.fixture
def complaints(repository: Repository) -> Repository:
    """A repository whose join is done."""
    parquet.write(repository.root / "loop/join/joined.parquet", JOINED, joined())
    return repository


def contents(repository: Repository) -> dict[str, bytes]:
    """The stage's outputs, byte for byte."""
    names = ("clusters.parquet", "members.parquet", "metrics.json")
    return {name: (repository.root / "loop/cluster" / name).read_bytes() for name in names}


def test_topics_become_clusters_and_the_rest_stays_noise(complaints: Repository) -> None:
    """Three topics, three named clusters, one failure on its own; everything is accounted for."""
    report = cluster_failures(complaints.root)
    assert (report.n_failures, len(report.clusters), report.n_noise) == (37, 3, 1)
    members = parquet.read(complaints.root / "loop/cluster/members.parquet", MEMBERS)
    clusters = parquet.read(complaints.root / "loop/cluster/clusters.parquet", CLUSTERS)
    assert members.filter(pl.col("cluster_id").is_null())["trace_id"].to_list() == ["lonely"]
    topics = (
        members.drop_nulls("cluster_id")
        .group_by("cluster_id")
        .agg(pl.col("trace_id").str.slice(0, 2).n_unique())
    )
    assert topics["trace_id"].to_list() == [1, 1, 1]
    assert clusters["size"].sum() + report.n_noise == members.height
    assert all(found.name and found.line for found in report.clusters)


def test_metrics_name_what_people_label(complaints: Repository) -> None:
    """Representatives are members of their cluster, as many as params.yaml wants."""
    complaints.gen({"params.yaml": "cluster: {representatives: 5}\n"})
    cluster_failures(complaints.root)
    metrics = json.loads(complaints.read("loop/cluster/metrics.json"))
    members = parquet.read(complaints.root / "loop/cluster/members.parquet", MEMBERS)
    home = dict(members.select("trace_id", "cluster_id").iter_rows())
    for cluster_id, found in metrics["clusters"].items():
        assert len(found["representatives"]) == 5
        assert {home[trace_id] for trace_id in found["representatives"]} == {cluster_id}


def test_the_same_input_gives_the_same_bytes(complaints: Repository) -> None:
    """A second run, from a directory below, changes no byte."""
    cluster_failures(complaints.root)
    first = contents(complaints)
    cluster_failures(complaints.root / "loop")
    assert contents(complaints) == first


def test_nothing_to_cluster_is_told(complaints: Repository) -> None:
    """Praise alone makes no failure: a data error, and nothing is written."""
    praise = joined(signal="thumbs_up")
    parquet.write(complaints.root / "loop/join/joined.parquet", JOINED, praise)
    with pytest.raises(DataError, match="none of 37 joined events"):
        cluster_failures(complaints.root)
    assert not (complaints.root / "loop/cluster").exists()


def test_another_embedder_version_is_refused(complaints: Repository) -> None:
    """Cluster ids hang on the embedder: its pin must be the plug-in's own version."""
    complaints.gen({"params.yaml": 'embedder: {version: "0"}\n'})
    with pytest.raises(ConfigError, match=r"params\.yaml pins 0"):
        cluster_failures(complaints.root)
