"""`gitloop baseline`: pin the main line's recent runs, which every gate then compares with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core import baseline as core
from gitloop.errors import DataError, MissingObjectError, StaleError, ToolError
from gitloop.protocols import Progress, silent
from gitloop.storage.files import read_json, write_json
from gitloop.storage.golden import GoldenSet
from gitloop.storage.runs import bring, read_object, scored_commits
from gitloop.tables import SCORES
from gitloop.workspace import Workspace

PATH = "loop/baseline/baseline.json"
_MAIN = ("origin/main", "origin/master", "main", "master")


@dataclass(frozen=True, slots=True)
class BaselineReport:
    """What was pinned.

    Attributes:
        path: The file that holds it.
        main: The main line, as it was named or found.
        tip: The newest commit looked at: where this branch left the main line.
        window_days: Length of the window.
        n_commits: Commits of the main line in the window.
        runs: What was pinned, oldest first; the same form as in the file.
        skipped: Commits whose scores or golden rows are not to be had.
        is_changed: Whether the file is another one than before.
    """

    path: str
    main: str
    tip: str
    window_days: int
    n_commits: int
    runs: tuple[dict[str, Any], ...]
    skipped: tuple[str, ...]
    is_changed: bool


def baseline(
    directory: Path,
    *,
    main: str | None = None,
    window_days: int | None = None,
    progress: Progress = silent,
) -> BaselineReport:
    """Pin the scored commits of the trailing window on the main line into baseline.json.

    Args:
        directory: A directory in the repository.
        main: Branch of the main line; None looks for the remote's default branch, main or master.
        window_days: Days before the tip, in place of `gate.window_days`.
        progress: Told of each run.

    Raises:
        DataError: No commit of the window has scores, or none of them can be had.
        ToolError: There is no such branch.
    """
    workspace = Workspace(directory)
    days = window_days or workspace.params.gate.window_days
    name, tip = _tip(workspace, main)
    newest = workspace.git.log(tip, options=("--max-count=1",))[0]
    opens = newest.committed_at - timedelta(days=days)
    since = ("--first-parent", f"--since={opens.isoformat()}")
    commits = workspace.git.log(tip, options=since) or [newest]
    scored = scored_commits(workspace.git, workspace.dvc, commits)
    if not scored:
        raise DataError(
            f"none of the {len(commits)} commits on {name} in the last {days} days has scores",
            hint="run dvc repro on the main line and commit dvc.lock, or give --window-days",
        )
    chosen = core.choose(scored, days)
    pinned, skipped = _pin(workspace, chosen, progress)
    document = core.as_document(pinned, window_days=days)
    path = workspace.root / PATH
    is_changed = not path.is_file() or read_json(path) != document
    if is_changed:
        write_json(path, document)
    return BaselineReport(
        PATH, name, tip, days, len(commits), tuple(document["runs"]), skipped, is_changed
    )


def _tip(workspace: Workspace, main: str | None) -> tuple[str, str]:
    """(name of the main line, its newest commit that HEAD contains)."""
    git = workspace.git
    head = git.head()
    if head is None:
        raise DataError("there is no commit yet", hint="run: git commit")
    name = main or _main_line(workspace)
    if git.branch() == name.removeprefix("origin/"):
        return name, head
    base = git.merge_base(head, git.resolve(name))
    if base is None:
        raise DataError(
            f"HEAD and {name} have no commit in common",
            hint="a shallow clone? run: git fetch --unshallow",
        )
    return name, base


def _main_line(workspace: Workspace) -> str:
    """The remote's default branch, or main, or master, or the branch that is checked out."""
    default = workspace.git.text(
        "for-each-ref", "--format=%(symref:short)", "refs/remotes/origin/HEAD"
    )
    for name in filter(None, (default, *_MAIN)):
        try:
            workspace.git.resolve(name)
        except ToolError:
            continue
        return name
    branch = workspace.git.branch()
    if branch is None:
        raise DataError("the main line is not to be found", hint="name it: --main BRANCH")
    return branch


def _pin(
    workspace: Workspace, chosen: list[core.Scored], progress: Progress
) -> tuple[list[core.PinnedRun], tuple[str, ...]]:
    """The runs with all that a comparison needs to know, and the commits without data."""
    pinned, skipped = [], []
    for done, run in enumerate(chosen):
        progress("runs", done, len(chosen))
        wanted = [run.scores_md5, *filter(None, [run.outputs_md5])]
        try:
            bring(workspace.root, workspace.dvc, wanted)
            pinned.append(_pinned_run(workspace, run))
        except (MissingObjectError, StaleError):
            skipped.append(run.sha)
    progress("runs", len(chosen), len(chosen))
    if not pinned:
        raise MissingObjectError(
            f"of none of {len(chosen)} runs the scores and golden rows are to be had",
            hint="run: dvc remote list; on the main line: dvc push",
        )
    return pinned, tuple(skipped)


def _pinned_run(workspace: Workspace, run: core.Scored) -> core.PinnedRun:
    scores = read_object(workspace.dvc, run.scores_md5, SCORES, source=f"scores of {run.sha[:12]}")
    datasets = {}
    for name in sorted(workspace.params.golden.sets):
        golden = workspace.golden_in_use(name, run.sha)
        if golden.exists():
            datasets[name] = _pinned_set(workspace, golden)
    return core.PinnedRun(
        commit=run.sha,
        committed_at=run.committed_at.astimezone(UTC).isoformat(),
        scores_md5=run.scores_md5,
        outputs_md5=run.outputs_md5,
        datasets=datasets,
        rubrics=_pins(scores),
    )


def _pinned_set(workspace: Workspace, golden: GoldenSet) -> core.PinnedSet:
    parts = {part.id: part.pointer.md5 for part in golden.parts()}
    bring(workspace.root, workspace.dvc, parts.values())
    n_rows = sum(len(golden.row_digests(part)) for part in golden.parts())
    return core.PinnedSet(golden.sha256(), golden.version(), n_rows, parts)


def _pins(scores: pl.DataFrame) -> Mapping[str, Mapping[str, str]]:
    """Rubric → the version, digest and judge that scored it."""
    made = scores.select("rubric", "rubric_version", "rubric_sha256", "judge").unique()
    return {
        rubric: {"version": version, "sha256": sha256, "judge": judge}
        for rubric, version, sha256, judge in made.sort(pl.all()).iter_rows()
    }
