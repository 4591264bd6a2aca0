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
        is_new: Whether anything of it was not here before.
        commit: HEAD now.
        conflicts: Files that are in conflict.
    """

    base: str
    is_merged: bool
    is_new: bool
    commit: str
    conflicts: tuple[str, ...]


def sync(directory: Path, base: str | None = None) -> SyncReport:
    """Merge the base branch here, with the drivers that no forge runs.

    Args:
        directory: A directory in the work tree.
        base: What to merge; by default the remote's default branch, fetched first; main where
            there is no remote.

    Raises:
        WorkspaceError: The tree has changes, or no branch is checked out.
        ToolError: The remote cannot be reached.
    """
    git = GitRepository(directory)
    if git.branch() is None:
        raise WorkspaceError("no branch is checked out", hint="git switch BRANCH")
    if git.changes():
        raise WorkspaceError("the tree has uncommitted changes", hint="commit or stash them first")
    name = base or _default_base(git)
    before = git.resolve("HEAD")
    try:
        git.run("merge", "--no-edit", "--quiet", name)
    except ToolError:
        left = tuple(sorted(git.unmerged()))
        if not left:
            raise
        return SyncReport(name, is_merged=False, is_new=True, commit=before, conflicts=left)
    sweep(git.root, Dvc(git.root, git.common_dir))
    after = git.resolve("HEAD")
    return SyncReport(name, is_merged=True, is_new=after != before, commit=after, conflicts=())


def _default_base(git: GitRepository) -> str:
    for remote in git.text("remote").splitlines():
        git.run("fetch", "--quiet", remote)
        head = f"refs/remotes/{remote}/HEAD"  # a clone has it; a repository that was pushed has not
        default = git.text("for-each-ref", "--format=%(symref:short)", head)
        for name in filter(None, (default, f"{remote}/main", f"{remote}/master")):
            if git.text("for-each-ref", f"refs/remotes/{name}"):
                return name
    for name in ("main", "master"):
        if git.branch_head(name):
            return name
    raise ConfigError("no base branch is known", hint="run: gitloop sync BRANCH")
