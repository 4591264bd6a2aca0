"""The rubrics in use as a constitution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gitloop.core.pairs.constitution import clauses
from gitloop.workspace import Workspace


def read_constitution(directory: Path) -> list[dict[str, Any]]:
    """One clause per rubric that params.yaml pins and that says in words what it wants, by name.

    Raises:
        ConfigError: A rubric is at fault, or not at its pinned version.
    """
    return constitution(Workspace(directory))


def constitution(workspace: Workspace) -> list[dict[str, Any]]:
    """The same of an opened checkout."""
    return clauses(workspace.rubric(name) for name in sorted(workspace.params.rubrics))
