"""(arguments, exit code): what a CI script sees, through the real command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gitloop import scaffold
from gitloop.cli.main import VERBS, invoke
from tests.repositories import Repository

GROUPS = {"calls", "capture", "labels", "golden", "git", "pairs", "rubric", "judge"}
NEEDS_ARGUMENTS = {"promote", "import-fi", "log", "why", "blame", "resolve", "prompt"}
ELSEWHERE = {"demo", "init"}


@pytest.fixture
def fresh(repository: Repository) -> Repository:
    """A repository right after `gitloop init`."""
    repository.gen(scaffold.new_files("support", "none"), commit="Set up")
    return repository


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        ([], 4),
        (["gaet"], 4),
        (["--bad"], 4),
        (["status", "--bad"], 4),
        (["status", "--format", "xml"], 4),
        (["-C", "no/such/directory", "status"], 4),
        (["pairs", "export", "--to", "xml"], 4),
        (["init", "--ci", "jenkins"], 4),
        (["demo", "--seed", "-1"], 4),
    ],
)
def test_usage(args: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Usage errors end in 4, never in click's own 2, and say how to go on."""
    assert invoke(args) == code
    if code and args:
        assert "→" in capsys.readouterr().err


@pytest.mark.parametrize("verb", sorted(set(VERBS) - GROUPS - NEEDS_ARGUMENTS - ELSEWHERE))
def test_a_verb_outside_a_repository(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without Git there is nothing to do: 4, the fact, and the next command."""
    assert invoke(["-C", str(tmp_path), verb]) == 4
    told = capsys.readouterr().err
    assert "not in a Git repository" in told
    assert "→ run: git init" in told


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["status"], 0),
        (["cluster"], 5),
        (["agree"], 5),
        (["calibrate"], 5),
        (["score"], 5),
        (["gate"], 5),
        (["gate", "--check"], 5),
        (["optimize"], 5),
        (["pairs", "build"], 5),
        (["pairs", "export"], 5),
        (["promote", "--all", "--set", "support"], 5),
        (["verify"], 0),
    ],
)
def test_a_fresh_repository(
    args: list[str], code: int, fresh: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing to work on is a data error with the next command, and nothing is written."""
    before = fresh.status()
    assert invoke(["-C", str(fresh.root), *args]) == code
    if code:
        assert "→" in capsys.readouterr().err
    assert fresh.status() == before


@pytest.mark.parametrize(
    "verb", ["join", "cluster", "calibrate", "score", "gate", "optimize", "pairs build"]
)
def test_broken_parameters_stop_every_stage(
    verb: str, fresh: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown keys in both files are told at once, with line and neighbour, before any work."""
    params = fresh.read("params.yaml").replace("min_rows: 10", "min_rwos: 10")
    pipeline = fresh.read("dvc.yaml").replace("cmd: gitloop join", "cdm: gitloop join")
    fresh.gen({"params.yaml": params, "dvc.yaml": pipeline})
    assert invoke(["-C", str(fresh.root), *verb.split()]) == 4
    told = capsys.readouterr().err
    assert "unknown key gate.min_rwos; did you mean min_rows?" in told
    assert "params.yaml:" in told
    assert "unknown key stages.join.cdm; did you mean cmd?" in told
    assert "dvc.yaml:5:" in told


def test_a_bug_is_told_as_one(
    fresh: Repository, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw ends in 99 and leaves a log with the traceback."""
    monkeypatch.setattr("gitloop.steps.status.stage_states", None)
    assert invoke(["-C", str(fresh.root), "status"]) == 99
    told = capsys.readouterr().err
    log = Path(told.split("report it with ")[1].split("\n")[0])
    assert "TypeError" in log.read_text()
    log.unlink()


def test_an_interrupt_is_told_as_one(fresh: Repository, tmp_path: Path) -> None:
    """Ctrl-C ends in 130, and nothing is half-written."""
    pipe = tmp_path / "traces.jsonl"
    os.mkfifo(pipe)
    running = subprocess.Popen(
        [sys.executable, "-m", "gitloop", "capture", "import", str(pipe), "--format", "jsonl"],
        cwd=fresh.root,
        stderr=subprocess.PIPE,
        text=True,
    )
    with pipe.open("w"):  # opens once the other side reads, and gives it nothing
        running.send_signal(signal.SIGINT)
    told = running.communicate()[1]
    assert (running.returncode, "interrupted" in told) == (130, True)
    assert list((fresh.root / "data").rglob("*.parquet*")) == []
