"""A session's labels as one commit under the annotator's Git identity."""

from __future__ import annotations

from dataclasses import dataclass

from gitloop.core.label import Session
from gitloop.errors import ToolError
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of the labels in Git.

    Attributes:
        commit: The commit's id, or None where there is none.
        author: "Name <address>" of its author, or "".
        reason: Why there is none, or "".
    """

    commit: str | None = None
    author: str = ""
    reason: str = ""


def commit_labels(
    workspace: Workspace, session: Session, identity: tuple[str, str] | None
) -> Committed:
    """Commit the annotator's label file, and nothing else, where it differs from HEAD.

    Without an identity of their own the Git user commits; who labelled stands in every line and in
    the message either way. Labels stay on disk whatever Git says.

    Args:
        workspace: The opened checkout.
        session: Who labelled.
        identity: Their (name, address), or None.
    """
    path = f"labels/{session.annotator}.jsonl"
    if not workspace.git.run("status", "--porcelain", "--untracked-files=all", "--", path):
        return Committed(reason="there is nothing new to commit")
    author = identity or workspace.git.identity()
    if author is None:
        return Committed(
            reason="Git does not know who you are: run git config user.name and .email"
        )
    n_new = _n_lines(workspace, path)
    message = (
        f"Label {n_new} {'item' if n_new == 1 else 'items'} as {session.annotator}\n\n"
        f"Labelled-by: {session.annotator} ({session.role})\n"
        f"Guidance-version: {session.guidance_version}\n"
    )
    try:
        commit = workspace.git.commit_file(path, message, author=author, at=workspace.now())
    except ToolError as error:
        return Committed(reason=error.message)
    return Committed(commit, f"{author[0]} <{author[1]}>")


def _n_lines(workspace: Workspace, path: str) -> int:
    """Lines of the file that HEAD does not have."""
    head = workspace.git.head()
    known = workspace.git.files(head, path) if head else {}
    before = workspace.git.blobs([known[path]])[0] if path in known else b""
    return max(0, (workspace.root / path).read_bytes().count(b"\n") - before.count(b"\n"))
