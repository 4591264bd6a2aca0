"""Meet conflicts here, where the drivers run, before a forge meets them without."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitloop.errors import ConfigError, ToolError, WorkspaceError
from gitloop.storage.dvc import Dvc
from gitloop.storage.git import GitRepository
from gitloop.storage.strays import sweep


@dataclass(frozen=True, slots=True)
class SyncReport:
    """How a local merge of the base ended.

    Attributes:
        base: The branch that was merged.
        is_merged: Whether it is merged; False where conflicts are left.
        commit: HEAD now.
        conflicts: Files that are in conflict.
    """

    base: str
    is_merged: bool
    commit: str
    conflicts: tuple[str, ...]


def sync(directory: Path, base: str | None = None) -> SyncReport:
    """Merge the base branch here, with the drivers that no forge runs.

    Args:
        directory: A directory in the work tree.
        base: What to merge; by default the branch that the remote's HEAD names, else main.

    Raises:
        WorkspaceError: The tree has changes, or no branch is checked out.
    """
    git = GitRepository(directory)
    if git.branch() is None:
        raise WorkspaceError("no branch is checked out", hint="git switch BRANCH")
    if git.changes():
        raise WorkspaceError("the tree has uncommitted changes", hint="commit or stash them first")
    name = base or _default_base(git)
    try:
        git.run("merge", "--no-edit", "--quiet", name)
    except ToolError:
        left = tuple(sorted(git.unmerged()))
        if not left:
            raise
        return SyncReport(name, is_merged=False, commit=git.resolve("HEAD"), conflicts=left)
    sweep(git.root, Dvc(git.root, git.common_dir))
    return SyncReport(name, is_merged=True, commit=git.resolve("HEAD"), conflicts=())


def _default_base(git: GitRepository) -> str:
    for remote in git.text("remote").splitlines():
        try:
            git.run("fetch", "--quiet", remote)
            return git.text("rev-parse", "--abbrev-ref", f"{remote}/HEAD")
        except ToolError:
            continue
    for name in ("main", "master"):
        if git.branch_head(name):
            return name
    raise ConfigError("no base branch is known", hint="run: gitloop sync BRANCH")
