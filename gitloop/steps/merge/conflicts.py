"""Conflicts of golden rows: what they are, and how they end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gitloop.core.merge import CHOICES, Conflict, Merge, merge_rows, settle
from gitloop.digests import canonical_json, row_digest
from gitloop.errors import ConfigError, DataError
from gitloop.steps.merge.decisions import Memory, record_decisions
from gitloop.storage import merging
from gitloop.storage.files import read_json, write_text
from gitloop.storage.golden import GoldenSet, content
from gitloop.storage.strays import sweep
from gitloop.storage.trees import WorkTree
from gitloop.workspace import Workspace

_FIXED = (
    "row_id",
    "set",
    "split",
    "input",
    "context",
    "route",
    "group_id",
    "created_at",
    "promoted_in",
)
"""Columns that no resolution can change: they are what the row is, and where it came from."""


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A row that a person must decide on.

    Attributes:
        path: The pointer of its part.
        row_id: The row.
        columns: The cells that both sides changed; () where one side took the row away.
        base: Those cells in the common ancestor; None where it had no such row.
        ours: Those cells on our side; None where we took the row away.
        theirs: Those cells on their side; None where they took it away.
    """

    path: str
    row_id: str
    columns: tuple[str, ...]
    base: Mapping[str, Any] | None
    ours: Mapping[str, Any] | None
    theirs: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ConflictReport:
    """How a merge stands.

    Attributes:
        rows: The rows that are open, by part and row_id.
        settled: Parts that are merged and staged now.
        others: Conflicted files that hold no golden rows.
    """

    rows: tuple[OpenConflict, ...]
    settled: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One conflicted part: its three sides, their merge, and the choices made so far.

    A side that joined the part with others has its rows elsewhere: `homes` tells where.
    """

    sides: merging.Sides
    merge: Merge
    choices: dict[str, Any]
    homes: Mapping[str, str]

    @property
    def is_open(self) -> list[Conflict]:
        """The conflicts that nobody has decided yet."""
        return [found for found in self.merge.conflicts if found.row_id not in self.choices]


def conflicts(directory: Path) -> ConflictReport:
    """The golden rows that stand in the way of the merge in progress.

    Reads Git's own record of the three sides: it works as well where no driver was installed. A
    part that merges row by row after all is staged at once.

    Raises:
        DataError: A conflict was committed as it was, markers and all: Git knows its sides no more.
    """
    workspace = Workspace(directory)
    memory = Memory.of(workspace.git)
    parts, others = _conflicted(workspace, memory)
    if not parts:
        _refuse_committed(workspace)
    settled = [path for path, part in parts.items() if not part.is_open]
    for path in settled:
        _finish(workspace, parts[path], memory)
    rows = [_open(path, found) for path, part in sorted(parts.items()) for found in part.is_open]
    waiting = {part.sides.set_name for part in parts.values() if part.is_open}
    done = {parts[path].sides.set_name for path in settled} - waiting
    for name in sorted(done):
        record_decisions(workspace, memory, name)
    return ConflictReport(tuple(rows), tuple(settled), tuple(others))


def _refuse_committed(workspace: Workspace) -> None:
    """Tell of a pointer that was committed with its conflict markers, and the way back."""
    head, tree = workspace.git.head(), WorkTree(workspace.root)
    paths = [path for path in tree.files("golden") if path.endswith(".parquet.dvc")]
    for path, text in zip(paths, tree.read(paths), strict=True):
        if text.startswith(b"<<<<<<< ") and head is not None:
            made = workspace.git.text("log", "-1", "--format=%h", head, "--", path)
            raise DataError(
                f"{path} was committed with its conflict markers, by {made}: no side is lost",
                hint=f"git reset --hard {made}~1, merge again, then: gitloop conflicts",
            )


def resolve(directory: Path, row: str, choice: str) -> ConflictReport:
    """Decide one row; when it was the last of its part, the merged part is written and staged.

    Args:
        directory: A directory in the work tree.
        row: The row's id, or a clear beginning of it.
        choice: "ours", "theirs", "ancestor", "delete", or a JSON file with the cells as they shall
            be.

    Raises:
        DataError: No open conflict, or more than one, begins so.
        ConfigError: The choice is none, or there was no ancestor.
    """
    workspace = Workspace(directory)
    memory = Memory.of(workspace.git)
    parts, _ = _conflicted(workspace, memory)
    found = [
        (part, conflict)
        for part in parts.values()
        for conflict in part.merge.conflicts
        if conflict.row_id.startswith(row)
    ]
    if len(found) != 1:
        raise DataError(
            f"{len(found) or 'no'} conflicts begin with {row!r}", hint="run: gitloop conflicts"
        )
    part, conflict = found[0]
    memory.choose(part.sides.path, conflict.row_id, _checked(conflict, choice, directory))
    return conflicts(directory)


def _conflicted(workspace: Workspace, memory: Memory) -> tuple[dict[str, _Part], list[str]]:
    """The conflicted golden parts, and the other conflicted files."""
    git, parts, others = workspace.git, {}, []
    unmerged = git.unmerged()
    for path, stages in sorted(unmerged.items()):
        is_part = path.startswith("golden/") and path.endswith(".parquet.dvc")
        if not is_part or "/parts/" not in path:
            others.append(path)
            continue
        ids = [stages.get(stage) for stage in (1, 2, 3)]
        base, ours, theirs = (git.blobs([blob])[0] if blob else b"" for blob in ids)
        sides = merging.read_sides(workspace.dvc, path, base, ours, theirs)
        sides, homes = _completed(workspace, sides, set(unmerged))
        policy = merging.merge_policy(WorkTree(git.root), sides.set_name)
        merged = merge_rows(sides.base, sides.ours, sides.theirs, policy)
        parts[path] = _Part(sides, merged, memory.choices(path), homes)
    return parts, others


def _completed(
    workspace: Workspace, sides: merging.Sides, unmerged: set[str]
) -> tuple[merging.Sides, dict[str, str]]:
    """The sides with the rows that they hold in other parts, and which part each is in.

    A compaction, or a retirement with a later promotion, moves a row to another part. Git merged
    that part by itself; it is on our side where HEAD has it, and on theirs where it is not as HEAD
    has it.
    """
    git, name = workspace.git, sides.set_name
    golden = GoldenSet(WorkTree(git.root), workspace.dvc, git.root, name)
    head = git.files("HEAD", f"golden/{name}/parts")
    ids = sides.base.keys() | sides.ours.keys() | sides.theirs.keys()
    ours, theirs = dict(sides.ours), dict(sides.theirs)
    homes: dict[str, str] = {}
    for path in golden.pointer_paths():
        part = None if path in unmerged else golden.part_at(path)
        if part is None:
            continue
        golden.fetch([part])
        if not ids & golden.row_digests(part).keys():
            continue
        is_theirs = head.get(path) != WorkTree(git.root).blob(path)
        for row in golden.read_part(part).iter_rows(named=True):
            row_id = row["row_id"]
            if path in head and row_id in ids and row_id not in sides.ours:
                ours[row_id], homes[row_id] = row, part.id
            if is_theirs and row_id in ids and row_id not in sides.theirs:
                theirs[row_id], homes[row_id] = row, part.id
    return replace(sides, ours=ours, theirs=theirs), homes


def _finish(workspace: Workspace, part: _Part, memory: Memory) -> None:
    """Write the merged part and stage its pointer, or its removal where no row is left.

    Rows that a compaction moved are changed where they are now.
    """
    git, path = workspace.git, part.sides.path
    rows: dict[str, Any] = dict(part.merge.rows)
    decided: dict[str, Any] = {}
    for found in part.merge.conflicts:
        rows[found.row_id] = settle(found, part.choices[found.row_id])
        decided[found.row_id] = _digest(rows[found.row_id])
    golden = GoldenSet(WorkTree(git.root), workspace.dvc, git.root, part.sides.set_name)
    for home in sorted(set(part.homes.values())):
        mine = {row_id for row_id, where in part.homes.items() if where == home}
        old = {
            row["row_id"]: row
            for row in golden.read_part(golden.part_named(home)).iter_rows(named=True)
        }
        changed = {k: rows.get(k) for k in sorted(mine) if _digest(rows.get(k)) != _digest(old[k])}
        if changed:
            new = {k: changed.get(k, row) for k, row in old.items()}
            home_path = f"golden/{part.sides.set_name}/parts/{home}.parquet.dvc"
            _stage(workspace, replace(part.sides, path=home_path), new, memory, {})
            decided |= {row_id: _digest(row) for row_id, row in changed.items()}
    own = {row_id: row for row_id, row in rows.items() if row_id not in part.homes}
    _stage(workspace, part.sides, own, memory, decided)
    sweep(git.root, workspace.dvc, only=part.sides.set_name)
    if path in git.unmerged():
        raise DataError(f"{path} is still in conflict", hint="run: git status")


def _stage(
    workspace: Workspace,
    sides: merging.Sides,
    rows: Mapping[str, Any],
    memory: Memory,
    decided: dict[str, Any],
) -> None:
    """Write and stage the part with these rows, None being no row; without any, its removal."""
    kept = {row_id: row for row_id, row in rows.items() if row is not None}
    if not kept:
        workspace.git.run("rm", "--quiet", "--force", "--", sides.path)
        memory.decide(sides.path, decided, None)
        return
    written = merging.write_merged(workspace.dvc, sides, kept)
    write_text(workspace.root / sides.path, written.pointer.render())
    workspace.git.run("add", "--", sides.path)
    memory.decide(sides.path, decided, asdict(written.state))


def _digest(row: Mapping[str, Any] | None) -> str | None:
    return None if row is None else row_digest(content(row))


def _open(path: str, found: Conflict) -> OpenConflict:
    def cells(row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if row is None:
            return None
        value: dict[str, Any] = json.loads(canonical_json(row))
        return {name: value[name] for name in found.columns or value}

    return OpenConflict(
        path, found.row_id, found.columns, cells(found.base), cells(found.ours), cells(found.theirs)
    )


def _checked(conflict: Conflict, choice: str, directory: Path) -> Any:  # noqa: ANN401 -- JSON
    if choice in CHOICES:
        if choice == "ancestor" and conflict.base is None:
            raise ConfigError(
                f"both sides added row {conflict.row_id}: it has no ancestor",
                hint="use ours, theirs, delete or a file",
            )
        return choice
    path = directory / choice
    if not path.is_file():
        raise ConfigError(
            f"{choice!r} is neither {', '.join(CHOICES)} nor a file", hint="run: gitloop conflicts"
        )
    cells = read_json(path)
    known = json.loads(canonical_json(conflict.ours or conflict.theirs or {}))
    if not isinstance(cells, dict) or not set(cells) <= set(known):
        raise ConfigError(f"{choice} is no JSON object of golden columns")
    moved = [name for name in _FIXED if name in cells and cells[name] != known[name]]
    if moved:
        raise ConfigError(f"{', '.join(moved)} cannot be changed: that is what the row is")
    return {name: cell for name, cell in cells.items() if name not in _FIXED}
