"""How a rubric differs between two commits, and what that means for its scores."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from gitloop.errors import ConfigError
from gitloop.params import Rubric, parse_rubric
from gitloop.storage.files import read_text
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RubricDiff:
    """A rubric at two times.

    Attributes:
        rubric: Its name.
        before: Its version then.
        after: Its version now.
        is_rescored: Whether what can change a score changed.
        is_silent: Whether it did so without a new version, which is a fault.
        lines: A unified diff of the two files; () where they are alike.
    """

    rubric: str
    before: str
    after: str
    is_rescored: bool
    is_silent: bool
    lines: tuple[str, ...]


def diff_rubric(directory: Path, name: str, before: str, after: str | None = None) -> RubricDiff:
    """How a rubric's file changed between two commits.

    Args:
        directory: A directory in the repository.
        name: The rubric.
        before: A commit, branch or tag.
        after: Another, or None for the work tree.

    Raises:
        ConfigError: There is no such commit, or the rubric is not in it, or its file is faulty.
    """
    workspace = Workspace(directory)
    old, was = _at(workspace, name, before)
    new, now = _at(workspace, name, after)
    moved = was.sha256 != now.sha256
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), before, after or "work tree", lineterm="", n=2
    )
    return RubricDiff(
        rubric=name,
        before=was.version,
        after=now.version,
        is_rescored=moved,
        is_silent=moved and was.version == now.version,
        lines=tuple(lines),
    )


def _at(workspace: Workspace, name: str, revision: str | None) -> tuple[str, Rubric]:
    """A rubric's text and content as a commit, or the work tree, holds it."""
    source = f"rubrics/{name}.yaml"
    if revision is None:
        if not (workspace.root / source).is_file():
            raise ConfigError(f"{source} does not exist", hint="run: gitloop rubric list")
        text = read_text(workspace.root / source)
    else:
        blob = workspace.git.files(workspace.git.resolve(revision), source).get(source)
        if blob is None:
            raise ConfigError(f"{revision} has no {source}", hint=f"run: git log -- {source}")
        text = workspace.git.blobs([blob])[0].decode(errors="replace")
    return text, parse_rubric(text, source=source)
