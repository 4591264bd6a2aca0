"""`gitloop baseline`: which runs of the main line are pinned."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitloop.errors import DataError, MissingObjectError, ToolError
from gitloop.steps.baseline import baseline
from gitloop.workspace import Workspace
from tests.gate_cases import golden
from tests.gated import SHA, Gated, gated

DAY = 86_400
START = 1_780_000_000
N = 20


@pytest.fixture
def place(tmp_path: Path) -> Gated:
    """A repository with a golden set that was never scored."""
    made = gated(tmp_path / "repo")
    made.promote(golden(N))
    made.commit("Promote")
    return made


def commit(place: Gated, day: float, monkeypatch: pytest.MonkeyPatch, n_good: int = N) -> str:
    """Commit a run on a day, with so many rows that pass."""
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        monkeypatch.setenv(name, f"{START + int(day * DAY)} +0000")
    place.score(golden(N), [1.0] * n_good + [0.0] * (N - n_good))
    return place.commit(f"Day {day}")


def test_the_trailing_window_is_pinned_oldest_first(
    place: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of the last seven days before the tip are pinned; an older one is not."""
    commit(place, 0, monkeypatch, 10)
    wanted = [commit(place, day, monkeypatch, 10 + int(day)) for day in (3, 5, 9)]
    report = baseline(place.root)
    assert [run["commit"] for run in report.runs] == wanted
    assert report.is_changed
    assert not baseline(place.root).is_changed


def test_commits_with_the_same_scores_are_one_run(
    place: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three commits that did not touch the scores are one measurement, told by the newest."""
    shas = [commit(place, day, monkeypatch) for day in (1, 2, 3)]
    assert [run["commit"] for run in baseline(place.root).runs] == [shas[-1]]


def test_a_branch_is_compared_with_where_it_left_the_main_line(
    place: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the branch's own run nor what came on main later is pinned."""
    left = commit(place, 1, monkeypatch, 11)
    place.repository.git("branch", "change")
    commit(place, 2, monkeypatch, 12)
    place.repository.git("checkout", "--quiet", "change")
    commit(place, 3, monkeypatch, 13)
    report = baseline(place.root)
    assert (report.main, report.tip) == ("main", left)
    assert [run["commit"] for run in report.runs] == [left]


def test_a_run_says_what_it_read_and_who_judged(
    place: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pinned run names its golden set and rubric pins, and holds a date but no time of now."""
    commit(place, 1, monkeypatch)
    (run,) = baseline(place.root).runs
    assert run["rubrics"] == {"grounded": {"version": "1", "sha256": SHA, "judge": "local/1"}}
    assert run["datasets"]["support"]["n_rows"] == N
    assert list(run["datasets"]["support"]["parts"]) == ["2026.05-aaaaaa"]
    assert run["committed_at"] == datetime.fromtimestamp(START + DAY, UTC).isoformat()


def test_a_run_under_a_pin_read_what_the_pin_says(
    place: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that came in after the pinned version are no part of the run, though its tree has them.

    Each commit's own params.yaml decides, even one with keys that nobody knows today.
    """
    commit(place, 1, monkeypatch, 11)
    version = Workspace(place.root).golden("support").version()
    text = place.repository.read("params.yaml").replace("support: null", f'support: "{version}"')
    place.repository.gen({"params.yaml": text + "forgotten: {key: 1}\n"})
    place.promote(golden(N + 5)[N:], "2026.05-bbbbbb")
    pinned = commit(place, 2, monkeypatch, 12)
    place.repository.gen({"params.yaml": text.replace(f'"{version}"', "null")})
    commit(place, 3, monkeypatch, 13)
    before, under, after = baseline(place.root).runs
    assert under["commit"] == pinned
    assert under["datasets"] == before["datasets"]
    assert (under["datasets"]["support"]["version"], after["datasets"]["support"]["n_rows"]) == (
        version,
        N + 5,
    )


def test_a_run_under_a_pin_that_nothing_tells_is_left_out(
    place: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it read cannot be known, so it is no measure; it is named."""
    kept = commit(place, 1, monkeypatch, 11)
    text = place.repository.read("params.yaml")
    place.repository.gen({"params.yaml": text.replace("support: null", "support: 2026.01-000000")})
    lost = commit(place, 2, monkeypatch, 12)
    place.repository.gen({"params.yaml": text})
    report = baseline(place.root)
    assert ([run["commit"] for run in report.runs], report.skipped) == ([kept], (lost,))


def test_nothing_scored_is_an_error(place: Gated) -> None:
    """A main line without scores says what to run."""
    with pytest.raises(DataError, match="has scores") as caught:
        baseline(place.root)
    assert "dvc repro" in caught.value.hint


def test_runs_without_bytes_are_left_out_and_told(
    place: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose scores are gone is skipped by name; when all are gone, that is an error."""
    gone = commit(place, 1, monkeypatch, 11)
    kept = commit(place, 2, monkeypatch, 12)
    runs = baseline(place.root).runs
    _forget(place, runs[0]["scores_md5"])
    report = baseline(place.root)
    assert [run["commit"] for run in report.runs] == [kept]
    assert report.skipped == (gone,)
    _forget(place, runs[1]["scores_md5"])
    with pytest.raises(MissingObjectError, match="none of 2 runs"):
        baseline(place.root)


def test_an_unknown_main_line_is_an_error(place: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch that does not exist is named."""
    commit(place, 1, monkeypatch)
    with pytest.raises(ToolError, match="trunk"):
        baseline(place.root, main="trunk")


def _forget(place: Gated, digest: str) -> None:
    found = place.store.object_path(digest)
    assert found is not None
    found.unlink()
