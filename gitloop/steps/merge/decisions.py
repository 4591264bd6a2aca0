"""What people decided in the merge in progress, and the record that keeps it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from gitloop.records import PartState
from gitloop.storage.files import read_json, write_json, write_text
from gitloop.storage.git import GitRepository
from gitloop.storage.lineage import Change, render_record
from gitloop.workspace import Workspace

_HEADS = ("MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")


class Memory:
    """The decisions of one merge, kept under Git's own directory until it ends.

    Args:
        path: The file that holds them.
        merge: What tells this merge from another.
    """

    def __init__(self, path: Path, merge: str) -> None:
        saved = read_json(path) if path.is_file() else {}
        self._path = path
        self._merge = merge
        self._parts: dict[str, Any] = saved["parts"] if saved.get("merge") == merge else {}

    @classmethod
    def of(cls, git: GitRepository) -> Memory:
        """The memory of the merge in progress."""
        heads = [git.git_dir / name for name in _HEADS]
        found = [path.read_text(encoding="ascii").strip() for path in heads if path.is_file()]
        key = " ".join([git.head() or "", *found])
        return cls(git.git_dir / "gitloop" / "resolutions.json", key)

    def choices(self, path: str) -> dict[str, Any]:
        """row_id → choice, of one part."""
        return dict(self._parts.get(path, {}).get("choices", {}))

    def choose(self, path: str, row_id: str, choice: Any) -> None:  # noqa: ANN401 -- JSON
        """Keep a choice."""
        self._parts.setdefault(path, {}).setdefault("choices", {})[row_id] = choice
        self._save()

    def decide(self, path: str, decided: dict[str, Any], state: dict[str, Any] | None) -> None:
        """Keep what became of a part: row_id → digest or None, and its state, None if it went."""
        entry = self._parts.setdefault(path, {})
        entry["decided"], entry["state"] = decided, state
        self._save()

    def decided(self, set_name: str) -> dict[str, dict[str, Any]]:
        """Part id → what was decided, of one set's parts that are finished."""
        return {
            PurePosixPath(path).name.removesuffix(".parquet.dvc"): entry
            for path, entry in self._parts.items()
            if path.startswith(f"golden/{set_name}/") and "decided" in entry
        }

    def _save(self) -> None:
        write_json(self._path, {"merge": self._merge, "parts": self._parts})


def record_decisions(workspace: Workspace, memory: Memory, set_name: str) -> None:
    """Write and stage the record of what people decided; none where rows merged by themselves.

    It names both heads, so that nobody takes a decision for a lost change.
    """
    parts = memory.decided(set_name)
    decided = {row_id: sha for entry in parts.values() for row_id, sha in entry["decided"].items()}
    if not decided:
        return
    golden = workspace.golden(set_name)
    digests: dict[str, str] = {}
    for part in golden.parts():
        digests |= golden.row_digests(part)
    change = Change(
        kind="merge",
        set_name=set_name,
        heads=golden.heads(),
        base_sha256=None,
        row_digests=digests,
        parts=[PartState(**entry["state"]) for entry in parts.values() if entry["state"]],
        removed_parts=[name for name, entry in parts.items() if entry["state"] is None],
        changed=[row_id for row_id, sha in decided.items() if sha is not None],
        retired=[row_id for row_id, sha in decided.items() if sha is None],
        at=workspace.now(),
        why="both sides changed these rows; a person decided",
    )
    path = f"golden/{set_name}/log/{change.id}.yaml"
    write_text(workspace.root / path, render_record(change).decode())
    workspace.git.run("add", "--", path)
