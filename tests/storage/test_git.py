"""The Git repository: questions and commits that touch nobody's work tree."""

from __future__ import annotations

from tests.repositories import Repository


def test_fixture_is_clean_and_dvc_knows_it(repository: Repository) -> None:
    """A fresh repository is clean for Git and for DVC."""
    told = repository.dvc("status")
    assert repository.status() == ""
    assert told.startswith("There are no data or pipelines tracked in this project yet.")
