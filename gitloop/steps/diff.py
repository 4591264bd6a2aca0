"""Compare the golden sets of two revisions; nothing is checked out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core import diff as core
from gitloop.errors import ConfigError, DataError
from gitloop.storage.golden import GoldenSet, Part
from gitloop.storage.trees import CommitTree, Tree, WorkTree
from gitloop.tables import GOLDEN
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class DiffRequest:
    """What is to be compared.

    Attributes:
        before: A revision, "A..B", "A...B", or None for HEAD.
        after: A revision, or None for the work tree.
        set_name: The set, or None for all.
        where: Column → value that rows must have.
        limit: Entries of each kind that are listed, or None for all.
        is_direct: Compare `before` itself, not the point where the two parted.
    """

    before: str | None = None
    after: str | None = None
    set_name: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    is_direct: bool = False


def diff(directory: Path, request: DiffRequest) -> dict[str, Any]:
    """The change, as a `gitloop.diff/v1` document.

    With two revisions, the change since they parted, as a pull request shows it. Only parts that
    differ are read.

    Raises:
        ToolError: There is no such commit.
        ConfigError: A column that the table does not have.
        MissingObjectError: Bytes of an old version are nowhere to be had.
    """
    workspace = Workspace(directory)
    unknown = [column for column in request.where if column not in GOLDEN.schema]
    if unknown:
        raise ConfigError(
            f"golden rows have no column {', '.join(unknown)}", hint="docs/tables.md: golden"
        )
    trees = _trees(workspace, request)
    names = [request.set_name] if request.set_name else _names(trees)
    found = [_compare_set(workspace, name, trees, request) for name in names]
    return {
        "schema": core.SCHEMA,
        "before": trees[0].name,
        "after": trees[1].name,
        "where": dict(request.where),
        "sets": [entry for entry in found if entry is not None],
    }


def is_empty(value: Mapping[str, Any]) -> bool:
    """Whether the document tells of no change of rows, labels, cells or schema."""
    kinds = ("retired", "changed", "added")
    return not any(
        entry["columns"] or any(entry["counts"][kind] for kind in kinds) for entry in value["sets"]
    )


def _trees(workspace: Workspace, request: DiffRequest) -> tuple[Tree, Tree]:
    before, after, is_direct = request.before or "HEAD", request.after, request.is_direct
    for dots in ("...", ".."):
        if dots in before:
            before, _, last = before.partition(dots)
            before, after, is_direct = before or "HEAD", last or "HEAD", dots == ".."
            break
    start = workspace.git.resolve(before)
    end = workspace.git.resolve(after or "HEAD")
    if not is_direct:
        start = workspace.git.merge_base(start, end) or start
    old = CommitTree(workspace.git, start)
    if after is None:
        return old, WorkTree(workspace.root)
    return old, CommitTree(workspace.git, end)


def _names(trees: Iterable[Tree]) -> list[str]:
    paths = [path for tree in trees for path in tree.files("golden")]
    return sorted({path.split("/")[1] for path in paths if path.endswith("/dataset.yaml")})


def _compare_set(
    workspace: Workspace, name: str, trees: tuple[Tree, Tree], request: DiffRequest
) -> dict[str, Any] | None:
    """The set's entry, or None where both sides are the same, part for part."""
    before, after = (GoldenSet(tree, workspace.dvc, workspace.root, name) for tree in trees)
    if not before.exists() and not after.exists():
        raise DataError(f"there is no golden set {name}", hint="run: gitloop golden list")
    old, new = before.parts(), after.parts()
    shared = {part.pointer.md5 for part in old} & {part.pointer.md5 for part in new}
    gone = [part for part in old if part.pointer.md5 not in shared]
    come = [part for part in new if part.pointer.md5 not in shared]
    if not gone and not come:
        return None
    delta = core.compare(_read(before, gone), _read(after, come), request.where)
    is_reencoded = delta.is_empty and not request.where
    sides = (_side(before, old, trees[0]), _side(after, new, trees[1]))
    n_reencoded = max(len(gone), len(come)) if is_reencoded else 0
    return core.document(name, sides, delta, n_reencoded=n_reencoded, limit=request.limit)


def _read(golden: GoldenSet, parts: list[Part]) -> pl.DataFrame:
    golden.fetch(parts)
    frames = [golden.read_raw(part) for part in parts]
    return pl.concat(frames, how="diagonal_relaxed") if frames else GOLDEN.empty()


def _side(golden: GoldenSet, parts: list[Part], tree: Tree) -> core.Side:
    return core.Side(tree.name, golden.version(), sum(golden.n_rows(part) for part in parts))
