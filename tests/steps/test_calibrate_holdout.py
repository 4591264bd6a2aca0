"""`gitloop calibrate --holdout` on a real repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitloop.cli.main import invoke
from gitloop.errors import ConfigError
from gitloop.judges.classifier.model import row_digest
from gitloop.stats.holdout import is_held_out
from gitloop.steps.calibrate import calibrate, holdout
from tests.labelled import CONTEXT, label_all, labelled_repository
from tests.repositories import Repository


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Sixty labelled traces, a third of them pinned, calibrated."""
    repository = labelled_repository(tmp_path_factory.mktemp("pinned") / "repository")
    label_all(repository)
    text = repository.read("params.yaml")
    repository.gen({"params.yaml": f"{text}calibrate: {{holdout_rate: 0.33}}\n"})
    calibrate(repository.root)
    return repository


def test_the_judge_on_pinned_labels(pinned: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """The check is the one that thresholds.json holds, and people are the baseline."""
    report = holdout(pinned.root)
    (found,) = report.rubrics
    assert found.check is not None
    assert (found.n_labelled, found.check.n) == (60, found.n_held_out)
    assert 10 <= found.n_held_out <= 30
    assert (found.check.n_disagree, found.check.human_disagreement) == (0, 0.0)
    assert report.leaks == ()
    assert invoke(["calibrate", "--holdout", "-C", str(pinned.root)]) == 0
    told = capsys.readouterr().out
    assert "nothing that learns has seen a pinned item" in told
    assert max(map(len, told.splitlines())) <= 80


def test_an_example_in_a_prompt_is_found(
    pinned: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prompt that quotes a pinned answer is named, and the command exits 5."""
    pinned.gen({"prompts/support.md": f"Answer like this: {CONTEXT}"})
    try:
        assert invoke(["calibrate", "--holdout", "-C", str(pinned.root)]) == 5
        assert "prompts/support.md quotes the output" in capsys.readouterr().out
    finally:
        (pinned.root / "prompts/support.md").unlink()


def test_judges_that_learned_from_a_pinned_row_are_found(pinned: Repository) -> None:
    """A classifier's model and a file of examples are held against the pinned rows."""
    held = [f"t{n:03}" for n in range(60) if is_held_out(f"t{n:03}", 0.33)]
    seen = {row_digest({"input": f"question {held[0]}", "context": CONTEXT}): 0}
    files = {
        "models/grounded.json": json.dumps({"seen": seen}),
        "rubrics/examples/grounded.jsonl": json.dumps({"item_id": held[1]}) + "\n",
    }
    pinned.gen(files)
    try:
        assert [(leak.trace_id, leak.place) for leak in holdout(pinned.root).leaks] == [
            (held[0], "models/grounded.json"),
            (held[1], "rubrics/examples/grounded.jsonl"),
        ]
    finally:
        for path in files:
            (pinned.root / path).unlink()


def test_nothing_is_pinned(tmp_path: Path) -> None:
    """Without a rate there is no holdout, and the key to set is named."""
    repository = labelled_repository(tmp_path / "repository", 4)
    with pytest.raises(ConfigError, match="holdout_rate is 0") as caught:
        holdout(repository.root)
    assert "calibrate.holdout_rate" in caught.value.hint
    assert invoke(["calibrate", "--holdout", "--card", "-C", str(repository.root)]) == 4
