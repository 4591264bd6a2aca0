"""`gitloop judge train` and `gitloop judge examples` on real repositories."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import open_judge
from gitloop.records import Case
from gitloop.steps.calibrate import calibrate
from gitloop.steps.judge import collect_examples, train_judge
from gitloop.storage import parquet, parts
from gitloop.storage.dvc import Dvc
from gitloop.storage.labels import append_labels
from gitloop.tables import TRACES
from gitloop.workspace import Workspace
from tests.evaluated import golden_rows, promote
from tests.labelled import PARAMS, RUBRIC, label, label_all, labelled_repository, traces
from tests.repositories import Repository

BOTH = RUBRIC.rstrip() + "\n  classifier: {}\n"


@pytest.fixture
def labelled(tmp_path: Path) -> Repository:
    """Sixty traces with texts of their own, every second one invented, labelled by two people."""
    repository = labelled_repository(tmp_path / "repository", 0, BOTH)
    names = [f"t{n:03}" for n in range(60)]
    contexts = [f"Parcel {n} arrives in {n + 2} days at gate {n % 7}." for n in range(60)]
    outputs = [c if n % 2 else f"Ask Pedro about {n}." for n, c in enumerate(contexts)]
    rows = traces(names, context=contexts, output=outputs, input=[f"where is {n}" for n in names])
    path = "data/traces/2026-05-19-00000000.parquet"
    parquet.write(repository.root / path, TRACES, rows)
    parts.track(repository.root, Dvc(repository.root, repository.root / ".git"), path)
    label_all(repository)
    return repository


def test_a_classifier_is_trained_tracked_and_pinned(
    labelled: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is DVC's, the digest is the pin's, and the judge it makes scores."""
    report = train_judge(labelled.root, "grounded")
    assert (report.training.n, report.training.n_pass) == (60, 30)
    assert report.training.auroc > 0.95
    assert (labelled.root / "models/grounded.json.dvc").is_file()
    assert "models/grounded.json\n" not in labelled.git("status", "--porcelain", "-uall")
    again = train_judge(labelled.root, "grounded")
    assert again.sha256 == report.sha256
    pin = f"{{use: classifier, parameters: {{model: {report.path}, sha256: {report.sha256}}}}}"
    labelled.gen({"params.yaml": PARAMS.replace('{use: local, version: "1"}', pin)})
    judge = open_judge(Workspace(labelled.root), "grounded").judge
    case = Case("x", "where", "Parcel 9 arrives in 4 days.", output="Parcel 9 arrives in 4 days.")
    found = judge.read(judge.call([judge.request(case)])[0])
    assert found.score is not None
    assert found.score > 0.5
    assert invoke(["judge", "train", "grounded", "-C", str(labelled.root)]) == 0
    assert f"sha256: {report.sha256}" in capsys.readouterr().out


def test_nothing_is_learned_from_rows_that_are_measured_on(labelled: Repository) -> None:
    """Groups of val and holdout rows of golden sets, and held-out groups, stay out of training."""
    rows = golden_rows(["a", "b"], split="holdout")
    rows = rows.with_columns(
        source_trace_id=rows["source_trace_id"].replace_strict(
            {"trace-a": "t001", "trace-b": "t002"}
        )
    )
    promote(labelled, rows)
    held = PARAMS + "calibrate: {holdout_rate: 0.3}\n"
    labelled.gen({"params.yaml": held})
    report = train_judge(labelled.root, "grounded")
    assert report.n_held_out > 0
    assert 0 < report.n_golden <= 2
    assert report.training.n == 60 - report.n_held_out - report.n_golden


def test_no_example_is_a_row_that_is_measured_on(labelled: Repository) -> None:
    """A correction of a val or holdout row of a golden set is shown to no model."""
    kept = {"source_trace_id": ["t004", "t005"], "split": ["val", "holdout"]}
    rows = golden_rows(["a", "b"])
    promote(labelled, rows.with_columns(**{name: pl.Series(own) for name, own in kept.items()}))
    calibrate(labelled.root)
    turned = [
        label(f"t{n:03}", "fail" if n % 2 else "pass", "chen", role="senior") for n in (4, 5, 6)
    ]
    append_labels(labelled.root, "chen", turned)
    report = collect_examples(labelled.root, "grounded")
    lines = [json.loads(line) for line in labelled.read(report.path).splitlines()]
    assert [one["item_id"] for one in lines] == ["t006"]


def test_corrections_become_examples(
    labelled: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rows on which people overruled the judge, and no others."""
    with pytest.raises(DataError, match="does not exist"):
        collect_examples(labelled.root, "grounded")
    calibrate(labelled.root)
    with pytest.raises(DataError, match="agree on all 60 rows"):
        collect_examples(labelled.root, "grounded")
    turned = [label(f"t{n:03}", "fail" if n % 2 else "pass", "chen", role="senior") for n in (4, 5)]
    append_labels(labelled.root, "chen", turned)
    report = collect_examples(labelled.root, "grounded")
    lines = [json.loads(line) for line in labelled.read(report.path).splitlines()]
    assert [(one["item_id"], one["expected"]) for one in lines] == [
        ("t004", "pass"),
        ("t005", "fail"),
    ]
    assert (report.n, report.n_pass, report.n_corrections) == (2, 1, 2)
    assert invoke(["judge", "examples", "grounded", "--most", "1", "-C", str(labelled.root)]) == 0
    assert "1 of 2 corrections" in capsys.readouterr().out


def test_what_is_not_there_is_told(labelled: Repository) -> None:
    """A rubric without a pin, and one that nobody labelled."""
    with pytest.raises(ConfigError):
        train_judge(labelled.root, "other")
    labelled.gen(
        {
            "params.yaml": PARAMS + '  polite: {version: "1"}\n',
            "rubrics/polite.yaml": BOTH.replace("grounded\nversion", "polite\nversion"),
        }
    )
    with pytest.raises(DataError, match="nobody has labelled a trace under polite"):
        train_judge(labelled.root, "polite")
