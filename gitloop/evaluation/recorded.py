"""The call store with the calls that the checked-out commit recorded."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath

import polars as pl

from gitloop.errors import DataError, ToolError
from gitloop.llm import Limits, run_budget, spending
from gitloop.storage import parquet
from gitloop.storage.calls import CallStore
from gitloop.storage.files import md5
from gitloop.tables import CALLS
from gitloop.workspace import Workspace


def call_store(workspace: Workspace, recorded_path: str, mode: str | None = None) -> CallStore:
    """The repository's call store, with the calls that the checked-out commit recorded.

    Whatever is called through it counts against one budget, `calls.budget` of params.yaml.

    DVC deletes a stage's table of calls before the stage runs; its bytes are found by the MD5 that
    HEAD's dvc.lock gives, in DVC's cache or, in mode replay, in its remote.

    Args:
        workspace: The checkout.
        recorded_path: The stage's own table of calls, relative to the root.
        mode: "record", "replay", "refresh" or "off"; None is `workspace.calls_mode`.
    """
    mode = mode or workspace.calls_mode
    budget = run_budget(Limits(**workspace.params.calls.budget.model_dump()))
    recorded = None if mode == "off" else _recorded(workspace, recorded_path, mode)
    folder = workspace.root / ".gitloop" / "calls"
    within = partial(spending, budget)
    return CallStore(folder, mode, recorded, refresh=recorded_path, within=within)


def _recorded(workspace: Workspace, path: str, mode: str) -> pl.DataFrame | None:
    """The table of calls that HEAD's dvc.lock names, or None where there is none to be had."""
    head = workspace.git.head()
    blob = workspace.git.files(head, "dvc.lock").get("dvc.lock") if head else None
    if blob is None:
        return None
    stages = workspace.dvc.lock(workspace.git.run("cat-file", "blob", blob))
    outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    digest = next((str(out["md5"]) for out in outs if out.get("path") == path), None)
    if digest is None:
        return None
    found = workspace.dvc.object_path(digest)
    if found is None and mode == "replay":
        found = _fetched(workspace, path, digest)
    if found is None:
        return None
    if md5(found) != digest:
        raise DataError(
            f"the cached copy of {path} is damaged: its MD5 is not {digest}",
            hint=f"delete {PurePosixPath('files/md5', digest[:2], digest[2:])} in DVC's cache,"
            f" then run: dvc fetch {path}",
        )
    return parquet.read(found, CALLS, source=path)


def _fetched(workspace: Workspace, path: str, digest: str) -> Path | None:
    """The object after a `dvc fetch`, or None: the local call store may still know every answer."""
    try:
        workspace.dvc.run("fetch", path)
    except ToolError:
        return None
    return workspace.dvc.object_path(digest)
