"""The classifier judge: a logistic regression that was fitted on your people's labels.

    judge:
      use: classifier
      parameters: {model: models/grounded.json, sha256: 3f5a…}

`gitloop judge train RUBRIC` writes the model file and says what to pin. Its score is the calibrated
chance that people pass the row. No network, no language model; the file is plain numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gitloop.arguments import Argument, check
from gitloop.errors import ConfigError, DataError, StaleError
from gitloop.judges.classifier.features import NAMES, features
from gitloop.judges.classifier.model import Classifier, from_json
from gitloop.params import JudgePin, Rubric
from gitloop.records import Answer, Case, Judgement

_PARAMETERS = {
    "model": Argument("text", "model file, relative to the repository's root"),
    "sha256": Argument("text", "digest of that file, as gitloop judge train told it"),
}
_FIELDS = ("input", "context", "reference", "output")


class ClassifierJudge:
    """Scores by a model that was fitted on people's labels; JSON numbers, no network."""

    id: ClassVar[str] = "classifier"
    version: ClassVar[str] = "1"
    returns: ClassVar[str] = "0 to 1: the calibrated chance that people pass the row"
    takes: ClassVar[Mapping[str, Argument]] = _PARAMETERS
    is_pure: ClassVar[bool] = True

    def __init__(self, rubric: Rubric, pin: JudgePin, root: Path) -> None:
        key = f"params.yaml: rubrics.{rubric.name}.judge.parameters"
        parameters = check(pin.parameters, _PARAMETERS, where=key)
        check(rubric.scorer[self.id], {}, where=f"rubrics/{rubric.name}.yaml: scorer.{self.id}")
        self._model = _read(root, parameters["model"], parameters["sha256"], key)
        trained = self._model.training
        if trained.rubric != rubric.name:
            raise ConfigError(
                f"{parameters['model']} was trained for the rubric {trained.rubric},"
                f" not for {rubric.name}",
                hint=f"run: gitloop judge train {rubric.name}",
            )
        if trained.rubric_sha256 != rubric.sha256:
            raise StaleError(
                f"{rubric.name} changed after {parameters['model']} was trained",
                hint=f"run: gitloop judge train {rubric.name}",
            )
        self._pinned = {"judge": f"{self.id}/{self.version}", "model": parameters["sha256"]}

    def request(self, case: Case) -> dict[str, Any]:
        """The model's digest and the row."""
        return {**self._pinned, "row": {name: getattr(case, name) for name in _FIELDS}}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One calibrated chance per request; an empty output has the status missing."""
        seen = features([request["row"] for request in requests])
        return [
            self._answer(request["row"], values)
            for request, values in zip(requests, seen, strict=True)
        ]

    def read(self, answer: Answer) -> Judgement:
        """The judgement in an answer."""
        return Judgement(**answer.value)

    def _answer(self, row: Mapping[str, str | None], values: np.ndarray) -> Answer:
        if not (row["output"] or "").strip():
            told = {"status": "missing", "score": None, "reason": "the output is empty"}
            return Answer("ok", told)
        linear = self._model.model_for(row)
        pulls = linear.pulls(values[None, :])[0]
        chance = self._model.probability(float(pulls.sum()) + linear.intercept)
        return Answer(
            "ok", {"status": "ok", "score": round(chance, 6), "reason": _reason(pulls, values)}
        )


def _reason(pulls: np.ndarray, values: np.ndarray) -> str:
    """The three features that moved the score most, with their values and directions."""
    strongest = sorted(range(len(NAMES)), key=lambda i: (-abs(float(pulls[i])), i))[:3]
    return ", ".join(
        f"{NAMES[i]} {values[i]:.2f} {'raises' if pulls[i] > 0 else 'lowers'} it" for i in strongest
    )


def _read(root: Path, name: str, pinned: str, key: str) -> Classifier:
    path = root / name
    if not path.is_file():
        raise DataError(f"{name} does not exist", hint="run: dvc pull, or gitloop judge train")
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != pinned:
        raise StaleError(
            f"{name} is not the pinned model: its SHA-256 is {actual}",
            hint=f"run: dvc checkout, or edit {key}.sha256",
        )
    try:
        value = json.loads(content)
    except ValueError as error:
        raise DataError(f"{name} is not JSON: {error}", hint="run: dvc checkout") from error
    return from_json(value, source=name)
