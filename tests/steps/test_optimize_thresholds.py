"""Thresholds as a target of `gitloop optimize`, on a real repository with labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.errors import DataError, StaleError
from gitloop.records import parse_thresholds
from gitloop.steps.calibrate import calibrate
from gitloop.steps.optimize import optimize, propose
from tests.labelled import PARAMS, label_all, labelled_repository
from tests.repositories import Repository

TARGETS = "optimize: {targets: [thresholds]}\n"


def pinned(line: float, min_labels: int = 20) -> str:
    """params.yaml in which a review once decided on a line."""
    old = '    version: "1"\n'
    return PARAMS.replace(old, f"{old}    threshold: {line}\n", 1) + (
        f"calibrate: {{bootstraps: 100, min_labels: {min_labels}}}\n{TARGETS}"
    )


@pytest.fixture
def labelled(tmp_path: Path) -> Repository:
    """Ninety traces, every second one invented, and a line that lets every answer pass."""
    repository = labelled_repository(tmp_path / "repository", 90)
    label_all(repository, 90)
    repository.gen({"params.yaml": pinned(0.0)}, commit="Pin a line")
    calibrate(repository.root)
    return repository


def test_a_pinned_line_is_measured_and_not_chosen(labelled: Repository) -> None:
    """Calibration keeps to it, and says what another line would give."""
    found = parse_thresholds(json.loads(labelled.read("loop/calibrate/thresholds.json")))
    assert (found["grounded"].threshold, found["grounded"].status) == (0.0, "warned")
    assert "elsewhere than at the pinned 0.0" in " ".join(found["grounded"].warnings)


def test_a_line_that_agrees_better_is_proposed_on_a_branch(labelled: Repository) -> None:
    """One look at held-out labels, counted; the branch pins the line, and nothing else changes."""
    report = optimize(labelled.root)
    (found,) = report.thresholds
    assert (report.outcome, found.outcome, report.is_proposing) == (
        "not asked for",
        "proposed",
        True,
    )
    assert labelled.read("loop/optimize/report.md").startswith("# Optimize: threshold proposed\n")
    assert found.look is not None
    assert (found.look.number, found.n_holdout) == (1, found.holdout.n if found.holdout else 0)
    proposal = propose(labelled.root)
    changed = labelled.git("diff", "--name-only", "HEAD", proposal.branch)
    assert changed.strip() == "params.yaml"
    assert f"    threshold: {found.choice.found!r}" in proposal.diff if found.choice else False
    for said in ("agreement", "| 0 →", "alpha", "grounded 1 by local/1"):
        assert said in proposal.body
    labelled.git("merge", "-q", proposal.branch)
    calibrate(labelled.root)
    assert [line.outcome for line in optimize(labelled.root).thresholds] == ["no improvement"]


def test_a_line_that_moved_since_makes_the_proposal_stale(labelled: Repository) -> None:
    """What was found against another line is proposed for none."""
    optimize(labelled.root)
    labelled.gen({"params.yaml": pinned(0.9)})
    calibrate(labelled.root)
    with pytest.raises(StaleError, match="threshold of grounded has changed"):
        propose(labelled.root)


def test_the_same_commit_gives_the_same_bytes(labelled: Repository) -> None:
    """A second run is the same look, and writes the same."""
    optimize(labelled.root)
    first = (labelled.read("loop/optimize/metrics.json"), labelled.read("loop/optimize/report.md"))
    optimize(labelled.root)
    again = (labelled.read("loop/optimize/metrics.json"), labelled.read("loop/optimize/report.md"))
    assert again == first
    assert labelled.read("loop/optimize/ledger.jsonl").count("\n") == 1


def test_few_labels_and_none_are_told_apart(labelled: Repository, tmp_path: Path) -> None:
    """Too few labels are a normal result with exit 0; without calibration there is none."""
    labelled.gen({"params.yaml": pinned(0.0, 80)})
    assert [line.outcome for line in optimize(labelled.root).thresholds] == ["too few labels"]
    assert invoke(["-C", str(labelled.root), "optimize"]) == 0
    bare = labelled_repository(tmp_path / "bare", 4)
    bare.gen({"params.yaml": PARAMS + TARGETS})
    with pytest.raises(DataError, match="no judge has scored"):
        optimize(bare.root)
