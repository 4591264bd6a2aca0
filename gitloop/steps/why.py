"""Why a golden row is there: back to feedback and trace, forward to each gate run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.digests import canonical_json
from gitloop.errors import DataError
from gitloop.records import Lineage
from gitloop.storage.golden import GoldenSet
from gitloop.storage.labels import read_labels
from gitloop.storage.parts import read_parts
from gitloop.storage.trees import CommitTree, WorkTree
from gitloop.tables import CLUSTERS, FEEDBACK, TRACES
from gitloop.workspace import Workspace

GATE = "loop/gate/gate.json"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GateUse:
    """A gate run that read the row.

    Attributes:
        commit: The commit that recorded it.
        committed_at: When, ISO 8601.
        author: Who committed.
        verdict: The run's verdict.
        changes: What the run says about the row: "rubric: change"; () where it says nothing.
    """

    commit: str
    committed_at: str
    author: str
    verdict: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WhyReport:
    """The whole trail of a golden row.

    Attributes:
        set: Its golden set.
        row: The row, as JSON values.
        history: The records that brought it in and changed it, oldest first: version, kind,
            created_at, why and commit.
        cluster: Its failure cluster as it stands now, or None where it is gone.
        labels: What people said about its trace, oldest first.
        feedback: The events that started it, oldest first.
        trace: The trace that it was, or None where no part has it any more.
        gate_runs: The gate runs that read it, newest first.
    """

    set: str
    row: Json
    history: tuple[Json, ...]
    cluster: Json | None
    labels: tuple[Json, ...]
    feedback: tuple[Json, ...]
    trace: Json | None
    gate_runs: tuple[GateUse, ...]


def why(directory: Path, row: str, revision: str | None = None) -> WhyReport:
    """The trail of the row whose id begins with `row`, in whichever set it stands.

    Raises:
        DataError: No set has such a row, or more than one row begins so.
    """
    workspace = Workspace(directory)
    golden, found = _find(workspace, row, revision)
    trace_id, row_id = str(found["source_trace_id"]), str(found["row_id"])
    is_trace = pl.col("trace_id") == trace_id
    root, dvc = workspace.root, workspace.dvc
    traces = read_parts(root, dvc, "data/traces", TRACES).filter(is_trace)
    events = pl.col("feedback_id").is_in(found["source_feedback_ids"])
    feedback = read_parts(root, dvc, "data/feedback", FEEDBACK).filter(events)
    labels = read_labels(root).filter(is_trace)
    return WhyReport(
        set=golden.name,
        row=found,
        history=tuple(_history(workspace, golden, row_id, revision)),
        cluster=_cluster(workspace, found["cluster_id"]),
        labels=_json_rows(labels, "created_at"),
        feedback=_json_rows(feedback, "created_at"),
        trace=next(iter(_json_rows(traces, "trace_id")), None),
        gate_runs=tuple(_gate_runs(workspace, golden.name, row_id, revision)),
    )


def _find(workspace: Workspace, row: str, revision: str | None) -> tuple[GoldenSet, Json]:
    tree = WorkTree(workspace.root)
    paths = tree.files("golden")
    if revision is not None:
        paths = CommitTree(workspace.git, revision).files("golden")
    names = sorted({path.split("/")[1] for path in paths if path.endswith("/dataset.yaml")})
    found: list[tuple[GoldenSet, Json]] = []
    for name in names:
        golden = workspace.golden(name, revision)
        fits = golden.read().filter(pl.col("row_id").str.starts_with(row))
        found += [(golden, value) for value in _json_rows(fits, "row_id")]
    if len(found) != 1:
        raise DataError(
            f"{len(found) or 'no'} golden rows begin with {row!r}",
            hint="run: gitloop golden export NAME --format jsonl",
        )
    return found[0]


def _history(
    workspace: Workspace, golden: GoldenSet, row_id: str, revision: str | None
) -> list[dict[str, Any]]:
    start = revision or workspace.git.head()
    added = workspace.git.additions(start, f"{golden.path}/log") if start else {}
    lines = []
    for record in Lineage.of(golden.records()).records:
        if row_id in record.added or row_id in record.changed:
            commit = added.get(f"{golden.path}/log/{record.id}.yaml")
            lines.append(
                {
                    "version": record.version,
                    "record": record.id,
                    "kind": record.kind,
                    "created_at": record.created_at,
                    "why": record.content.get("why"),
                    "commit": commit.sha if commit else None,
                    "author": commit.author if commit else None,
                }
            )
    return lines


def _cluster(workspace: Workspace, cluster_id: str | None) -> Json | None:
    path = "loop/cluster/clusters.parquet"
    if cluster_id is None or not (workspace.root / path).is_file():
        return None
    clusters = workspace.read(path, CLUSTERS).filter(pl.col("cluster_id") == cluster_id)
    return next(iter(_json_rows(clusters, "cluster_id")), None)


def _gate_runs(
    workspace: Workspace, set_name: str, row_id: str, revision: str | None
) -> list[GateUse]:
    """Gate results in Git that read the row at that commit, newest first."""
    start = revision or workspace.git.head()
    found: list[GateUse] = []
    for commit in workspace.git.log(start, GATE) if start else []:
        tree = CommitTree(workspace.git, commit.sha)
        if not tree.has(GATE):
            continue
        try:
            result = json.loads(tree.read([GATE])[0])
        except ValueError:
            continue
        if set_name not in result.get("datasets", {}):
            continue
        try:
            golden = workspace.golden_in_use(set_name, commit.sha)
            has_row = any(row_id in golden.row_digests(part) for part in golden.parts())
        except DataError:
            continue  # bytes of an old version, or its name, are gone: nobody can tell
        if has_row:
            found.append(
                GateUse(
                    commit=commit.sha,
                    committed_at=commit.committed_at.isoformat(),
                    author=commit.author,
                    verdict=str(result.get("verdict")),
                    changes=_changes(result, row_id),
                )
            )
    return found


def _changes(result: Json, row_id: str) -> tuple[str, ...]:
    """What the result's row trails say about the row."""
    trails = result.get("rows", {})
    listed = [entry for kind in trails.values() if isinstance(kind, list) for entry in kind]
    mine = [entry for entry in listed if isinstance(entry, dict) and entry.get("row_id") == row_id]
    return tuple(f"{entry.get('rubric')}: {entry.get('change')}" for entry in mine)


def _json_rows(rows: pl.DataFrame, order: str) -> tuple[Json, ...]:
    return tuple(json.loads(canonical_json(row)) for row in rows.sort(order).iter_rows(named=True))
