"""The history of a golden set, from the records in its tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.errors import DataError
from gitloop.records import GoldenRecord, Lineage
from gitloop.storage.git import Commit
from gitloop.storage.golden import GoldenSet
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One version of a set.

    Attributes:
        version: Its name.
        record: Id of its record.
        kind: What made it: promote, edit, retire, compact, migrate or merge.
        parents: Records before; two after a merge.
        created_at: When, ISO 8601 UTC.
        n_rows: Rows of the set after it, on its own line of history.
        n_added: Rows that came in.
        n_changed: Rows that changed.
        n_retired: Rows that went.
        why: The reason that was given, or None.
        clusters: Clusters that rows came from.
        annotators: Who labelled them.
        commit: The commit that brought the record into this history, or None before it is merged.
        author: Who committed, or None.
        subject: That commit's subject, or None.
    """

    version: str
    record: str
    kind: str
    parents: tuple[str, ...]
    created_at: str
    n_rows: int
    n_added: int
    n_changed: int
    n_retired: int
    why: str | None
    clusters: tuple[str, ...]
    annotators: tuple[str, ...]
    commit: str | None
    author: str | None
    subject: str | None


@dataclass(frozen=True, slots=True)
class BlameLine:
    """Who answers for a row.

    Attributes:
        row_id: The row.
        version: The version that last changed it.
        kind: How: promote, edit or migrate.
        brought_in: The record that it came in by.
        created_at: When it was last changed.
        commit: The commit that did, or None before it is merged.
        author: Who committed, or None.
        annotators: Who labelled it.
        labels: "rubric: verdict", sorted.
    """

    row_id: str
    version: str
    kind: str
    brought_in: str
    created_at: str
    commit: str | None
    author: str | None
    annotators: tuple[str, ...]
    labels: tuple[str, ...]


def log(directory: Path, name: str, revision: str | None = None) -> list[LogEntry]:
    """Every version of the set, the newest first.

    Squash, rebase and cherry-pick lose nothing: the records are part of the tree.

    Raises:
        DataError: There is no such set.
    """
    workspace = Workspace(directory)
    golden = open_set(workspace, name, revision)
    commits = _commits(workspace, golden, revision)
    ordered = Lineage.of(golden.records()).records
    return [_entry(record, commits.get(record.id)) for record in ordered[::-1]]


def blame(directory: Path, name: str, row: str, revision: str | None = None) -> list[BlameLine]:
    """Which version last changed each row of the set, or each row whose id begins with `row`.

    Raises:
        DataError: There is no such set, or no such row.
    """
    workspace = Workspace(directory)
    golden = open_set(workspace, name, revision)
    commits = _commits(workspace, golden, revision)
    last: dict[str, GoldenRecord] = {}
    for record in Lineage.of(golden.records()).records:
        for row_id in (*record.added, *record.changed):
            last[row_id] = record
    rows = golden.read().filter(pl.col("row_id").str.starts_with(row))
    if row and rows.is_empty():
        raise DataError(f"no row of {name} begins with {row!r}")
    lines = []
    for found in rows.iter_rows(named=True):
        record = last[found["row_id"]]
        commit = commits.get(record.id)
        lines.append(
            BlameLine(
                row_id=found["row_id"],
                version=record.version,
                kind=record.kind,
                brought_in=found["promoted_in"],
                created_at=record.created_at,
                commit=commit.sha if commit else None,
                author=commit.author if commit else None,
                annotators=tuple(found["annotators"]),
                labels=tuple(f"{item['rubric']}: {item['expected']}" for item in found["labels"]),
            )
        )
    return lines


def open_set(workspace: Workspace, name: str, revision: str | None) -> GoldenSet:
    """The set in the work tree or at a revision.

    Raises:
        DataError: There is no such set.
    """
    golden = workspace.golden(name, revision)
    if not golden.exists():
        raise DataError(f"there is no golden set {name}", hint="run: gitloop golden list")
    return golden


def _commits(workspace: Workspace, golden: GoldenSet, revision: str | None) -> dict[str, Commit]:
    """Record → the commit on the first-parent line that brought its record in."""
    start = revision or workspace.git.head()
    if start is None:
        return {}
    added = workspace.git.additions(start, f"{golden.path}/log")
    return {Path(path).name.removesuffix(".yaml"): commit for path, commit in added.items()}


def _entry(record: GoldenRecord, commit: Commit | None) -> LogEntry:
    content = record.content
    return LogEntry(
        version=record.version,
        record=record.id,
        kind=record.kind,
        parents=record.parents,
        created_at=record.created_at,
        n_rows=int(content.get("n_rows", 0)),
        n_added=len(record.added),
        n_changed=len(record.changed),
        n_retired=len(record.retired),
        why=content.get("why"),
        clusters=tuple(cluster["cluster_id"] for cluster in content.get("clusters", [])),
        annotators=tuple(content.get("annotators", [])),
        commit=commit.sha if commit else None,
        author=commit.author if commit else None,
        subject=commit.subject if commit else None,
    )
