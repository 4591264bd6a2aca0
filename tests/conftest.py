"""What all tests share: a machine of their own, and real repositories.

def test_x(repository: Repository) -> None:
    sha = repository.gen({"data/x.txt": "text"}, commit="Add x")
    repository.git("log", "--oneline"); repository.dvc("status")
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.repositories import Repository

settings.register_profile("gitloop", deadline=None, print_blob=True)
settings.load_profile("gitloop")  # no test asserts a time

EPOCH = 1_780_000_000
"""The fixed time of every test: 2026-05-28T20:26:40Z."""


@pytest.fixture(scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _machine(
    monkeypatch: pytest.MonkeyPatch, _home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """No setting of this machine reaches a test, and no test leaves a file in $HOME."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_EDITOR"):
        monkeypatch.delenv(name, raising=False)
    site = tmp_path_factory.getbasetemp() / "dvc-site"
    fixed = {
        "HOME": str(_home),
        "XDG_CONFIG_HOME": str(_home / ".config"),
        "XDG_CACHE_HOME": str(_home / ".cache"),
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada Author",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Carl Committer",
        "GIT_COMMITTER_EMAIL": "carl@example.org",
        "GIT_AUTHOR_DATE": f"{EPOCH} +0000",
        "GIT_COMMITTER_DATE": f"{EPOCH} +0000",
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(site / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(site / "system"),
        "DVC_SITE_CACHE_DIR": str(site / "cache"),
    }
    for name, value in fixed.items():
        monkeypatch.setenv(name, value)
    yield
    left = sorted(path.name for path in _home.iterdir())
    assert left == [], f"the test wrote into $HOME: {left}"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with Git, DVC and an empty params.yaml, on the branch "main"."""
    return Repository.create(tmp_path / "repository")
