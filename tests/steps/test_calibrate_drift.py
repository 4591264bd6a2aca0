"""`gitloop judge drift` on a real repository with a model on the loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ConfigError, DataError, StaleError
from gitloop.steps.calibrate import DriftPlan, calibrate, drift, history
from tests.judged import Score, judged_repository
from tests.labelled import label_all, labelled_repository
from tests.repositories import Repository


def strict(shown: str) -> float:
    """What people say: whoever names an office invents."""
    return 0.2 if "Lisbon" in shown else 0.8


def lenient(_shown: str) -> float:
    """Everything passes."""
    return 0.8


Judged = tuple[Repository, list[Score]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """A repository that was calibrated with the strict model, committed."""
    score: list[Score] = [strict]
    with judged_repository(tmp_path_factory.mktemp("drift") / "repository", score) as repository:
        calibrate(repository.root)
        repository.commit("Calibrate", "loop")
        yield repository, score


@pytest.fixture
def clean(judged: Judged) -> Iterator[Judged]:
    """The same, put back afterwards."""
    repository, score = judged
    yield judged
    repository.git("checkout", "--", ".")
    repository.git("clean", "-fdq", "loop/drift")
    del score[1:]


def test_an_unchanged_judge_leaves_no_change_point(clean: Judged) -> None:
    """Anchors are asked again, twice; params.yaml stays, and the look is written down."""
    repository, _ = clean
    report = drift(repository.root, DriftPlan(n_anchors=20))
    (found,) = report.rubrics
    assert (found.n, found.flips, found.n_noise, found.has_changed) == (20, (), 0, False)
    assert report.written == ("loop/drift/grounded.json",)
    assert repository.git("diff", "--name-only") == ""


def test_a_changed_judge_begins_a_new_span(clean: Judged) -> None:
    """A change is written as a change point and a span, its threshold is stale until calibrated."""
    repository, score = clean
    score.append(lenient)
    report = drift(repository.root, DriftPlan(n_anchors=20))
    assert report.spans == {"grounded": 2}
    change = json.loads(repository.read("loop/drift/changes/grounded-2.json"))
    assert (change["schema"], change["span"], change["judge"]) == (
        "gitloop.change_point/v1",
        2,
        "openai/1:judge-1",
    )
    assert change["pass_now"] == 1.0
    params = repository.read("params.yaml")
    assert "# the judge" in params
    assert "      span: 2\n" in params
    with pytest.raises(StaleError, match="calibrated with another"):
        drift(repository.root, DriftPlan(("grounded",)))
    with pytest.raises(DataError, match="no rubric could be calibrated"):
        calibrate(repository.root)  # asked anew: the lenient model gives every row one score


def test_a_judge_that_rubrics_share_is_not_touched(clean: Judged) -> None:
    """Where one edit of params.yaml would begin a span for two rubrics, nothing is written."""
    repository, score = clean
    score.append(lenient)
    text = repository.read("params.yaml")
    shared = text.replace("judge:\n", "judge: &judge\n").replace(
        "optimize:", '  polite:\n    version: "1"\n    judge: *judge\noptimize:'
    )
    polite = repository.read("rubrics/grounded.yaml").replace("name: grounded", "name: polite")
    repository.gen({"params.yaml": shared, "rubrics/polite.yaml": polite})
    try:
        with pytest.raises(ConfigError, match="rubrics share a judge"):
            drift(repository.root, DriftPlan(("grounded",), 20))
        assert not (repository.root / "loop/drift").exists()
    finally:
        (repository.root / "rubrics/polite.yaml").unlink()


def test_history_shows_the_change_point(clean: Judged, capsys: pytest.CaptureFixture[str]) -> None:
    """A committed change point stands in the history of the thresholds; a broken one is named."""
    repository, score = clean
    head = repository.git("rev-parse", "HEAD")
    score.append(lenient)
    drift(repository.root, DriftPlan(n_anchors=20))
    repository.gen({"loop/drift/changes/broken-2.json": "{}"})
    repository.commit("The judge changed", "loop", "params.yaml")
    report = history(repository.root)
    (point,) = report.changes["grounded"]
    assert (point.span, point.n, point.pass_now) == (2, 20, 1.0)
    assert "broken-2.json" in "".join(report.unreadable.values())
    assert invoke(["calibrate", "--history", "-C", str(repository.root)]) == 0
    assert "the judge changed: span 2" in capsys.readouterr().out
    repository.git("reset", "--hard", "-q", head)


def test_dry_runs_and_codes(clean: Judged, capsys: pytest.CaptureFixture[str]) -> None:
    """--dry-run writes nothing, and --check turns a change into exit code 2."""
    repository, score = clean
    args = ["judge", "drift", "-C", str(repository.root), "--anchors", "20", "--dry-run"]
    assert invoke([*args, "--check"]) == 0
    assert "grounded  unchanged  20 anchors" in capsys.readouterr().out
    score.append(lenient)
    assert invoke(args) == 0
    assert invoke([*args, "--check"]) == 2
    told = capsys.readouterr().out
    assert "Stuart-Maxwell" in told
    assert max(map(len, told.splitlines())) <= 80
    assert not (repository.root / "loop/drift").exists()
    assert repository.git("diff", "--name-only") == ""


def test_replay_cannot_look(clean: Judged) -> None:
    """Recorded answers say nothing about the judge of today."""
    repository, _ = clean
    text = repository.read("params.yaml")
    repository.gen({"params.yaml": f"{text}calls: {{mode: replay}}\n"})
    with pytest.raises(ConfigError, match="mode is replay"):
        drift(repository.root, DriftPlan())


def test_nothing_is_calibrated_yet(tmp_path: Path) -> None:
    """Without recorded scores there is nothing to compare with."""
    repository = labelled_repository(tmp_path / "repository", 4)
    label_all(repository, 4)
    with pytest.raises(DataError, match="does not exist"):
        drift(repository.root, DriftPlan())


def test_a_local_judge_is_asked_once(tmp_path: Path) -> None:
    """A deterministic judge has no noise, and any other score would be a change."""
    repository = labelled_repository(tmp_path / "repository", 40)
    label_all(repository, 40)
    calibrate(repository.root)
    (found,) = drift(repository.root, DriftPlan()).rubrics
    assert (found.n, found.n_noise, found.odd, found.has_changed) == (40, None, None, False)
