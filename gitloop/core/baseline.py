"""The baseline: which scored commits of the main line a run is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from gitloop.errors import DataError

SCHEMA = "gitloop.baseline/v1"


class Scored(Protocol):
    """A commit that has scores."""

    @property
    def sha(self) -> str:
        """Full id."""

    @property
    def committed_at(self) -> datetime:
        """When, UTC."""

    @property
    def scores_md5(self) -> str:
        """MD5 of its scores."""

    @property
    def outputs_md5(self) -> str | None:
        """MD5 of its outputs, or None."""


@dataclass(frozen=True, slots=True)
class PinnedSet:
    """A golden set as a pinned run read it.

    Attributes:
        sha256: Dataset digest.
        version: Its version, or "".
        n_rows: Rows.
        parts: Part → MD5.
    """

    sha256: str
    version: str
    n_rows: int
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PinnedRun:
    """One run in baseline.json.

    Attributes:
        commit: Newest commit of the window that has these scores.
        committed_at: Its date, ISO 8601 UTC.
        scores_md5: MD5 of its scores.
        outputs_md5: MD5 of its outputs, or None.
        datasets: Golden set → what was read of it.
        rubrics: Rubric → version, sha256 and judge that scored.
    """

    commit: str
    committed_at: str
    scores_md5: str
    outputs_md5: str | None
    datasets: Mapping[str, PinnedSet] = field(default_factory=dict)
    rubrics: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def choose(commits: Iterable[Scored], window_days: int) -> list[Scored]:
    """The runs of the trailing window, oldest first.

    The window ends with the newest commit, by commit date. Commits with the same scores are one
    run and not several: a commit that did not touch the application is no new measurement.

    Args:
        commits: Scored commits of the main line, newest first.
        window_days: Length of the window.
    """
    known = list(commits)
    if not known:
        return []
    opens = max(commit.committed_at for commit in known) - timedelta(days=window_days)
    runs: dict[str, Scored] = {}
    for commit in known:
        if commit.committed_at >= opens:
            runs.setdefault(commit.scores_md5, commit)
    return list(reversed(runs.values()))


def as_document(runs: Iterable[PinnedRun], *, window_days: int) -> dict[str, Any]:
    """The content of baseline.json."""
    return {
        "schema": SCHEMA,
        "window_days": window_days,
        "runs": [_plain(run) for run in runs],
    }


def _plain(run: PinnedRun) -> dict[str, Any]:
    return {
        "commit": run.commit,
        "committed_at": run.committed_at,
        "scores_md5": run.scores_md5,
        "outputs_md5": run.outputs_md5,
        "datasets": {
            name: {
                "sha256": pinned.sha256,
                "version": pinned.version,
                "n_rows": pinned.n_rows,
                "parts": dict(pinned.parts),
            }
            for name, pinned in run.datasets.items()
        },
        "rubrics": {name: dict(pins) for name, pins in run.rubrics.items()},
    }


def parse_baseline(value: Any) -> list[PinnedRun]:  # noqa: ANN401 -- JSON holds anything
    """The runs that the JSON value of baseline.json pins, oldest first.

    Raises:
        DataError: It has another schema, or a run lacks something.
    """
    found = value.get("schema") if isinstance(value, dict) else None
    if found != SCHEMA:
        raise DataError(
            f"loop/baseline/baseline.json has schema {found!r}, not {SCHEMA}",
            hint="run: gitloop baseline",
        )
    try:
        return [_run(entry) for entry in value["runs"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"loop/baseline/baseline.json lacks {error}", hint="run: gitloop baseline"
        ) from error


def _run(entry: Mapping[str, Any]) -> PinnedRun:
    datasets = {name: PinnedSet(**pinned) for name, pinned in entry["datasets"].items()}
    return PinnedRun(
        commit=entry["commit"],
        committed_at=entry["committed_at"],
        scores_md5=entry["scores_md5"],
        outputs_md5=entry["outputs_md5"],
        datasets=datasets,
        rubrics=entry["rubrics"],
    )
