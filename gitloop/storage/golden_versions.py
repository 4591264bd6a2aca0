"""Versions of golden sets by name: what a version held, told by records, tags or commits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gitloop.errors import DataError, ToolError
from gitloop.records import Lineage, PartState
from gitloop.storage.dvc import Dvc, Pointer
from gitloop.storage.git import GitRepository
from gitloop.storage.golden import GoldenSet
from gitloop.storage.golden_parts import WrittenPart
from gitloop.storage.trees import CommitTree, Tree, blob_id

_TAG = re.compile(r"^v[0-9]")


class VersionTree:
    """A tree in which one golden set is as it was at an older version.

    Args:
        tree: The tree as it is.
        set_name: The set.
        version: What to call it.
        contents: Path → content of the set's pointers and records at that version.
    """

    def __init__(
        self, tree: Tree, set_name: str, version: str, contents: Mapping[str, bytes]
    ) -> None:
        self.name = f"{set_name}@{version}"
        self._tree = tree
        self._contents = contents
        self._covered = (f"golden/{set_name}/parts/", f"golden/{set_name}/log/")

    def files(self, prefix: str) -> list[str]:
        """The paths under the directory `prefix`, sorted."""
        own = [path for path in self._contents if path.startswith(f"{prefix.rstrip('/')}/")]
        others = [p for p in self._tree.files(prefix) if not p.startswith(self._covered)]
        return sorted([*others, *own])

    def read(self, paths: list[str]) -> list[bytes]:
        """The contents of the files, in order."""
        return [
            self._contents[path] if path in self._contents else self._tree.read([path])[0]
            for path in paths
        ]

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        if path.startswith(self._covered):
            return path in self._contents
        return self._tree.has(path)

    def blob(self, path: str) -> str:
        """Git's id of the file's content."""
        return blob_id(self.read([path])[0])


def split_name(text: str) -> tuple[str, str | None]:
    """The set and the version in NAME or NAME@VERSION."""
    name, _, version = text.partition("@")
    return name, version or None


def at_version(golden: GoldenSet, tree: Tree, version: str, *, dvc: Dvc, root: Path) -> GoldenSet:
    """The set as it was at an older version, told by the records of `tree` alone, or as it is.

    Neither history nor tags are asked, so it holds in a shallow clone and after a squash. The set
    comes back as it is where no record tells the version: it is unknown, or a merge made it, or
    parts of it came out of a merge by rows.
    """
    contents = None if golden.version() == version else _contents(golden, tree, version)
    if contents is None:
        return golden
    found = GoldenSet(VersionTree(tree, golden.name, version, contents), dvc, root, golden.name)
    (head,) = found.heads()
    return found if found.sha256() == head.dataset_sha256 else golden


def _contents(golden: GoldenSet, tree: Tree, version: str) -> dict[str, bytes] | None:
    """Path → content of the pointers and records at the version, or None."""
    lineage = Lineage.of(golden.records())
    made = [record for record in lineage.records if record.version == version]
    if not made:
        return None
    known = lineage.up_to(made[-1].id)
    states: dict[str, dict[str, PartState | None]] = {}
    for record in known:
        for part in record.parts:
            states.setdefault(part.id, {})[record.id] = part
        for part_id in record.removed_parts:
            states.setdefault(part_id, {})[record.id] = None
    contents: dict[str, bytes] = {}
    for part_id, by_record in states.items():
        last = {by_record[name] for name in lineage.last(by_record)}
        if len(last) != 1:
            return None
        if (state := last.pop()) is not None:
            pointer = Pointer(state.md5, None, f"{part_id}.parquet", "../data")
            path = WrittenPart(state, pointer).pointer_path(golden.name)
            contents[path] = pointer.render().encode()
    paths = [f"{golden.path}/log/{record.id}.yaml" for record in known]
    return contents | dict(zip(paths, tree.read(paths), strict=True))


def commit_of(git: GitRepository, dvc: Dvc, name: str, version: str) -> str:
    """The newest commit at which the set is at this version.

    A merge is a version of its own, named by both heads ("a+b"). Looked for among the commits that
    touch the set and are part of any branch or tag. A version that begins with "v" is a tag's, as
    `gitloop golden tag` makes them.

    Raises:
        DataError: No commit holds the set at that version.
    """
    unknown = DataError(
        f"no commit holds {name} at version {version}", hint=f"run: gitloop log {name}"
    )
    if _TAG.match(version):
        try:
            return git.resolve(f"refs/tags/{name}@{version}")
        except ToolError as error:
            raise unknown from error
    newest = f"golden/{name}/log/{version.rpartition('+')[2]}-"
    touching = git.log("--all", f"golden/{name}", options=("--full-history", "--topo-order"))
    for commit in touching:
        tree = CommitTree(git, commit.sha)
        golden = GoldenSet(tree, dvc, git.root, name)
        is_likely = any(path.startswith(newest) for path in golden.record_paths())
        if is_likely and golden.version() == version:
            return commit.sha
    raise unknown
