"""What Git must not see of the files that DVC tracks."""

from __future__ import annotations

from gitloop.errors import ToolError
from gitloop.storage.files import write_text
from gitloop.workspace import Workspace


def keep_out_of_git(workspace: Workspace, path: str) -> None:
    """See to it that Git ignores a Parquet file that DVC tracks.

    Args:
        workspace: The repository.
        path: The file, relative to the root.
    """
    try:
        workspace.git.run("check-ignore", "-q", "--", path)
    except ToolError:  # git's way to say no
        ignores = (workspace.root / path).parent / ".gitignore"
        before = ignores.read_text(encoding="utf-8") if ignores.is_file() else ""
        gap = "" if not before or before.endswith("\n") else "\n"
        write_text(ignores, f"{before}{gap}/*.parquet\n")
