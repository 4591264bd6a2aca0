"""Is a commit's gate.json what its inputs give? Decided again from Git and the DVC cache alone."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.errors import DataError
from gitloop.protocols import Progress, silent
from gitloop.steps.gate import PATH, gate
from gitloop.storage.runs import LOCK, OUTPUTS, SCORES, bring, lock_outs
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of deciding a commit again.

    Attributes:
        commit: The commit.
        is_same: Whether every byte of gate.json is what the commit holds.
        recorded: The verdict that the commit holds.
        found: The verdict that its inputs give here.
        differences: Top-level keys of gate.json that differ, sorted.
    """

    commit: str
    is_same: bool
    recorded: str
    found: str
    differences: tuple[str, ...]


def reproduce(directory: Path, revision: str, *, progress: Progress = silent) -> Reproduction:
    """Decide a commit again, and compare the gate.json with the commit's, byte for byte.

    The commit's small files are laid out in a temporary directory beside the repository's own Git
    directory; its tables come from the DVC cache or remote by the MD5 in its dvc.lock. The work
    tree, the index and HEAD stay as they are, and nothing is scored.

    Raises:
        DataError: The commit holds no gate.json, or no scores.
        MissingObjectError: Its tables are nowhere to be had.
    """
    workspace = Workspace(directory)
    commit = workspace.git.resolve(revision)
    files = workspace.git.files(commit)
    if PATH not in files:
        raise DataError(f"{commit[:12]} holds no {PATH}", hint="name a commit that has a verdict")
    recorded = workspace.git.blobs([files[PATH]])[0]
    with tempfile.TemporaryDirectory(dir=workspace.git.git_dir, prefix="gitloop-") as scratch:
        place = Path(scratch) / "tree"
        workspace.git.run("worktree", "add", "--detach", "--quiet", str(place), commit)
        try:
            _lay_out(workspace, place)
            gate(place, progress=progress)
            found = (place / PATH).read_bytes()
        finally:
            workspace.git.run("worktree", "remove", "--force", str(place))
    return _compared(commit, recorded, found)


def _lay_out(workspace: Workspace, place: Path) -> None:
    """Put the run's tables where the gate reads them, as the commit's dvc.lock names them."""
    lock = place / LOCK
    outs = lock_outs(workspace.dvc, lock.read_bytes()) if lock.is_file() else {}
    absent = [path for path in (OUTPUTS, SCORES) if path not in outs]
    if absent:
        raise DataError(f"its {LOCK} does not name {' and '.join(absent)}", hint="run: dvc repro")
    digests = {path: outs[path] for path in (OUTPUTS, SCORES)}
    bring(workspace.root, workspace.dvc, digests.values())
    for path, digest in digests.items():
        cached = workspace.dvc.object_path(digest)
        if cached is not None:
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(cached, place / path)


def _compared(commit: str, recorded: bytes, found: bytes) -> Reproduction:
    try:
        then: dict[str, Any] = json.loads(recorded)
    except ValueError as error:
        raise DataError(f"{PATH} of {commit[:12]} is not valid JSON") from error
    now = json.loads(found)
    keys = sorted({*then, *now})
    return Reproduction(
        commit=commit,
        is_same=recorded == found,
        recorded=str(then.get("verdict")),
        found=str(now.get("verdict")),
        differences=tuple(key for key in keys if then.get(key) != now.get(key)),
    )
