"""Drivers and hooks of this clone. Imports neither polars nor pyarrow: hooks run it."""

from __future__ import annotations

import shutil
from pathlib import Path

from gitloop.storage import drivers
from gitloop.storage.drivers import Finding
from gitloop.storage.dvc import Dvc
from gitloop.storage.git import GitRepository
from gitloop.storage.strays import Swept
from gitloop.storage.strays import sweep as sweep_parts


def install(directory: Path) -> list[str]:
    """Turn the drivers and hooks on in this clone; tell what changed."""
    return drivers.install(GitRepository(directory))


def uninstall(directory: Path) -> list[str]:
    """Turn the drivers and hooks off in this clone; tell what changed."""
    return drivers.uninstall(GitRepository(directory))


def doctor(directory: Path) -> list[Finding]:
    """How the drivers stand in this clone."""
    return drivers.diagnose(GitRepository(directory), program=shutil.which("gitloop"))


def sweep(directory: Path) -> Swept:
    """Make data/ of every golden set what its pointers say."""
    git = GitRepository(directory)
    return sweep_parts(git.root, Dvc(git.root, git.common_dir))
