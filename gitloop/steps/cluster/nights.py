"""Where last night's clusters come from: the checked-out commit, never what a run left behind.

DVC deletes a stage's outputs before it runs it again, and a re-run on the same commit must give the
same bytes (docs/adr/0030). So last night is named by content: by the ledger for a night that it
holds already, else by the dvc.lock of the checked-out commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import polars as pl

from gitloop.core.cluster import Continuation, Night, NightLine, Outputs, continuation, parse_nights
from gitloop.digests import canonical_json
from gitloop.errors import DataError, MissingObjectError
from gitloop.storage import parquet
from gitloop.storage.dvc import Pointer
from gitloop.storage.files import md5, read_text
from gitloop.tables import CLUSTERS, MEMBERS
from gitloop.workspace import Workspace

LEDGER = "loop/cluster/nights.jsonl"
CLUSTERS_PATH = "loop/cluster/clusters.parquet"
MEMBERS_PATH = "loop/cluster/members.parquet"

_COLUMNS = ("trace_id", "text", "weight", "route", "user_cohort", "prompt_version")


def inputs_sha256(failed: pl.DataFrame, params: Mapping[str, Any]) -> str:
    """Digest of everything that decides a night but the night before it, hex.

    Args:
        failed: The failures, sorted by trace_id.
        params: The parameters that cluster them, as JSON values.
    """
    digest = hashlib.sha256(canonical_json(params).encode())
    for row in failed.select(*_COLUMNS, "feedback_ids").iter_rows():
        digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def read_ledger(workspace: Workspace) -> list[NightLine]:
    """The ledger in the work tree; [] where there is none.

    Raises:
        DataError: It is damaged.
    """
    path = workspace.root / LEDGER
    return parse_nights(read_text(path), source=LEDGER) if path.is_file() else []


def tonight(workspace: Workspace, inputs: str, *, anew: bool) -> Continuation:
    """What a run on these inputs continues.

    Args:
        workspace: The opened checkout.
        inputs: Digest of its inputs.
        anew: Whether it continues nothing, by the user's wish.

    Raises:
        DataError: The ledger is damaged.
    """
    head = workspace.git.head()
    blobs = {}
    if head is not None:
        folder, name = LEDGER.rsplit("/", 1)
        blobs = {
            "ledger": workspace.git.directory(head, folder).get(name),
            "lock": workspace.git.directory(head, "").get("dvc.lock"),
        }
    committed: list[NightLine] = []
    if ledger := blobs.get("ledger"):
        (content,) = workspace.git.blobs([ledger[0]])
        committed = parse_nights(content.decode(errors="replace"), source=f"HEAD:{LEDGER}")
    outputs = None
    # A commit without a ledger has no night to go on from: its tables may never have been pushed.
    if (lock := blobs.get("lock")) and committed:
        outputs = _recorded(workspace, *workspace.git.blobs([lock[0]]))
    found = continuation(read_ledger(workspace), committed, inputs, outputs)
    return Continuation(found.before, None) if anew else found


def _recorded(workspace: Workspace, lock: bytes) -> Outputs | None:
    """The tables that a dvc.lock names, or None."""
    outs = {
        out.get("path"): str(out.get("md5"))
        for stage in workspace.dvc.lock(lock).values()
        for out in stage.get("outs", [])
    }
    if CLUSTERS_PATH not in outs or MEMBERS_PATH not in outs:
        return None
    return Outputs(clusters_md5=outs[CLUSTERS_PATH], members_md5=outs[MEMBERS_PATH])


def read_night(workspace: Workspace, outputs: Outputs) -> Night:
    """The night in these tables, read from DVC's cache, or fetched into it first.

    Raises:
        MissingObjectError: Neither the cache nor the remote has them.
        DataError: The cached bytes are damaged.
    """
    wanted = {CLUSTERS_PATH: outputs.clusters_md5, MEMBERS_PATH: outputs.members_md5}
    pointers = [
        Pointer(digest, None, path)
        for path, digest in wanted.items()
        if workspace.dvc.object_path(digest) is None
    ]
    if pointers:
        try:
            workspace.dvc.fetch_objects(pointers)
        except MissingObjectError as error:
            raise MissingObjectError(
                f"last night's clusters are gone, so tonight's cannot keep their ids:\n"
                f"  {error.message}",
                hint="dvc push where they were made; or, to give every cluster a new id:"
                " gitloop cluster --anew",
            ) from error
    tables = {}
    for path, table in ((CLUSTERS_PATH, CLUSTERS), (MEMBERS_PATH, MEMBERS)):
        found = workspace.dvc.object_path(wanted[path])
        if found is None or md5(found) != wanted[path]:
            raise DataError(
                f"the cached copy of last night's {path} is damaged",
                hint=f"delete {wanted[path]} in DVC's cache, then run: dvc fetch --all-commits",
            )
        tables[path] = parquet.read(found, table, source=path)
    clusters, members = tables[CLUSTERS_PATH], tables[MEMBERS_PATH]
    return Night(
        members={
            trace_id: cluster_id or ""
            for trace_id, cluster_id in members.select("trace_id", "cluster_id").iter_rows()
        },
        medoids=dict(clusters.select("cluster_id", "medoid_trace_id").iter_rows()),
        lines=dict(clusters.select("cluster_id", "medoid_line").iter_rows()),
    )
