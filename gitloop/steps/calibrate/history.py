"""Thresholds over commits, read from Git without checking anything out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from gitloop.core import calibrate as core
from gitloop.core.calibrate import HistoryPoint, Recorded
from gitloop.errors import DataError
from gitloop.records import parse_thresholds
from gitloop.steps.calibrate.inputs import FOLDER
from gitloop.workspace import Workspace

PATH = f"{FOLDER}/thresholds.json"


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """What `gitloop calibrate --history` found.

    Attributes:
        rubrics: Rubric → its thresholds, oldest first.
        unreadable: Commits whose thresholds.json cannot be read, with the reason.
    """

    rubrics: dict[str, tuple[HistoryPoint, ...]]
    unreadable: dict[str, str]


def history(directory: Path, *, rubrics: tuple[str, ...] = (), limit: int = 50) -> HistoryReport:
    """How thresholds moved over the commits of the checked-out branch.

    Args:
        directory: A directory in the repository.
        rubrics: Only these; () for all.
        limit: Commits looked at, newest first.

    Raises:
        DataError: No commit holds thresholds.
    """
    workspace = Workspace(directory)
    head = workspace.git.head()
    commits = [] if head is None else workspace.git.log(head, PATH, options=(f"-{limit}",))
    recorded, unreadable = [], {}
    for commit in reversed(commits):
        blob = workspace.git.files(commit.sha, PATH).get(PATH)
        if blob is None:  # the commit deleted it
            continue
        try:
            found = parse_thresholds(json.loads(workspace.git.blobs([blob])[0]))
        except (ValueError, DataError) as error:
            unreadable[commit.sha] = str(error).splitlines()[0]
            continue
        wanted = {name: one for name, one in found.items() if not rubrics or name in rubrics}
        at = commit.committed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        recorded.append(Recorded(commit.sha, commit.subject, at, wanted))
    if not recorded and not unreadable:
        raise DataError("no commit holds thresholds", hint="run: dvc repro calibrate, and commit")
    return HistoryReport(core.threshold_history(recorded), unreadable)
