"""Scores over commits, read from Git without checking anything out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from gitloop.core.score_history import ScorePoint, history, points
from gitloop.errors import DataError
from gitloop.steps.score.inputs import FOLDER
from gitloop.workspace import Workspace

PATH = f"{FOLDER}/metrics.json"


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """How scores moved.

    Attributes:
        rubrics: Rubric → its scores, oldest first, with change points.
        unreadable: Commits whose metrics.json cannot be read, with the reason.
    """

    rubrics: dict[str, tuple[ScorePoint, ...]]
    unreadable: dict[str, str]


def score_history(
    directory: Path, *, rubrics: tuple[str, ...] = (), limit: int = 50
) -> HistoryReport:
    """Mean scores over the commits of the checked-out branch, with change points between them.

    Args:
        directory: A directory in the repository.
        rubrics: Only these; () for all.
        limit: Commits looked at, newest first.

    Raises:
        DataError: No commit holds scores.
    """
    workspace = Workspace(directory)
    head = workspace.git.head()
    commits = [] if head is None else workspace.git.log(head, PATH, options=(f"-{limit}",))
    recorded: list[dict[str, ScorePoint]] = []
    unreadable = {}
    for commit in reversed(commits):
        blob = workspace.git.files(commit.sha, PATH).get(PATH)
        if blob is None:  # the commit deleted it
            continue
        at = commit.committed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            content = json.loads(workspace.git.blobs([blob])[0])
            found = points(content, (commit.sha, commit.subject, at))
        except (ValueError, DataError) as error:
            unreadable[commit.sha] = str(error).splitlines()[0]
            continue
        recorded.append(
            {name: one for name, one in found.items() if not rubrics or name in rubrics}
        )
    if not recorded and not unreadable:
        raise DataError("no commit holds scores", hint="run: dvc repro score, and commit")
    return HistoryReport(history(recorded), unreadable)
