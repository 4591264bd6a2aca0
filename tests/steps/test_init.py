"""`gitloop init` on real repositories."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ConfigError, ExitCode, WorkspaceError
from gitloop.params import parse_params
from gitloop.steps.init import init

pytestmark = pytest.mark.slow


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A Git repository without a commit."""
    root = tmp_path / "app"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    return root


def git(root: Path, *args: str) -> str:
    """What git prints."""
    return run("git", *args, cwd=root)


def run(*command: str, cwd: Path) -> str:
    """What a command prints."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_repository_is_set_up_once(empty: Path) -> None:
    """The first call writes everything, the second changes nothing, committed or not."""
    report = init(empty, set_name="support", ci="github")
    assert report.was_dvc_initialised
    assert "dvc.yaml" in report.created
    assert (empty / ".github/workflows/gitloop.yml").is_file()
    parse_params((empty / "params.yaml").read_text())
    before = git(empty, "status", "--porcelain")
    again = init(empty, set_name="support", ci="github")
    assert (again.created, again.extended, again.replaced) == ((), {}, ())
    assert not again.was_dvc_initialised
    git(empty, "add", "--all")
    git(empty, "commit", "--quiet", "--message", "Set up")
    init(empty, set_name="support", ci="github")
    assert git(empty, "status", "--porcelain") == ""
    assert before != ""


def test_files_that_are_there_are_kept(empty: Path) -> None:
    """An own params.yaml survives, an own .gitignore is extended, --force replaces."""
    (empty / "params.yaml").write_text("seed: 5\n")
    (empty / ".gitignore").write_text("*.log")
    report = init(empty, set_name="support", ci="none")
    assert "params.yaml" in report.kept
    assert (empty / "params.yaml").read_text() == "seed: 5\n"
    assert (empty / ".gitignore").read_text().startswith("*.log\n")
    assert not (empty / ".github").exists()
    forced = init(empty, set_name="support", ci="none", is_forced=True)
    assert forced.replaced == ("params.yaml",)


def test_dvc_stages_are_understood_by_dvc(empty: Path) -> None:
    """The pipeline that init writes is one that DVC reads, stage by stage, analytics off."""
    init(empty, set_name="support", ci="gitlab")
    assert (empty / ".gitlab-ci.yml").is_file()
    listed = run(sys.executable, "-m", "dvc", "stage", "list", "--name-only", cwd=empty)
    stages = ["join", "cluster", "calibrate", "score", "gate", "optimize", "pairs"]
    assert listed.split() == stages
    assert "analytics = false" in (empty / ".dvc/config").read_text()


def test_other_changes_are_not_mixed_in(empty: Path) -> None:
    """A dirty tree is refused with the path that is in the way."""
    (empty / "draft.txt").write_text("x")
    with pytest.raises(WorkspaceError, match=r"draft\.txt"):
        init(empty, set_name="support", ci="none")
    assert not (empty / "params.yaml").exists()


def test_no_git_and_a_bare_repository_are_told_apart(tmp_path: Path) -> None:
    """Each has its own fact and its own next command."""
    with pytest.raises(WorkspaceError, match="not in a Git repository"):
        init(tmp_path, set_name="support", ci="none")
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    with pytest.raises(WorkspaceError, match="bare"):
        init(tmp_path / "bare.git", set_name="support", ci="none")


@pytest.mark.parametrize("name", ["", "Support", "../x", "a b", "-"])
def test_a_set_needs_a_safe_name(empty: Path, name: str) -> None:
    """A name that is no path segment is refused before anything is written."""
    with pytest.raises(ConfigError):
        init(empty, set_name=name, ci="none")
    assert list(empty.iterdir()) == [empty / ".git"]


def test_the_command_line_says_what_was_done(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New files are listed, and the next command is named."""
    assert invoke(["-C", str(empty), "init", "--ci", "none"]) == ExitCode.OK
    told = capsys.readouterr().out
    assert "new      dvc.yaml" in told
    assert '→ git add -A && git commit -m "Set up gitloop"' in told
