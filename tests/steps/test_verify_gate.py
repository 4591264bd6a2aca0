"""The gate's result, derived once more from its commit alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.steps.promote import PromoteRequest, promote
from gitloop.steps.verify import verify
from tests.promotable import failure, make_promotable
from tests.repositories import Repository

PARAMS = """\
seed: 0
rubrics:
  grounded:
    version: "2"
target:
  use: python
  callable: app:answer
golden:
  sets:
    support: null
gate:
  min_rows: 2
  require_calibration: false
calls:
  mode: record
"""
RUBRIC = """\
name: grounded
version: "2"
scorer:
  local:
    metric: contains
    any: [know]
"""
APP = "def answer(row, prompt):\n    return {output!r}\n"


@pytest.fixture
def gated(repository: Repository) -> Repository:
    """A repository whose HEAD holds a golden set and the gate's result on it."""
    make_promotable(repository, [failure(n) for n in range(6)])
    report = promote(repository.root, PromoteRequest((), "support", takes_all=True))
    repository.git("merge", "--quiet", str(report.branch))
    repository.gen(
        {
            "params.yaml": PARAMS,
            "rubrics/grounded.yaml": RUBRIC,
            "app.py": APP.format(output="I do not know."),
            "loop/baseline/baseline.json": '{"runs": [], "schema": "gitloop.baseline/v1"}\n',
            ".gitignore": "/golden/*/data/\n*.parquet\n/loop/gate/report.html\n__pycache__/\n",
        }
    )
    for verb in ("score", "gate"):
        assert invoke([verb, "-C", str(repository.root), "--quiet"]) == 0
    repository.commit("Gate", ".")
    return repository


@pytest.mark.slow
def test_gate_is_derived_again_byte_for_byte(gated: Repository) -> None:
    """Score and gate, run again in a worktree of their own, give the bytes that the commit has."""
    assert verify(gated.root, "HEAD", replays_gate=True).findings == ()
    assert gated.status() == ""
    assert len(gated.git("worktree", "list").splitlines()) == 1


@pytest.mark.slow
def test_gate_is_the_same_anywhere(gated: Repository, tmp_path: Path) -> None:
    """Another path, time zone, locale, hash seed and number of threads: the same bytes."""
    copy = tmp_path / "elsewhere" / "a copy"
    shutil.copytree(gated.root, copy)
    odd = {
        "TZ": "Pacific/Chatham",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "11",
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "gitloop", "verify", "--gate", "HEAD"],
        cwd=copy / "rubrics",
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **odd},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "everything agrees" in done.stdout


def test_a_commit_without_a_result_is_told(repository: Repository) -> None:
    """Who asks for the gate's result and finds none has not proved anything."""
    (finding,) = verify(repository.root, "HEAD", replays_gate=True).findings
    assert "no result to derive again" in finding.fact


@pytest.mark.slow
def test_gate_result_that_was_touched_up_is_found(gated: Repository) -> None:
    """A number that was edited by hand is told with its place in the file."""
    text = gated.read("loop/gate/gate.json")
    gated.gen({"loop/gate/gate.json": text.replace('"n_rows": 6', '"n_rows": 7')}, commit="Touch")
    *_, finding = verify(gated.root, "HEAD", replays_gate=True).findings
    assert finding.path == "loop/gate/gate.json"
    assert "run again, the gate says something else at" in finding.fact


@pytest.mark.slow
def test_commit_that_cannot_be_run_again_is_told(gated: Repository) -> None:
    """An application that is gone is a finding, with the reason that score gives."""
    gated.git("rm", "--quiet", "app.py")
    gated.commit("Lose the application")
    (finding,) = verify(gated.root, "HEAD", replays_gate=True).findings
    assert "gitloop score cannot be run again" in finding.fact
