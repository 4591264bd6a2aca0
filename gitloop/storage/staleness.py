"""Which stages of the loop are stale, answered from dvc.lock without starting DVC.

`dvc status` costs a second. This compares the digests that dvc.lock recorded with the files as they
are, by DVC's own rules, and costs milliseconds; a large Parquet file is vouched for by its pointer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.documents import parse
from gitloop.errors import GitloopError
from gitloop.storage.dvc import Dvc, parse_pointer
from gitloop.storage.files import md5, read_text

_IGNORED = ("spool", "__pycache__")
"""Directories below a dependency that .dvcignore leaves out."""


@dataclass(frozen=True, slots=True)
class StageState:
    """How a stage stands.

    Attributes:
        name: The stage.
        state: "fresh", "stale", "waiting" (for a stale stage before it), or "never run".
        reason: What changed, in a few words; "" for a fresh stage.
    """

    name: str
    state: str
    reason: str


def stage_states(root: Path, dvc: Dvc) -> list[StageState]:
    """The state of each stage of dvc.yaml, in its order there.

    Raises:
        GitloopError: dvc.yaml, dvc.lock or params.yaml cannot be read.
    """
    pipeline = parse(read_text(root / "dvc.yaml"), source="dvc.yaml").value or {}
    lock_file = root / "dvc.lock"
    locked = dvc.lock(lock_file.read_bytes()) if lock_file.is_file() else {}
    params = parse(read_text(root / "params.yaml"), source="params.yaml").value or {}
    states: list[StageState] = []
    unsettled: dict[str, str] = {}
    for name, stage in pipeline.get("stages", {}).items():
        entry = locked.get(name)
        inputs = [dep for dep in stage.get("deps", []) if isinstance(dep, str)]
        before = next((unsettled[dep] for dep in inputs if dep in unsettled), "")
        if entry is None:
            state = StageState(name, "never run", "")
        elif reason := _changed(root, entry, params):
            state = StageState(name, "stale", reason)
        elif before:
            state = StageState(name, "waiting", f"for {before}")
        else:
            state = StageState(name, "fresh", "")
        if state.state != "fresh":
            unsettled |= dict.fromkeys(_outputs(stage), name)
        states.append(state)
    return states


def _outputs(stage: Mapping[str, Any]) -> Iterator[str]:
    for kind in ("outs", "metrics", "plots"):
        for out in stage.get(kind, []):
            yield out if isinstance(out, str) else next(iter(out))


def _changed(root: Path, entry: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """What differs from the locked entry, or ""."""
    for name, value in entry.get("params", {}).get("params.yaml", {}).items():
        if params.get(name) != value:
            return f"params.yaml: {name}"
    for dep in entry.get("deps", []):
        if _digest(root / dep["path"]) != dep.get("md5"):
            return str(dep["path"])
    for out in entry.get("outs", []):
        path = root / out["path"]
        if not path.exists():
            return str(out["path"])
        if path.suffix == ".json" and md5(path) != out.get("md5"):
            return str(out["path"])
    return ""


def _digest(path: Path) -> str | None:
    """The MD5 by which DVC knows the file or directory, or None where it is not there."""
    if path.is_file():
        return _file_digest(path)
    if not path.is_dir():
        return None
    entries = [
        {"md5": _file_digest(file), "relpath": file.relative_to(path).as_posix()}
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and not file.name.endswith(".tmp")
        and not any(part in _IGNORED for part in file.relative_to(path).parts)
    ]
    entries.sort(key=lambda entry: str(entry["relpath"]))
    listing = json.dumps(entries, sort_keys=True).encode()
    return f"{hashlib.md5(listing, usedforsecurity=False).hexdigest()}.dir"


def _file_digest(path: Path) -> str:
    pointer = path.with_name(f"{path.name}.dvc")
    if pointer.is_file():
        try:
            return parse_pointer(pointer.read_bytes(), source=pointer.name).md5
        except GitloopError:
            return "unknown: its pointer is broken"
    return md5(path)
