"""The demo, as a new user meets it: once for the story, once more for the bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Walk:
    """A finished demo: its repository and what the reader saw."""

    root: Path
    told: str

    def run(self, *command: str, expected: int = 0) -> str:
        """What a command prints in the demo's repository."""
        tool = [sys.executable, "-m", *command] if command[0] != "git" else list(command)
        done = subprocess.run(tool, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout.strip()


def walk(root: Path, **env: str) -> Walk:
    """Run the demo in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "gitloop", "demo", str(root)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(root.parent), **env},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Walk(root, done.stdout)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """The demo with its own seed."""
    return walk(tmp_path_factory.mktemp("demo") / "one")


def test_the_story_ends_clean(demo: Walk) -> None:
    """The tree is clean, DVC is up to date, and the golden sets prove themselves."""
    assert demo.run("git", "status", "--porcelain") == ""
    assert demo.run("git", "branch", "--show-current") == "main"
    assert demo.run("dvc", "status") == "Data and pipelines are up to date."
    demo.run("gitloop", "verify")
    assert demo.run("gitloop", "gate", "--check") != ""


def test_the_bad_pull_request_was_blocked(demo: Walk) -> None:
    """The branch that brings a failure back is not part of main, and its own verdict is a no."""
    document = json.loads(demo.run("git", "show", "friendlier:loop/gate/gate.json"))
    assert document["verdict"] == "fail"
    assert document["exit_code"] == 2
    assert "exit code 2" in demo.told
    unmerged = demo.run("git", "branch", "--format=%(refname:short)", "--no-merged", "main")
    assert unmerged == "friendlier"


def test_the_world_is_what_the_story_says(demo: Walk) -> None:
    """Three routes, four cohorts, two prompt versions, explicit feedback on 1 to 3 % of traces."""
    metrics = json.loads((demo.root / "loop/join/metrics.json").read_text())
    coverage = metrics["coverage"]
    assert sorted(coverage["route"]) == ["account", "refund", "status"]
    assert len(coverage["user_cohort"]) == 4
    assert sorted(coverage["prompt_version"]) == ["support@1", "support@2"]
    clusters = json.loads((demo.root / "loop/cluster/metrics.json").read_text())
    assert clusters["n_clusters"] >= 6
    assert clusters["n_noise"] > 0


def test_the_readers_transcript_is_true(demo: Walk) -> None:
    """Every line of README's transcript was shown, in that order; … is what was left out."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("<!-- transcript")[1].split("```text\n")[1].split("```")[0]
    wanted = [line.rstrip() for line in block.splitlines() if line.strip() not in {"", "…"}]
    shown = iter(line.rstrip() for line in demo.told.splitlines())
    missing = [line for line in wanted if line not in shown]
    assert missing == []
    assert len(wanted) > 40


def test_the_same_seed_gives_the_same_trees(demo: Walk, tmp_path: Path) -> None:
    """Another directory, time zone, locale and hash seed: the same commits' trees."""
    other = walk(
        tmp_path / "elsewhere",
        TZ="Pacific/Auckland",
        LC_ALL="C",
        PYTHONHASHSEED="7",
        PYTHONIOENCODING="utf-8",
    )
    history = ("git", "log", "--all", "--format=%T %s")
    assert other.run(*history) == demo.run(*history)


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    """The demo refuses it and says what to do."""
    (tmp_path / "mine.txt").write_text("x")
    done = subprocess.run(
        [sys.executable, "-m", "gitloop", "demo", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
