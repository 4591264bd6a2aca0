"""The demo, as a new user meets it: once for the story, once more for the bytes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.once import once
from tests.workflows import FORGE, Run, run_github

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

    def make(place: Path) -> None:
        (place / "told.txt").write_text(walk(place / "one").told, encoding="utf-8")

    place = once(tmp_path_factory, "demo", make)
    return Walk(place / "one", (place / "told.txt").read_text(encoding="utf-8"))


def test_the_story_ends_clean(demo: Walk) -> None:
    """The tree is clean, DVC is up to date, and every pre-commit hook passes."""
    assert demo.run("git", "status", "--porcelain") == ""
    assert demo.run("git", "branch", "--show-current") == "main"
    assert demo.run("dvc", "status") == "Data and pipelines are up to date."
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")):
        demo.run(*shlex.split(hook["entry"]))
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


def test_the_story_fits_a_terminal(demo: Walk) -> None:
    """No line is over 80 columns, but for the lists of a pull request's body in Markdown."""
    wide = [line for line in demo.told.splitlines() if len(line) > 80 and line[:2] != "- "]
    assert wide == []


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


FORK = "github.event.pull_request.head.repo.fork"


class PullRequest:
    """A pull request on a forge: a fresh clone of the demo, with a remote for its data.

    Args:
        demo: Where it is cloned from.
        place: An empty directory.
        branch: The branch it wants to merge.
        is_fork: Whether it comes from a fork, which sees no secrets.
    """

    def __init__(self, demo: Walk, place: Path, branch: str, *, is_fork: bool) -> None:
        self.place, self.clone = place, place / "clone"
        origin = str(demo.root)
        clone = ["git", "clone", "--quiet", "--branch", branch, origin, str(self.clone)]
        subprocess.run(clone, check=True, capture_output=True)
        store = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {origin}/.dvc/cache\n"
        (self.clone / ".dvc/config.local").write_text(store)
        (place / "bin").mkdir()
        (place / "bin/gh").write_text(FORGE)
        (place / "bin/gh").chmod(0o755)
        self.env = {
            "PATH": f"{place}/bin:{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(place),
            "RUNNER_TEMP": str(place),
            "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
            "DVC_NO_ANALYTICS": "1",
            "PIP_NO_INDEX": "1",
        }
        self.values = {
            f"{FORK} && 'replay' || ''": "replay" if is_fork else "",
            "secrets.OPENAI_API_KEY": "",
            "github.token": "token",
            "github.repository": "team/app",
            "github.event.number": "7",
            "github.base_ref": "main",
            "always()": "true",
            f"always() && github.event_name == 'pull_request' && !{FORK}": str(not is_fork).lower(),
        }

    def push(self) -> Run:
        """What the workflow makes of it, its steps run as they are written."""
        workflow = (self.clone / ".github/workflows/gitloop.yml").read_text(encoding="utf-8")
        return run_github(workflow, self.clone, self.env, self.values)

    def read(self, name: str) -> str:
        """A file that the run left."""
        return (self.place / name).read_text(encoding="utf-8")


NEEDS_PIP = pytest.mark.skipif(
    find_spec("pip") is None, reason="this environment has no pip to install with"
)


@NEEDS_PIP
def test_the_workflow_blocks_the_bad_pull_request(demo: Walk, tmp_path: Path) -> None:
    """It says why in summary, annotation and comment, edits the comments, and ends in exit 2."""
    pull_request = PullRequest(demo, tmp_path, "friendlier", is_fork=False)
    for _ in range(2):
        found = pull_request.push()
        assert {name: code for name, code in found.codes.items() if code} == {"Decide": 2}
        assert "::error" in found.told
    verdict = pull_request.read("bin/comment-gate.md")
    assert verdict.startswith("<!-- gitloop gate -->")
    assert pull_request.read("summary.md") == 2 * verdict
    assert pull_request.read("bin/comment-diff.md").startswith("<!-- gitloop diff -->")
    log = [line.split()[0] for line in pull_request.read("bin/log").splitlines()]
    assert log == ["added", "added", "changed", "changed"]


@NEEDS_PIP
def test_a_fork_is_decided_from_what_is_recorded(demo: Walk, tmp_path: Path) -> None:
    """Without secrets the good pull request passes in replay mode, and nothing is posted."""
    pull_request = PullRequest(demo, tmp_path, "friendlier-and-right", is_fork=True)
    found = pull_request.push()
    assert set(found.codes.values()) == {0}, found.told
    assert "Comment on the pull request" not in found.codes
    assert not (tmp_path / "bin/log").exists()
