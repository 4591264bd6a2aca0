"""A fitted classifier as plain numbers: what its file holds, and what it makes of a row.

One logistic regression per fold and one on all rows. A row that was trained on is scored by the
fold that has not seen its group, so that calibrating on the training labels stays honest. The file
is JSON and holds coefficients only: loading it runs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gitloop.digests import sha256_of
from gitloop.errors import DataError
from gitloop.judges.classifier.features import NAMES

SCHEMA = "gitloop.classifier/v1"


@dataclass(frozen=True, slots=True)
class Linear:
    """A logistic regression on standardised features.

    Attributes:
        mean: Mean of each feature over the rows it was fitted on.
        scale: Their standard deviation, 1 where a feature does not vary.
        weights: Weight of each standardised feature.
        intercept: Log-odds where every feature is at its mean.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    def pulls(self, rows: np.ndarray) -> np.ndarray:
        """What each feature adds to the log-odds, (n_rows, n_features)."""
        standard = (rows - np.array(self.mean)) / np.array(self.scale)
        pulled: np.ndarray = standard * np.array(self.weights)
        return pulled


@dataclass(frozen=True, slots=True)
class Training:
    """What the model was fitted on, and how good it was on rows that it had not seen.

    Attributes:
        rubric: The rubric.
        rubric_sha256: Digest of its content when people's labels were taken.
        rows_sha256: Digest of the training rows with their verdicts.
        n: Rows.
        n_pass: Rows that people pass.
        n_groups: Groups, none of which stands on both sides of a fold.
        auroc: Cross-fitted.
        brier: Cross-fitted mean squared error of the probabilities.
        calibration_error: Cross-fitted; mean distance of probability and share in ten equal bins.
    """

    rubric: str
    rubric_sha256: str
    rows_sha256: str
    n: int
    n_pass: int
    n_groups: int
    auroc: float
    brier: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Classifier:
    """A fitted classifier.

    Attributes:
        training: What it was fitted on.
        folds: One model per fold, fitted on the other folds' rows.
        whole: The model of rows that were not trained on.
        slope: Factor on the log-odds that makes the probabilities calibrated (Platt, 1999).
        offset: Added to that.
        seen: First digits of a training row's digest → its fold.
    """

    training: Training
    folds: tuple[Linear, ...]
    whole: Linear
    slope: float
    offset: float
    seen: Mapping[str, int]

    def model_for(self, row: Mapping[str, str | None]) -> Linear:
        """The model that has not seen the row's group."""
        fold = self.seen.get(row_digest(row))
        return self.whole if fold is None else self.folds[fold]

    def probability(self, log_odds: float) -> float:
        """The calibrated chance that people pass it."""
        value = min(max(self.slope * log_odds + self.offset, -40.0), 40.0)
        return 1 / (1 + math.exp(-value))


def row_digest(row: Mapping[str, str | None]) -> str:
    """Twelve hex digits of what the application was asked and given; its output does not count."""
    return sha256_of({"input": row["input"], "context": row["context"]})[:12]


def to_json(model: Classifier) -> dict[str, Any]:
    """The model as the JSON values of its file."""
    return {"schema": SCHEMA, "features": list(NAMES), **asdict(model)}


def from_json(value: Any, *, source: str) -> Classifier:  # noqa: ANN401 -- JSON holds anything
    """The model in a file's JSON.

    Raises:
        DataError: It is no model, or one of other features.
    """
    retrain = "run: gitloop judge train RUBRIC"
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise DataError(f"{source} is no {SCHEMA} file", hint=retrain)
    if value.get("features") != list(NAMES):
        raise DataError(f"{source} was trained on other features", hint=retrain)
    try:
        model = Classifier(
            training=Training(**value["training"]),
            folds=tuple(_linear(fold) for fold in value["folds"]),
            whole=_linear(value["whole"]),
            slope=float(value["slope"]),
            offset=float(value["offset"]),
            seen={str(key): int(fold) for key, fold in value["seen"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{source} is damaged: {error}", hint="run: dvc checkout") from error
    if not all(0 <= fold < len(model.folds) for fold in model.seen.values()):
        raise DataError(f"{source} is damaged: it names a fold it does not hold", hint=retrain)
    return model


def _linear(value: Mapping[str, Any]) -> Linear:
    vectors = [tuple(float(x) for x in value[name]) for name in ("mean", "scale", "weights")]
    intercept = float(value["intercept"])
    numbers = [x for vector in vectors for x in vector]
    if any(len(vector) != len(NAMES) for vector in vectors):
        raise ValueError("a model has not one number per feature")
    if not all(math.isfinite(x) for x in [*numbers, intercept]) or min(vectors[1]) <= 0:
        raise ValueError("a model holds a number that is none")
    return Linear(vectors[0], vectors[1], vectors[2], intercept)
