"""This repository is a gitloop repository: its loop runs on a fresh clone, and changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command: str, cwd: Path) -> str:
    """What a command prints."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/bin:/bin"}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_the_loop_runs_at_the_root_of_a_fresh_clone(tmp_path: Path) -> None:
    """After `dvc pull` and `dvc repro` every stage ran, and every tracked byte is as committed."""
    clone = tmp_path / "clone"
    run("git", "clone", "--quiet", str(ROOT), str(clone), cwd=tmp_path)
    pointers = run("git", "ls-files", "*.dvc", cwd=clone).splitlines()
    run("dvc", "pull", "--quiet", *pointers, cwd=clone)
    told = run("dvc", "repro", cwd=clone)
    stages = ["join", "cluster", "calibrate", "score", "gate", "optimize", "pairs"]
    assert [stage for stage in stages if f"Running stage '{stage}'" not in told] == []
    assert run("git", "status", "--porcelain", cwd=clone) == ""
    run("gitloop", "verify", cwd=clone)
