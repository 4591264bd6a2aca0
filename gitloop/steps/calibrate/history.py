"""Thresholds over commits, read from Git without checking anything out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitloop.core import calibrate as core
from gitloop.core.calibrate import HistoryPoint, Recorded
from gitloop.errors import DataError
from gitloop.records import parse_thresholds
from gitloop.steps.calibrate.drift import CHANGES
from gitloop.steps.calibrate.inputs import FOLDER
from gitloop.workspace import Workspace

PATH = f"{FOLDER}/thresholds.json"


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """Where a judge was found to have changed behind its pins.

    Attributes:
        commit: The commit that brought the finding in.
        committed_at: When, ISO 8601 UTC.
        span: The span that began there.
        n: Anchors that were judged again.
        n_flips: Those whose verdict changed.
        pass_before: Share of anchors that passed before.
        pass_now: Share that passed afterwards.
    """

    commit: str
    committed_at: str
    span: int
    n: int
    n_flips: int
    pass_before: float
    pass_now: float


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """What `gitloop calibrate --history` found.

    Attributes:
        rubrics: Rubric → its thresholds, oldest first.
        changes: Rubric → where its judge was found to have changed, oldest first.
        unreadable: Commits whose files cannot be read, with the reason.
    """

    rubrics: dict[str, tuple[HistoryPoint, ...]]
    changes: dict[str, tuple[ChangePoint, ...]]
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
        recorded.append(Recorded(commit.sha, commit.subject, _at(commit.committed_at), wanted))
    if not recorded and not unreadable:
        raise DataError("no commit holds thresholds", hint="run: dvc repro calibrate, and commit")
    changes = _changes(workspace, head, unreadable) if head else {}
    asked = {name: found for name, found in changes.items() if not rubrics or name in rubrics}
    return HistoryReport(core.threshold_history(recorded), asked, unreadable)


def _changes(
    workspace: Workspace, head: str, unreadable: dict[str, str]
) -> dict[str, tuple[ChangePoint, ...]]:
    """Rubric → its change points in the order of their spans; faulty files go to `unreadable`."""
    files = workspace.git.files(head, CHANGES)
    commits = workspace.git.additions(head, CHANGES)
    found: dict[str, list[ChangePoint]] = {}
    contents = workspace.git.blobs(list(files.values()))
    for path, content in zip(files, contents, strict=True):
        commit = commits.get(path)
        sha, at = (commit.sha, _at(commit.committed_at)) if commit else (head, "")
        try:
            value: dict[str, Any] = json.loads(content)
            numbers = {key: value[key] for key in ("span", "n", "pass_before", "pass_now")}
            point = ChangePoint(sha, at, n_flips=len(value["flips"]), **numbers)
            found.setdefault(value["rubric"], []).append(point)
        except (ValueError, KeyError, TypeError) as error:
            unreadable[sha] = f"{path}: {error}"
    return {
        name: tuple(sorted(points, key=lambda point: point.span))
        for name, points in sorted(found.items())
    }


def _at(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
