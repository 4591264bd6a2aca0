"""Versions of golden sets by name: which commit holds one."""

from __future__ import annotations

from gitloop.errors import DataError
from gitloop.storage.dvc import Dvc
from gitloop.storage.git import GitRepository
from gitloop.storage.golden import GoldenSet
from gitloop.storage.trees import CommitTree


def split_name(text: str) -> tuple[str, str | None]:
    """The set and the version in NAME or NAME@VERSION."""
    name, _, version = text.partition("@")
    return name, version or None


def commit_of(git: GitRepository, dvc: Dvc, name: str, version: str) -> str:
    """The newest commit at which the set is at this version.

    A merge is a version of its own, named by both heads ("a+b"). Looked for among the commits that
    touch the set and are part of any branch or tag.

    Raises:
        DataError: No commit holds the set at that version.
    """
    newest = f"golden/{name}/log/{version.rpartition('+')[2]}-"
    touching = git.log("--all", f"golden/{name}", options=("--full-history", "--topo-order"))
    for commit in touching:
        tree = CommitTree(git, commit.sha)
        golden = GoldenSet(tree, dvc, git.root, name)
        is_likely = any(path.startswith(newest) for path in golden.record_paths())
        if is_likely and golden.version() == version:
            return commit.sha
    raise DataError(f"no commit holds {name} at version {version}", hint=f"run: gitloop log {name}")
