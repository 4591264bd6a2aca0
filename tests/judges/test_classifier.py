"""The classifier judge: fitted on labels, cross-fitted by group, plain numbers on disk."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.errors import ConfigError, DataError, StaleError
from gitloop.judges.classifier import ClassifierJudge
from gitloop.judges.classifier.features import NAMES, features
from gitloop.judges.classifier.model import Classifier, from_json, row_digest, to_json
from gitloop.judges.classifier.training import Lesson, train
from gitloop.params import JudgePin, Rubric
from gitloop.records import Case

RUBRIC = Rubric(name="grounded", version="1", scorer={"classifier": {}})
FACTS = "The {0} ships in {1} days and costs {2} euros. Returns are free for {1} weeks."


def row(output: str, context: str = "c", asked: str = "q") -> dict[str, str | None]:
    """A row."""
    return {"input": asked, "context": context, "reference": None, "output": output}


def lessons(n: int = 80, seed: int = 1) -> list[Lesson]:
    """Rows that people pass where the output is the context's, a twentieth of them by mistake."""
    draw = random.Random(seed)
    found = []
    for number in range(n):
        context = FACTS.format(f"parcel{number % 40}", number % 9 + 2, number % 30 + 5)
        is_true = draw.random() < 0.5
        other = f"I love parcels, {draw.random():.5f} of them!"
        said = context.split(". ")[0] if is_true else other
        passes = is_true != (draw.random() < 0.05)
        found.append(Lesson(row(said, context, f"how {number}"), passes, f"g{number % 40}"))
    return found


@pytest.fixture(scope="module")
def model() -> Classifier:
    """A fitted classifier."""
    return train(RUBRIC, lessons(), folds=4, seed=0)


def judge(root: Path, fitted: Classifier, **other: Any) -> ClassifierJudge:  # noqa: ANN401
    """The judge with the model in a file of a repository."""
    text = json.dumps(to_json(fitted))
    (root / "m.json").write_text(text)
    pin = {"model": "m.json", "sha256": hashlib.sha256(text.encode()).hexdigest()} | other
    return ClassifierJudge(RUBRIC, JudgePin(use="classifier", parameters=pin), root)


def test_it_tells_rows_apart_that_it_has_not_seen(model: Classifier) -> None:
    """The figures are of rows whose group the scoring fold never saw."""
    trained = model.training
    assert trained.n == 80
    assert trained.n_groups == 40
    assert trained.auroc > 0.85
    assert trained.brier < 0.15


def test_a_group_is_in_one_fold(model: Classifier) -> None:
    """Rows of one group, and rows that were asked and given the same, share their fold."""
    fold_of: dict[str, set[int]] = {}
    for lesson in lessons():
        fold_of.setdefault(lesson.group, set()).add(model.seen[row_digest(lesson.row)])
    assert {len(folds) for folds in fold_of.values()} == {1}


def test_training_does_not_depend_on_the_order_of_rows(model: Classifier) -> None:
    """The same labels, the same model, digest of the rows and all."""
    shuffled = lessons()
    random.Random(3).shuffle(shuffled)
    assert to_json(train(RUBRIC, shuffled, folds=4, seed=0)) == to_json(model)


def test_a_training_row_is_scored_by_a_model_that_did_not_see_it(model: Classifier) -> None:
    """Calibrating on the training labels stays honest."""
    lesson = lessons()[0]
    own = model.model_for(lesson.row)
    assert own is model.folds[model.seen[row_digest(lesson.row)]]
    assert model.model_for(row("x", "never seen")) is model.whole


def test_scores_are_chances_with_reasons(tmp_path: Path, model: Classifier) -> None:
    """A supported output scores above an invented one; an empty one has no score."""
    made = judge(tmp_path, model)
    context = FACTS.format("lamp", 4, 20)
    outputs = ["The lamp ships in 4 days and costs 20 euros.", "I love lamps, 99 of them!", " "]
    cases = [Case(str(i), "how", context, output=text) for i, text in enumerate(outputs)]
    good, bad, empty = [made.read(a) for a in made.call([made.request(c) for c in cases])]
    assert good.score is not None
    assert bad.score is not None
    assert 0 <= bad.score < 0.3
    assert 0.7 < good.score <= 1
    assert good.reason.count(",") == 2
    assert (empty.status, empty.score) == ("missing", None)


def test_the_file_is_numbers_only_and_comes_back_the_same(model: Classifier) -> None:
    """JSON in, JSON out: nothing on disk could run."""
    value = json.loads(json.dumps(to_json(model)))
    assert from_json(value, source="m.json") == model


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "x"}, "is no gitloop.classifier/v1 file"),
        ({"features": ["a"]}, "was trained on other features"),
        ({"folds": []}, "names a fold it does not hold"),
        ({"slope": "steep"}, "is damaged"),
        ({"whole": {"mean": [1], "scale": [1], "weights": [1], "intercept": 0}}, "is damaged"),
    ],
)
def test_a_damaged_model_is_refused(model: Classifier, change: dict[str, Any], words: str) -> None:
    """Each fault is an error, and none is a score."""
    with pytest.raises(DataError, match=words):
        from_json({**to_json(model), **change}, source="m.json")


def test_numbers_that_are_none_are_refused(model: Classifier) -> None:
    """NaN, infinity and a scale of zero."""
    for name, number in (("weights", float("nan")), ("mean", float("inf")), ("scale", 0.0)):
        value = to_json(model)
        value["whole"] = {**value["whole"], name: [number] * len(NAMES)}
        with pytest.raises(DataError, match="is damaged"):
            from_json(value, source="m.json")


def test_the_pin_holds_the_digest(tmp_path: Path, model: Classifier) -> None:
    """Another file than the pinned one is stale; none at all is missing."""
    with pytest.raises(StaleError, match="is not the pinned model"):
        judge(tmp_path, model, sha256="0" * 64)
    with pytest.raises(DataError, match="does not exist"):
        judge(tmp_path, model, model="other.json")


def test_a_model_of_another_rubric_is_refused(tmp_path: Path, model: Classifier) -> None:
    """By its name, and by its content."""
    judge(tmp_path, model)
    text = (tmp_path / "m.json").read_bytes()
    pin = JudgePin(parameters={"model": "m.json", "sha256": hashlib.sha256(text).hexdigest()})
    other = Rubric(name="polite", version="1", scorer={"classifier": {}})
    with pytest.raises(ConfigError, match="trained for the rubric grounded"):
        ClassifierJudge(other, pin, tmp_path)
    changed = Rubric(name="grounded", version="2", scorer={"classifier": {}})
    with pytest.raises(StaleError, match="changed after"):
        ClassifierJudge(changed, pin, tmp_path)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([Lesson(row("a"), True, str(i)) for i in range(40)], "40 labelled rows that pass and 0"),
        (
            [Lesson(row(str(i), str(i)), i % 2 == 0, "one") for i in range(40)],
            "are of 1 groups",
        ),
    ],
)
def test_too_few_labels_train_nothing(found: list[Lesson], words: str) -> None:
    """One class alone, or one group alone, is no training set."""
    with pytest.raises(DataError, match=words):
        train(RUBRIC, found, folds=4, seed=0)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_features_are_finite_whatever_the_text(output: str, context: str, asked: str) -> None:
    """No text breaks a feature."""
    found = features([row(output, context, asked), row(output)])
    assert found.shape == (2, len(NAMES))
    assert np.isfinite(found).all()
