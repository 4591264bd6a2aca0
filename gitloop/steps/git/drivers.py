"""The drivers that Git calls: rows in place of pointers, and merges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core.merge import Conflict, merge_rows, merge_stages
from gitloop.errors import DataError, GitloopError
from gitloop.storage import merging, rows
from gitloop.storage.dvc import Dvc, parse_pointer
from gitloop.storage.git import GitRepository
from gitloop.storage.trees import WorkTree


@dataclass(frozen=True, slots=True)
class MergeReport:
    """How a driver's merge ended.

    Attributes:
        path: The file that was merged.
        n_conflicts: Rows that a person must decide on.
        dropped: Stages of a dvc.lock that have to run again.
    """

    path: str
    n_conflicts: int = 0
    dropped: tuple[str, ...] = ()


def textconv(directory: Path, pointer: Path) -> str:
    """The pointer's text and the rows that it stands for.

    Never fails: Git ends a whole `git log -p` when a textconv does. A miss of the cache is said and
    not remembered.
    """
    text = pointer.read_text(encoding="utf-8", errors="replace")
    try:
        lines = _lines(directory, text.encode())
    except (GitloopError, OSError, ValueError, pl.exceptions.PolarsError) as error:
        return f"{text}# rows: {str(error).splitlines()[0]}\n"
    if lines is None:
        return f"{text}# rows: not in the cache; run: dvc fetch\n"
    return text + lines


def _lines(directory: Path, content: bytes) -> str | None:
    """The part's rows as text, or None where the cache does not have them."""
    git = GitRepository(directory)
    dvc = Dvc(git.root, git.common_dir)
    pointer = parse_pointer(content, source="pointer")
    path = dvc.object_path(pointer.md5)
    if path is None or not dvc.is_intact(path, pointer.md5):
        return None
    lines = rows.row_lines(pl.read_parquet(path, hive_partitioning=False))
    rows.remember(dvc.scratch, pointer.md5, lines)
    return lines


def merge(directory: Path, sides: tuple[Path, Path, Path], path: str, into: Path) -> MergeReport:
    """Merge one golden part by row and cell, and write its pointer.

    On a conflict, or when anything goes wrong, `into` holds conflict markers and no pointer: our
    side alone can never be committed by accident.

    Args:
        directory: The work tree.
        sides: The pointer in the common ancestor, ours and theirs, as files.
        path: Where the pointer belongs.
        into: Where the result goes.
    """
    base, ours, theirs = (side.read_bytes() for side in sides)
    into.write_bytes(_marked(ours, theirs))
    git = GitRepository(directory)
    dvc = Dvc(git.root, git.common_dir)
    read = merging.read_sides(dvc, path, base, ours, theirs)
    policy = merging.merge_policy(WorkTree(git.root), read.set_name)
    found = merge_rows(read.base, read.ours, read.theirs, policy)
    if found.conflicts:
        into.write_bytes(_marked(ours, theirs, found.conflicts))
        return MergeReport(path, n_conflicts=len(found.conflicts))
    into.write_bytes(merging.write_merged(dvc, read, found.rows).pointer.render().encode())
    return MergeReport(path)


def merge_lock(sides: tuple[Path, Path, Path], into: Path) -> MergeReport:
    """Merge dvc.lock stage by stage; stages that both sides ran differently have to run again.

    Raises:
        DataError: A side is no dvc.lock; `into` keeps the markers that it has.
    """
    base, ours, theirs = (merging.read_lock(side.read_bytes()) for side in sides)
    for side in (ours, theirs):
        if not isinstance(side.get("stages", {}), dict):
            raise DataError("dvc.lock has no stages", hint="run: dvc repro")
    stages, dropped = merge_stages(*(side.get("stages") or {} for side in (base, ours, theirs)))
    into.write_bytes(merging.render_lock({**theirs, **ours, "stages": stages}))
    return MergeReport("dvc.lock", dropped=tuple(dropped))


def _marked(ours: bytes, theirs: bytes, conflicts: tuple[Conflict, ...] = ()) -> bytes:
    """Text that no tool takes for a pointer, with both sides in it."""
    told = f"# {len(conflicts)} rows conflict; run: gitloop conflicts\n" if conflicts else ""
    pieces = [b"<<<<<<< ours\n", ours, b"=======\n", theirs, b">>>>>>> theirs\n", told.encode()]
    return b"".join(pieces)
