"""`gitloop calibrate` on a real repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitloop.errors import ConfigError, DataError
from gitloop.records import parse_thresholds
from gitloop.steps.calibrate import calibrate, estimate, history, judge_cards
from gitloop.storage import parquet
from gitloop.storage.labels import append_labels
from gitloop.tables import SCORES
from tests.labelled import PARAMS, RUBRIC, label, label_all, labelled_repository
from tests.repositories import Repository

OUTPUTS = ("thresholds.json", "metrics.json", "curve.csv", "scores.parquet", "calls.parquet")


@pytest.fixture
def labelled(tmp_path: Path) -> Repository:
    """Sixty traces, every second one invented, labelled by two people."""
    repository = labelled_repository(tmp_path / "repository")
    label_all(repository)
    return repository


def contents(repository: Repository) -> dict[str, bytes]:
    """The stage's outputs, byte for byte."""
    return {name: (repository.root / "loop/calibrate" / name).read_bytes() for name in OUTPUTS}


def test_a_threshold_for_the_gate(labelled: Repository) -> None:
    """The stage finds the line between invented and grounded answers and writes it down."""
    report = calibrate(labelled.root)
    written = json.loads(labelled.read("loop/calibrate/thresholds.json"))
    threshold = parse_thresholds(written)["grounded"]
    (line,) = report.rubrics
    assert threshold.threshold == line.threshold
    assert (threshold.n, threshold.n_positive, threshold.judge) == (60, 30, "local/1")
    assert (threshold.sensitivity, threshold.specificity) == ((30, 30), (30, 30))
    assert written["params"]["seed"] == 7


def test_scores_are_kept_beside_the_thresholds(labelled: Repository) -> None:
    """The judge's scores of the labelled traces are written as a table."""
    calibrate(labelled.root)
    scores = parquet.read(labelled.root / "loop/calibrate/scores.parquet", SCORES)
    assert (scores.height, scores["status"].unique().to_list()) == (60, ["ok"])


def test_the_same_commit_gives_the_same_bytes(labelled: Repository) -> None:
    """A second run changes no byte of any output."""
    calibrate(labelled.root)
    first = contents(labelled)
    calibrate(labelled.root / "labels")
    assert contents(labelled) == first


def test_no_labels_at_all(tmp_path: Path) -> None:
    """Without labels there is nothing to calibrate on, and the next command is named."""
    repository = labelled_repository(tmp_path / "repository", 4)
    with pytest.raises(DataError, match="no labels to calibrate on") as caught:
        calibrate(repository.root)
    assert caught.value.hint == "run: gitloop label"
    assert not (repository.root / "loop").exists()


def test_no_rubric_with_a_line_is_a_failure(tmp_path: Path) -> None:
    """When no rubric can be calibrated each reason is told and nothing is written."""
    repository = labelled_repository(tmp_path / "repository", 4)
    label_all(repository, 4)
    with pytest.raises(DataError, match="grounded: 4 labelled items, fewer than") as caught:
        calibrate(repository.root)
    assert caught.value.exit_code == 5
    assert not (repository.root / "loop").exists()


def test_one_rubric_of_two_is_enough(labelled: Repository) -> None:
    """A rubric that nobody labelled stands in the file with null; the other is calibrated."""
    other = '  polite:\n    version: "1"\n    judge: {use: local, version: "1"}\n'
    polite = RUBRIC.replace("name: grounded", "name: polite")
    labelled.gen({"params.yaml": PARAMS + other, "rubrics/polite.yaml": polite})
    report = calibrate(labelled.root)
    found = parse_thresholds(json.loads(labelled.read("loop/calibrate/thresholds.json")))
    assert [line.status for line in report.rubrics] == ["warned", "uncalibrated"]
    assert (found["polite"].threshold, found["polite"].reason) == (None, "nobody has labelled it")
    assert found["grounded"].threshold is not None


def test_a_senior_turns_a_verdict(labelled: Repository) -> None:
    """What a senior settles is the truth that the judge is held against."""
    append_labels(labelled.root, "chen", [label("t000", "pass", "chen", role="senior")])
    calibrate(labelled.root)
    found = parse_thresholds(json.loads(labelled.read("loop/calibrate/thresholds.json")))
    assert found["grounded"].n_positive == 31


def test_a_misconfigured_judge_is_told_before_anything_is_written(labelled: Repository) -> None:
    """A rubric file at another version than the pin stops the stage."""
    labelled.gen({"rubrics/grounded.yaml": RUBRIC.replace('version: "1"', 'version: "2"')})
    with pytest.raises(ConfigError, match="pins 1"):
        calibrate(labelled.root)
    assert not (labelled.root / "loop").exists()


def test_a_line_of_nonsense_stops_the_stage(labelled: Repository) -> None:
    """A label file edited by hand into nonsense is named, line and all."""
    with (labelled.root / "labels/bo.jsonl").open("a", encoding="utf-8") as file:
        file.write("pass\n")
    with pytest.raises(DataError, match=r"labels/bo\.jsonl:61: not valid JSON"):
        calibrate(labelled.root)


def test_a_card_needs_no_judge(labelled: Repository) -> None:
    """Cards are made from the scores that the stage wrote; before it there are none."""
    with pytest.raises(DataError, match="does not exist"):
        judge_cards(labelled.root)
    calibrate(labelled.root)
    (card,) = judge_cards(labelled.root)["cards"]
    assert (card["rubric"]["name"], card["judge"], card["kappa"]["value"]) == (
        "grounded",
        "local/1",
        1.0,
    )
    assert json.dumps(card, allow_nan=False)


def test_an_estimate_of_production(labelled: Repository) -> None:
    """A sample of all traces is judged, and nothing that Git tracks changes."""
    calibrate(labelled.root)
    before = contents(labelled)
    report = estimate(labelled.root, n=40, by="route")
    (found,) = report.rubrics
    assert (report.n_sampled, report.n_traces) == (40, 60)
    assert [rate.arm for rate in found.estimates] == ["", "route=refund"]
    assert found.estimates[0].n_judged == 40
    assert contents(labelled) == before


def test_history_over_commits(labelled: Repository) -> None:
    """Each commit that moved a rubric's threshold is a point, oldest first."""
    with pytest.raises(DataError, match="no commit holds thresholds"):
        history(labelled.root)
    calibrate(labelled.root)
    labelled.commit("Calibrate", "loop")
    labelled.commit("Nothing new")
    append_labels(labelled.root, "chen", [label("t000", "pass", "chen", role="senior")])
    calibrate(labelled.root)
    labelled.commit("Calibrate again", "loop")
    points = history(labelled.root).rubrics["grounded"]
    assert [(point.subject, point.n) for point in points] == [
        ("Calibrate", 60),
        ("Calibrate again", 60),
    ]
    assert labelled.git("stash", "list") == ""


def test_a_broken_commit_is_told(labelled: Repository) -> None:
    """A commit whose thresholds cannot be read is named and does not hide the others."""
    labelled.gen({"loop/calibrate/thresholds.json": "{"}, commit="Break it")
    calibrate(labelled.root)
    labelled.commit("Calibrate", "loop")
    report = history(labelled.root)
    assert len(report.unreadable) == 1
    assert len(report.rubrics["grounded"]) == 1


def test_a_text_that_changed_without_its_version_is_refused(labelled: Repository) -> None:
    """Scores of both texts would mix: nothing is judged and nothing written."""
    calibrate(labelled.root)
    before = labelled.read("loop/calibrate/thresholds.json")
    changed = labelled.read("rubrics/grounded.yaml").replace("metric: grounded", "metric: one_line")
    labelled.gen({"rubrics/grounded.yaml": changed})
    with pytest.raises(ConfigError, match="is version 1, and so is another text of it"):
        calibrate(labelled.root)
    assert labelled.read("loop/calibrate/thresholds.json") == before
