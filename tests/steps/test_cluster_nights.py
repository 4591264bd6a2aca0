"""Clusters keep their ids from one committed night to the next, on a real repository."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from gitloop.errors import DataError, MissingObjectError
from gitloop.steps.cluster import cluster_failures, trail
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc
from gitloop.tables import JOINED, MEMBERS
from tests.failing import complaints, write_failures
from tests.repositories import Repository

FILES = ("clusters.parquet", "members.parquet", "metrics.json", "nights.jsonl")


@pytest.fixture
def first_night(repository: Repository) -> Repository:
    """A repository whose first night is committed, as `dvc repro` and `git commit` leave it."""
    write_failures(repository, complaints(14))
    cluster_failures(repository.root)
    commit_night(repository, "First night")
    return repository


def commit_night(repository: Repository, message: str) -> None:
    """Cache the tables, lock the stage and commit, in milliseconds instead of DVC's seconds."""
    dvc = Dvc(repository.root, repository.root / ".git")
    lock = ["schema: '2.0'", "stages:", "  cluster:", "    cmd: gitloop cluster", "    outs:"]
    for name in ("clusters.parquet", "members.parquet"):
        pointer = dvc.store(repository.root / "loop/cluster" / name)
        lock += [f"    - path: loop/cluster/{name}", "      hash: md5", f"      md5: {pointer.md5}"]
    kept = ("loop/cluster/nights.jsonl", "loop/cluster/metrics.json")
    files = {path: repository.read(path) for path in kept}
    repository.gen({"dvc.lock": "\n".join(lock) + "\n", **files}, commit=message)


def contents(repository: Repository) -> dict[str, bytes]:
    """The stage's outputs, byte for byte."""
    folder = repository.root / "loop/cluster"
    return {name: (folder / name).read_bytes() for name in FILES}


def homes(root: Path) -> dict[str, str | None]:
    """trace_id → cluster_id."""
    members = parquet.read(root / "loop/cluster/members.parquet", MEMBERS)
    return dict(members.select("trace_id", "cluster_id").iter_rows())


def test_tonights_clusters_keep_last_nights_ids(first_night: Repository) -> None:
    """Some failures go, others come, and those that stay keep their cluster's id."""
    before = homes(first_night.root)
    write_failures(first_night, complaints(17).filter(~pl.col("trace_id").str.ends_with("-00")))
    report = cluster_failures(first_night.root)
    after = homes(first_night.root)
    stayed = [name for name, home in before.items() if home and name in after]
    assert [name for name in stayed if after[name] != before[name]] == []
    assert report.nightly is not None
    assert (report.nightly.number, report.nightly.kept_rate) == (2, 1.0)
    assert (report.nightly.births, report.nightly.deaths) == ((), ())


def test_a_committed_night_is_reproduced_without_its_history(first_night: Repository) -> None:
    """The commit's tree alone decides: run again after a squash, every byte is the same."""
    write_failures(first_night, complaints(17))
    cluster_failures(first_night.root)
    commit_night(first_night, "Second night")
    second = contents(first_night)
    cluster_failures(first_night.root)
    assert contents(first_night) == second
    tree = first_night.git("rev-parse", "HEAD^{tree}")
    orphan = first_night.git("commit-tree", tree, "-m", "Squashed")
    first_night.git("reset", "--quiet", "--hard", orphan)
    cluster_failures(first_night.root)
    assert contents(first_night) == second


def test_births_and_deaths_are_recorded(first_night: Repository) -> None:
    """A topic that is reported no more dies, a new one is born; a ticket's trail tells so."""
    gone = homes(first_night.root)["t0-03"]
    assert gone is not None
    kept = complaints(14).filter(~pl.col("trace_id").str.starts_with("t0-"))
    write_failures(first_night, pl.concat([kept, complaints(14, topics=(3,))]))
    report = cluster_failures(first_night.root)
    assert report.nightly is not None
    assert report.nightly.deaths == (gone,)
    (born,) = report.nightly.births
    assert homes(first_night.root)["t3-03"] == born
    found = trail(first_night.root, gone)
    assert (found.born_in, found.died_in, found.heirs) == (1, 2, {})
    assert list(trail(first_night.root, born).heirs) == [born]
    lines = first_night.read("loop/cluster/nights.jsonl").splitlines()
    assert [json.loads(line)["births"] for line in lines][1] == [born]


def test_lost_tables_of_last_night_are_told(first_night: Repository) -> None:
    """Ids are never silently new: without last night's bytes nothing is written, unless asked."""
    write_failures(first_night, complaints(17))
    before = contents(first_night)
    for path in (first_night.root / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(MissingObjectError, match="cannot keep their ids"):
        cluster_failures(first_night.root)
    assert contents(first_night) == before
    assert cluster_failures(first_night.root, anew=True).nightly is None
    again = contents(first_night)
    cluster_failures(first_night.root)
    assert contents(first_night) == again


def test_a_damaged_ledger_is_named_with_its_line(first_night: Repository) -> None:
    """A conflict marker in the ledger is a data error with its line, and nothing is written."""
    path = "loop/cluster/nights.jsonl"
    first_night.gen({path: first_night.read(path) + "<<<<<<< HEAD\n"})
    with pytest.raises(DataError, match=r"nights\.jsonl:2"):
        cluster_failures(first_night.root)


def test_an_unknown_cluster_has_no_trail(first_night: Repository) -> None:
    """The trail of an id that no night knows names the nearest one."""
    with pytest.raises(DataError, match="no night"):
        trail(first_night.root, "c-00000000")


def test_joined_rows_are_complete() -> None:
    """The failures of these tests fit the joined table."""
    assert JOINED.problems(complaints(3)) == []
