"""Git speaks rows: diff, log, show and blame through the driver, merges row by row, hooks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from gitloop.errors import ConfigError, DataError, ToolError, WorkspaceError
from gitloop.steps.git.clone import doctor, install, sweep, uninstall
from gitloop.steps.git.drivers import merge_lock, textconv
from gitloop.steps.golden import ChangeRequest, edit, retire
from gitloop.steps.merge import conflicts, resolve, sync
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.steps.verify import verify
from gitloop.storage import drivers
from gitloop.storage.golden import digest
from gitloop.workspace import Workspace
from tests.promotable import failure, make_promotable
from tests.repositories import Repository

FAILURES = [failure(n, f"c{n % 2}") for n in range(6)]
IDS = [found.row_id for found in FAILURES]


@pytest.fixture
def driven(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository with one golden part of six rows, the drivers on, and gitloop on the PATH."""
    own = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.environ['PATH']}")
    make_promotable(repository, FAILURES)
    repository.gen(
        {".gitattributes": drivers.GITATTRIBUTES, drivers.GITCONFIG_PATH: drivers.GITCONFIG},
        commit="Turn the drivers on",
    )
    install(repository.root)
    report = promote(repository.root, PromoteRequest((), "support", takes_all=True))
    repository.git("merge", "--quiet", str(report.branch))
    return repository


def pointer(repository: Repository) -> str:
    """The path of the only pointer."""
    (path,) = repository.root.glob("golden/support/parts/*.dvc")
    return path.relative_to(repository.root).as_posix()


def change(repository: Repository, row: str, *assignments: str) -> str:
    """Edit (or, without assignments, retire) a row; return the branch."""
    request = ChangeRequest("support", "a test")
    if assignments:
        return str(edit(repository.root, request, [row], assignments).branch)
    return str(retire(repository.root, request, [row]).branch)


def rows(repository: Repository) -> dict[str, dict[str, object]]:
    """row_id → row of the set in the work tree."""
    found = Workspace(repository.root).golden("support").read()
    return {row["row_id"]: row for row in found.iter_rows(named=True)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["log", "-p", "-1", "--first-parent", "--diff-merges=first-parent", "--"],
        ["show", "HEAD", "--"],
        ["diff", "HEAD~1", "HEAD", "--"],
    ],
)
def test_pointers_are_shown_as_rows(driven: Repository, command: Sequence[str]) -> None:
    """Git log, show and diff add one line per row, in subdirectories and worktrees too."""
    told = driven.git(*command, pointer(driven))
    assert [line[1:17] for line in told.splitlines() if '"input"' in line] == sorted(IDS)
    inside = driven.git("-C", "golden", *command, f":/{pointer(driven)}")
    assert inside == told


@pytest.mark.slow
def test_blame_and_pickaxe_speak_rows(driven: Repository) -> None:
    """Git blame names the commit of each row, and git log -S finds the one that brought it in."""
    branch = change(driven, IDS[0], "labels.grounded=pass")
    driven.git("merge", "--quiet", branch)
    head = driven.git("rev-parse", "--short=8", "HEAD")
    blamed = driven.git("blame", "--abbrev=7", pointer(driven))
    (line,) = (line for line in blamed.splitlines() if IDS[0] in line)
    assert line.startswith(head)
    found = driven.git("log", "--format=%s", f"-S{IDS[1]}", "--textconv", "--", pointer(driven))
    assert found == "Promote 6 rows into support"


def test_hit_needs_no_python(driven: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are remembered are shown by the shell alone: gitloop is not on the PATH."""
    textconv(driven.root, driven.root / pointer(driven))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert IDS[0] in driven.git("show", "HEAD", "--", pointer(driven))


def test_clone_without_gitloop_sees_plain_pointers(
    driven: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without gitloop on the PATH the driver shows the pointer's own text and never fails."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    told = driven.git("log", "-p", "--", pointer(driven))
    assert "+  hash: md5" in told
    assert IDS[0] not in told


@pytest.mark.parametrize("content", ["", "<<<<<<< ours\n", "outs:\n- md5: 12", "\x00\xff"])
def test_textconv_never_fails(driven: Repository, content: str) -> None:
    """Whatever a pointer holds, its text is shown, with the reason why there are no rows."""
    driven.gen({"broken.dvc": content})
    assert textconv(driven.root, driven.root / "broken.dvc").startswith(content[:1])


def test_miss_is_not_remembered(driven: Repository) -> None:
    """Rows that are not in the cache today are shown when they are there tomorrow."""
    path = driven.root / pointer(driven)
    cache, away = driven.root / ".dvc/cache", driven.root / ".dvc/away"
    cache.rename(away)
    assert "run: dvc fetch" in textconv(driven.root, path)
    away.rename(cache)
    assert IDS[0] in textconv(driven.root, path)


@pytest.mark.slow
def test_edits_of_one_part_merge_row_by_row(driven: Repository) -> None:
    """Two branches that edit one part merge: other rows, and other cells of one row."""
    one = change(driven, IDS[0], "reference=ours")
    two = change(driven, IDS[0], "labels.grounded=pass")
    three = change(driven, IDS[1])
    for branch in (one, two, three):
        driven.git("merge", "--quiet", "--no-edit", branch)
    found = rows(driven)
    assert found[IDS[0]]["reference"] == "ours"
    assert found[IDS[0]]["labels"] == [{"rubric": "grounded", "expected": "pass"}]
    assert IDS[1] not in found
    assert verify(driven.root, "HEAD").findings == ()
    naive = pl.read_parquet(driven.root / "golden/support/data/*.parquet")
    assert digest(naive) == Workspace(driven.root).golden("support").sha256()


def conflict(repository: Repository) -> None:
    """Merge two branches that give one row two labels and another row two references."""
    one = change(repository, IDS[0], "labels.grounded=pass")
    other = change(repository, IDS[0], "labels.grounded=", "labels.tone=fail")
    repository.git("merge", "--quiet", one)
    done = repository.git("merge", "--quiet", "--no-edit", other, check=False)
    assert repository.git("ls-files", "--unmerged") != "", done


@pytest.mark.slow
def test_conflict_cannot_be_committed_as_one_side(driven: Repository) -> None:
    """Labels that both sides changed leave a pointer that no tool reads, and verify tells."""
    conflict(driven)
    assert driven.read(pointer(driven)).startswith("<<<<<<< ours")
    with pytest.raises(DataError, match="unresolved conflict"):
        Workspace(driven.root).golden("support").read()
    driven.commit("Committed by accident", ".")
    findings = verify(driven.root, "HEAD").findings
    assert any("markers" in finding.fact for finding in findings)
    with pytest.raises(DataError, match="committed with its conflict markers") as caught:
        conflicts(driven.root)
    command, *_ = caught.value.hint.split(",")
    driven.git(*command.split()[1:])
    assert rows(driven)[IDS[0]]["labels"] == [{"rubric": "grounded", "expected": "pass"}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choice", "labels"),
    [
        ("ours", [{"rubric": "grounded", "expected": "pass"}]),
        ("theirs", [{"rubric": "tone", "expected": "fail"}]),
        ("ancestor", [{"rubric": "grounded", "expected": "fail"}]),
        ("delete", None),
        ("row.json", [{"rubric": "both", "expected": "pass"}]),
    ],
)
def test_conflict_is_resolved_by_row(
    driven: Repository, choice: str, labels: list[dict[str, str]] | None
) -> None:
    """Each way out ends the conflict, stages the merged part, and can be proved."""
    conflict(driven)
    (found,) = conflicts(driven.root).rows
    assert (found.row_id, found.columns) == (IDS[0], ("labels",))
    driven.gen({"row.json": '{"labels": [{"rubric": "both", "expected": "pass"}]}'})
    report = resolve(driven.root, IDS[0][:6], choice)
    (driven.root / "row.json").unlink()
    assert (report.rows, len(report.settled)) == ((), 1)
    driven.git("commit", "--quiet", "--no-edit")
    kept = rows(driven).get(IDS[0])
    assert (kept["labels"] if kept else None) == labels
    assert verify(driven.root, "HEAD").findings == ()


@pytest.mark.slow
def test_conflict_without_drivers_ends_the_same_way(driven: Repository) -> None:
    """Where Git left plain markers, `gitloop conflicts` still merges by row."""
    one = change(driven, IDS[0], "reference=ours")
    other = change(driven, IDS[1], "reference=theirs")
    uninstall(driven.root)
    driven.git("merge", "--quiet", one)
    driven.git("merge", "--quiet", "--no-edit", other, check=False)
    assert "<<<<<<<" in driven.read(pointer(driven))
    report = conflicts(driven.root)
    assert (report.rows, report.settled) == ((), (pointer(driven),))
    driven.git("commit", "--quiet", "--no-edit")
    assert (rows(driven)[IDS[0]]["reference"], rows(driven)[IDS[1]]["reference"]) == (
        "ours",
        "theirs",
    )


@pytest.mark.slow
def test_wrong_resolution_is_refused(driven: Repository) -> None:
    """An unknown row, an unknown choice and a file that changes what the row is are refused."""
    conflict(driven)
    driven.gen({"bad.json": '{"input": "another question"}'})
    with pytest.raises(DataError, match="no conflicts begin"):
        resolve(driven.root, "zzz", "ours")
    with pytest.raises(ConfigError, match="neither ours"):
        resolve(driven.root, IDS[0], "mine")
    with pytest.raises(ConfigError, match="input cannot be changed"):
        resolve(driven.root, IDS[0], "bad.json")


@pytest.mark.slow
def test_merge_whose_driver_dies_is_a_conflict(
    driven: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A driver that is killed leaves conflict markers, never our side alone."""
    one = change(driven, IDS[0], "reference=ours")
    other = change(driven, IDS[1], "reference=theirs")
    driven.git("merge", "--quiet", one)
    fake = tmp_path / "bin" / "gitloop"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nkill -9 $$\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}/usr/bin:/bin")
    driven.git("merge", "--quiet", "--no-edit", other, check=False)
    assert "<<<<<<<" in driven.read(pointer(driven))


@pytest.mark.slow
def test_sync_takes_the_base_from_the_remote(driven: Repository, tmp_path: Path) -> None:
    """A remote that was pushed to, not cloned, has a main line too; an old local one is not it."""
    driven.git("init", "--quiet", "--bare", str(tmp_path / "hub"))
    driven.git("remote", "add", "origin", str(tmp_path / "hub"))
    theirs = change(driven, IDS[1], "reference=theirs")
    driven.git("push", "--quiet", "origin", f"{theirs}:refs/heads/main")
    driven.git("switch", "--quiet", change(driven, IDS[0], "reference=ours"))
    assert sync(driven.root).base == "origin/main"
    assert {rows(driven)[IDS[n]]["reference"] for n in (0, 1)} == {"ours", "theirs"}
    shutil.rmtree(tmp_path / "hub")
    with pytest.raises(ToolError, match="fetch"):
        sync(driven.root)


@pytest.mark.slow
def test_sync_merges_the_base(driven: Repository) -> None:
    """`gitloop sync` brings the base in with the drivers, and tells of conflicts."""
    one = change(driven, IDS[0], "reference=ours")
    other = change(driven, IDS[1], "reference=theirs")
    clash = change(driven, IDS[0], "reference=clash")
    driven.git("merge", "--quiet", one)
    driven.git("switch", "--quiet", other)
    assert sync(driven.root).is_merged
    assert {rows(driven)[IDS[n]]["reference"] for n in (0, 1)} == {"ours", "theirs"}
    assert not sync(driven.root).is_new
    driven.git("switch", "--quiet", clash)
    report = sync(driven.root, "main")
    assert (report.is_merged, report.conflicts) == (False, (pointer(driven),))
    with pytest.raises(WorkspaceError, match="uncommitted"):
        sync(driven.root)


@pytest.mark.slow
def test_branch_switch_leaves_no_stray(driven: Repository) -> None:
    """After a switch, data/ holds this branch's parts and no other's; nothing is lost."""
    driven.git("switch", "--quiet", "main~1", "--detach")
    assert list((driven.root / "golden").glob("support/data/*.parquet")) == []
    driven.git("switch", "--quiet", "main")
    naive = pl.read_parquet(driven.root / "golden/support/data/*.parquet")
    assert sorted(naive["row_id"]) == sorted(IDS)


def test_stray_is_never_counted(driven: Repository, caplog: pytest.LogCaptureFixture) -> None:
    """A stray is moved away with a word before the set is read."""
    (part,) = (driven.root / "golden/support/data").glob("*.parquet")
    part.with_name("2026.01-000000.parquet").write_bytes(part.read_bytes())
    assert len(rows(driven)) == 6
    assert "moved golden/support/data/2026.01-000000.parquet away" in caplog.text
    assert (driven.root / ".git/gitloop/strays/support/2026.01-000000.parquet").is_file()


def test_sweep_keeps_what_it_cannot_restore(driven: Repository) -> None:
    """A part that was edited by hand stays; a link out of the repository is not followed."""
    (part,) = (driven.root / "golden/support/data").glob("*.parquet")
    part.write_bytes(b"precious")
    name = part.relative_to(driven.root).as_posix()
    assert sweep(driven.root).left == (name,)
    assert part.read_bytes() == b"precious"
    part.unlink()
    assert sweep(driven.root).brought == (name,)
    outside = driven.root.parent / "outside"
    part.parent.rename(outside)
    part.parent.symlink_to(outside)
    (outside / "other.parquet").write_text("not ours")
    assert sweep(driven.root).left == ("golden/support/data",)
    assert (outside / "other.parquet").is_file()


def test_install_twice_changes_nothing_and_uninstall_undoes_it(repository: Repository) -> None:
    """Hooks of others keep their lines, and everything of ours goes again."""
    hook = repository.root / ".git/hooks/post-merge"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\nexec dvc git-hook post-merge "$@"\n')
    before = hook.read_text()
    config = repository.git("config", "--local", "--list")
    assert len(install(repository.root)) == 3
    assert install(repository.root) == []
    assert hook.read_text().index("gitloop git sweep") < hook.read_text().index("exec dvc")
    assert len(uninstall(repository.root)) == 3
    assert (hook.read_text(), repository.git("config", "--local", "--list")) == (before, config)
    assert not (repository.root / ".git/hooks/post-checkout").exists()


def test_doctor_names_what_is_missing(repository: Repository) -> None:
    """Each thing that the drivers need is told with what to do about it."""
    found = {finding.what: finding for finding in doctor(repository.root)}
    assert not found[".gitattributes"].is_sound
    assert found["include.path"].hint == "run: gitloop git install"
    assert found["git"].is_sound


LOCK = """\
schema: '2.0'
stages:
  join:
    cmd: gitloop join
    deps:
    - path: data/traces
      hash: md5
      md5: {join}
  score:
    cmd: gitloop score
    outs:
    - path: loop/score
      md5: {score}
"""


def test_lock_merges_stage_by_stage(tmp_path: Path) -> None:
    """Stages that one side ran are kept as DVC writes them; those that both ran run again."""
    sides = []
    for name, join, score in (("base", "1", "1"), ("ours", "2", "2"), ("theirs", "1", "3")):
        path = tmp_path / name
        path.write_text(LOCK.format(join=f"{join}a", score=f"{score}a"))
        sides.append(path)
    report = merge_lock((sides[0], sides[1], sides[2]), tmp_path / "out")
    assert report.dropped == ("score",)
    kept = LOCK.format(join="2a", score="").split("  score:")[0]
    assert (tmp_path / "out").read_text() == kept


def test_lock_with_markers_is_refused(tmp_path: Path) -> None:
    """A side that is no dvc.lock ends the merge; the result keeps the markers that it has."""
    for name in ("base", "ours"):
        (tmp_path / name).write_text(LOCK.format(join="1a", score="1a"))
    (tmp_path / "theirs").write_text("<<<<<<< \nstages: [")
    (tmp_path / "out").write_text("markers")
    sides = (tmp_path / "base", tmp_path / "ours", tmp_path / "theirs")
    with pytest.raises(DataError, match=r"dvc\.lock"):
        merge_lock(sides, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "markers"
