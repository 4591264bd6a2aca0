"""What a run called: its table of calls and, after a refresh, the drift report beside it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import PurePosixPath

from gitloop.core.calls import Drift, drift
from gitloop.storage.calls import CallStore
from gitloop.storage.files import write_json
from gitloop.tables import CALLS
from gitloop.workspace import Workspace

SCHEMA = "gitloop.drift/v1"


def keep_calls(workspace: Workspace, path: str, store: CallStore) -> Drift | None:
    """Write a stage's table of calls; after a refresh, tell the drift as `settle_refresh` does."""
    workspace.write(path, CALLS, store.used())
    return settle_refresh(workspace, str(PurePosixPath(path).parent), store)


def settle_refresh(workspace: Workspace, folder: str, store: CallStore) -> Drift | None:
    """How the answers of a refresh differ from the known ones; None in every other mode.

    The report is `drift.json` in the folder, and the refresh is over: the next one begins anew.

    Args:
        workspace: The checkout.
        folder: The stage's folder, relative to the root.
        store: Where the calls went through.
    """
    if not store.is_refresh:
        return None
    found = drift([(r.call_id, r.kind, r.request, r.before, r.after) for r in store.refreshed()])
    write_json(workspace.root / folder / "drift.json", {"schema": SCHEMA, **asdict(found)})
    store.finish()
    return found
