"""The shelf of ready rubrics, `gitloop rubric add` and `diff`, and silent changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ConfigError
from gitloop.judges.local import LocalJudge
from gitloop.judges.metrics import metric
from gitloop.judges.openai import OpenaiJudge
from gitloop.params import JudgePin, parse_rubric
from gitloop.records import Case
from gitloop.scaffold import shelf_names, shelf_text
from gitloop.steps.rubric import add_rubric, diff_rubric, lint_rubrics, list_shelf
from gitloop.steps.score import score
from tests.evaluated import BRIEF, PARAMS, evaluated, golden_rows, promote
from tests.repositories import Repository

WORKING_SET = {
    "groundedness", "context_adherence", "completeness", "task_completion", "answer_refusal",
    "factual_accuracy", "toxicity", "function_calling", "instruction_adherence", "tone",
    "conciseness",
}  # fmt: skip
CASE = Case("a", "How long do refunds take?", "Refunds take 3 days.", "3 days", "They take 3 days.")


def test_the_guides_working_set_stands_on_the_shelf() -> None:
    """Every rubric that the guide works with is ready, among others."""
    assert set(shelf_names()) >= WORKING_SET
    assert len(list_shelf()) > 20


@pytest.mark.parametrize("name", shelf_names())
def test_a_ready_rubric_is_whole(name: str) -> None:
    """Requirements, guidance, a form for a model, and a local form that needs no more of a row."""
    rubric = parse_rubric(shelf_text(name), source=f"{name}.yaml")
    assert rubric.name == name
    assert rubric.requires
    assert len(rubric.guidance.split()) >= 12
    pin = JudgePin(use="openai", model="m", parameters={"base_url": "http://127.0.0.1:1/v1"})
    judge = OpenaiJudge(rubric, pin, Path())
    told = str([one.request(CASE)["messages"] for one in (judge.members or [judge])])
    for field in rubric.requires:
        assert str(getattr(CASE, field)) in told
    if "local" in rubric.scorer:
        needed = metric(rubric.scorer["local"]["metric"]).needs
        assert {*needed} <= {*rubric.requires, "output"}
        local = LocalJudge(rubric, JudgePin(), Path())
        found = local.read(local.call([local.request(CASE)])[0])
        assert found.status in ("ok", "missing")


@pytest.fixture
def scored(repository: Repository) -> Repository:
    """A golden set with one row."""
    evaluated(repository)
    promote(repository, golden_rows(["refund"]))
    return repository


def test_a_ready_rubric_is_added_once(
    scored: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is copied, its pin is told, and nothing is overwritten."""
    assert invoke(["rubric", "add", "tone", "-C", str(scored.root)]) == 0
    assert 'tone: {version: "1", judge: {use: openai, model: …}}' in capsys.readouterr().out
    assert scored.read("rubrics/tone.yaml") == shelf_text("tone")
    with pytest.raises(ConfigError, match="exists already"):
        add_rubric(scored.root, "tone")
    with pytest.raises(ConfigError, match="did you mean toxicity"):
        add_rubric(scored.root, "toxicty")
    assert invoke(["rubric", "shelf", "-C", str(scored.root)]) == 0
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_diff_says_whether_scores_compare(
    scored: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new floor compares, a new version is a change point, a silent change is a fault."""
    root = scored.root
    assert diff_rubric(root, "brief", "HEAD").lines == ()
    scored.gen({"rubrics/brief.yaml": BRIEF + "floor: 0.5\n"})
    floor = diff_rubric(root, "brief", "HEAD")
    assert (floor.is_rescored, floor.is_silent, len(floor.lines) > 0) == (False, False, True)
    scored.gen({"rubrics/brief.yaml": BRIEF.replace("days", "weeks")})
    assert diff_rubric(root, "brief", "HEAD").is_silent
    assert lint_rubrics(root).faults
    with pytest.raises(ConfigError, match="so is another text of it in"):
        score(root)
    scored.gen(
        {
            "rubrics/brief.yaml": BRIEF.replace("days", "weeks").replace('"1"', '"2"'),
            "params.yaml": PARAMS.replace('brief:\n    version: "1"', 'brief:\n    version: "2"'),
        }
    )
    bumped = diff_rubric(root, "brief", "HEAD")
    assert (bumped.before, bumped.after, bumped.is_rescored, bumped.is_silent) == (
        "1", "2", True, False,
    )  # fmt: skip
    assert score(root).n_outputs == 1
    assert invoke(["rubric", "diff", "brief", "-C", str(root)]) == 0
    assert "1 → 2: a change point" in capsys.readouterr().out
    assert invoke(["rubric", "diff", "none", "-C", str(root)]) == 4
