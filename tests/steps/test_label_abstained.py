"""Selective judging on a real repository: people are asked what the judge leaves to them."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import polars as pl
import pytest

from gitloop.cli.main import invoke
from gitloop.core.label import Given
from gitloop.errors import DataError, StaleError
from gitloop.steps.calibrate import calibrate
from gitloop.steps.cluster import order_failures
from gitloop.steps.label import LabelPlan, Question
from gitloop.steps.label import label as label_step
from gitloop.storage import parquet
from gitloop.tables import CLUSTERS, MEMBERS
from tests.judged import judged_repository
from tests.labelled import label_all
from tests.repositories import Repository


def unsure(shown: str) -> float:
    """Right and sure of itself on nine rows of ten; on the tenth near the line, and often wrong."""
    found = re.search(r"question t(\d+)", shown)
    n = int(found[1]) if found else 0
    if n % 10 == 3:
        return 0.49
    if n % 10 == 4:
        return 0.51
    return 0.8 if n % 2 else 0.2


def test_rows_near_the_line_are_for_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 200 traces the judge leaves the unsure ones to people, once; the others it decides."""
    with judged_repository(tmp_path / "repository", [unsure], 200) as repository:
        plan = LabelPlan("chen", n_judged=200)
        calibrate(repository.root)
        with pytest.raises(StaleError, match="no promise"):
            label_step(repository.root, lambda _: "quit", plan)
        text = repository.read("params.yaml")
        repository.gen({"params.yaml": f"{text}calibrate: {{max_judge_error: 0.1}}\n"})
        with pytest.raises(StaleError, match=r"another calibrate\.max_judge_error"):
            label_step(repository.root, lambda _: "quit", plan)
        (found,) = calibrate(repository.root).rubrics
        kept = found.abstention
        assert kept is not None
        assert kept.confidence is not None
        assert kept.n_errors == 0
        assert kept.coverage == pytest.approx(0.8)
        asked: list[Question] = []

        def answer(question: Question) -> Given:
            asked.append(question)
            return Given("pass")

        report = label_step(repository.root, answer, plan)
        numbers = {int(question.item.trace_id[1:]) % 10 for question in asked}
        assert (len(asked), numbers, report.n_labelled) == (40, {3, 4}, 40)
        assert label_step(repository.root, answer, plan).n_left == 0

        monkeypatch.setattr("sys.stdin", io.StringIO("p\n\nq\n"))
        words = ["label", "--abstained", "200", "--terminal", "--as", "dana", "--format", "json"]
        assert invoke([*words, "-C", str(repository.root)]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["n_labelled"], told["n_left"]) == (1, 39)


def test_people_are_asked_where_the_judge_passes_what_users_complained_about(
    tmp_path: Path,
) -> None:
    """--order disagreement judges the failures that nobody labelled; the surest pass is first."""

    def pleased(shown: str) -> float:
        found = re.search(r"question t(\d+)", shown)
        n = int(found[1]) if found else 0
        return {44: 0.9, 47: 0.7, 50: 0.95}.get(n, 0.8 if n < 40 and n % 2 else 0.1)

    with judged_repository(tmp_path / "repository", [pleased], 60) as repository:
        for name in ("amara", "bo"):
            (repository.root / f"labels/{name}.jsonl").unlink()
        label_all(repository, 40)
        failures = [f"t{n:03}" for n in range(38, 52)]
        usual = {"cluster_id": "c1", "probability": 1.0, "is_soft": False, "weight": 1.0}
        rows = [
            usual | {"trace_id": name, "text": name, "feedback_ids": ["f"]} for name in failures
        ]
        write_members(repository, pl.DataFrame(rows))
        with pytest.raises(DataError, match="no judge has been calibrated"):
            order_failures(repository.root, "disagreement", 5)
        calibrate(repository.root)
        ordered = order_failures(repository.root, "disagreement", 5)
        first = [doubt.trace_id for doubt in ordered.doubts[:3]]
        assert (first, ordered.n_labelled) == (["t050", "t044", "t047"], 2)
        assert ordered.doubts[0].doubt > ordered.doubts[2].doubt > 0.5 > ordered.doubts[3].doubt
        asked: list[Question] = []

        def answer(question: Question) -> str:
            asked.append(question)
            return "skip"

        label_step(repository.root, answer, LabelPlan("dee", order="disagreement"))
        assert {question.item.trace_id for question in asked} == set(failures)
        assert asked[0].item.trace_id == "t050"


def write_members(repository: Repository, members: pl.DataFrame) -> None:
    """Write what clustering would have written of these, but for names of clusters."""
    folder = repository.root / "loop/cluster"
    parquet.write(folder / "members.parquet", MEMBERS, MEMBERS.complete(members))
    parquet.write(folder / "clusters.parquet", CLUSTERS, CLUSTERS.empty())


def test_a_useless_judge_decides_nothing(tmp_path: Path) -> None:
    """Where no promise can be kept every judged trace is for people."""

    def toss(shown: str) -> float:
        found = re.search(r"question t(\d+)", shown)
        n = int(found[1]) if found else 0
        return 0.8 if n % 4 < 2 else 0.2

    with judged_repository(tmp_path / "repository", [toss], 40) as repository:
        text = repository.read("params.yaml")
        repository.gen({"params.yaml": f"{text}calibrate: {{max_judge_error: 0.1}}\n"})
        (found,) = calibrate(repository.root).rubrics
        assert found.abstention is not None
        assert "should decide nothing alone" in found.abstention.reason
        label_all(repository, 40, annotators=["dee"])
        plan = LabelPlan("chen", n_judged=10)
        assert label_step(repository.root, lambda _: "quit", plan).n_left == 10
