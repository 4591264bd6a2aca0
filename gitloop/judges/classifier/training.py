"""Rows with people's verdicts → a classifier, cross-fitted by group and calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from gitloop.digests import sha256_of
from gitloop.errors import DataError
from gitloop.judges.classifier.features import features
from gitloop.judges.classifier.model import Classifier, Linear, Training, row_digest
from gitloop.params import Rubric

MIN_EACH = 10
"""Fewest rows that people pass, and fewest that they fail."""

_DIGITS = 7
"""Significant digits that are kept: more depend on the machine's own way of adding."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One row that people judged.

    Attributes:
        row: input, context, reference and output.
        passes: What people say.
        group: Rows of one group never stand on both sides of a fold.
    """

    row: Mapping[str, str | None]
    passes: bool
    group: str


def train(rubric: Rubric, lessons: Sequence[Lesson], *, folds: int, seed: int) -> Classifier:
    """The classifier of a rubric.

    Args:
        rubric: The rubric that people judged by.
        lessons: What they said, in any order.
        folds: Folds of the cross-fit, ≥ 2.
        seed: Deals the groups to the folds.

    Raises:
        DataError: Fewer than `MIN_EACH` rows pass, or fail, or the groups do not fill the folds.
    """
    known = sorted(lessons, key=lambda one: (row_digest(one.row), one.group, sha256_of(one.row)))
    said = np.array([lesson.passes for lesson in known], dtype=bool)
    _refuse_few(rubric.name, said, len({lesson.group for lesson in known}), folds)
    rows = features([lesson.row for lesson in known])
    groups = _groups(known)
    fold_of = _deal(said, groups, folds, seed)
    models = [_fit(rows[fold_of != fold], said[fold_of != fold]) for fold in range(folds)]
    log_odds = np.empty(len(known))
    for fold, model in enumerate(models):
        own = fold_of == fold
        log_odds[own] = model.pulls(rows[own]).sum(axis=1) + model.intercept
    slope, offset = _platt(log_odds, said)
    return Classifier(
        training=_training(rubric, known, said, groups, (log_odds, slope, offset)),
        folds=tuple(models),
        whole=_fit(rows, said),
        slope=slope,
        offset=offset,
        seen=dict(
            sorted(
                (row_digest(lesson.row), int(fold))
                for lesson, fold in zip(known, fold_of, strict=True)
            )
        ),
    )


def _refuse_few(rubric: str, said: np.ndarray, n_groups: int, folds: int) -> None:
    n_pass, n_fail = int(said.sum()), int((~said).sum())
    if min(n_pass, n_fail) < MIN_EACH:
        raise DataError(
            f"{rubric} has {n_pass} labelled rows that pass and {n_fail} that fail;"
            f" a classifier needs {MIN_EACH} of each",
            hint="run: gitloop label",
        )
    if n_groups < 2 * folds:
        raise DataError(
            f"{rubric}'s labelled rows are of {n_groups} groups; {folds} folds need {2 * folds}",
            hint="label rows of other sessions, or lower calibrate.folds in params.yaml",
        )


def _groups(known: Sequence[Lesson]) -> np.ndarray:
    """A number per row: rows of one group, or of one input and context, have the same."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for lesson in known:
        one, other = root(f"group {lesson.group}"), root(f"row {row_digest(lesson.row)}")
        parent[max(one, other)] = min(one, other)
    roots = [root(f"group {lesson.group}") for lesson in known]
    numbers = {name: number for number, name in enumerate(sorted(set(roots)))}
    return np.array([numbers[name] for name in roots])


def _deal(said: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row."""
    fold_of = np.zeros(len(said), dtype=int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, own) in enumerate(splitter.split(said, said, groups)):
        fold_of[own] = fold
    for fold in range(folds):
        rest = said[fold_of != fold]
        if rest.all() or not rest.any():
            raise DataError(
                "all rows that people pass, or fail, stand in a few groups",
                hint="label rows of other sessions",
            )
    return fold_of


def _fit(rows: np.ndarray, said: np.ndarray) -> Linear:
    """A logistic regression with the usual ridge penalty (C = 1) on standardised features."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale < 1e-9] = 1.0
    fitted = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8).fit((rows - mean) / scale, said)
    return Linear(
        mean=tuple(_kept(mean)),
        scale=tuple(_kept(scale)),
        weights=tuple(_kept(fitted.coef_[0])),
        intercept=_kept(fitted.intercept_)[0],
    )


def _platt(log_odds: np.ndarray, said: np.ndarray) -> tuple[float, float]:
    """Slope and offset that make the cross-fitted log-odds calibrated; the slope is not negative.

    With Platt's own soft targets, so that a perfect separation stays finite.
    """
    n_pass, n_fail = said.sum(), (~said).sum()
    high, low = (n_pass + 1) / (n_pass + 2), 1 / (n_fail + 2)
    target = np.where(said, high, low)
    both = np.concatenate([log_odds, log_odds])[:, None]
    answers = np.concatenate([np.ones(len(said)), np.zeros(len(said))])
    weights = np.concatenate([target, 1 - target])
    fitted = LogisticRegression(C=np.inf, max_iter=5000, tol=1e-8)
    fitted.fit(both, answers, sample_weight=weights)
    return max(_kept(fitted.coef_[0])[0], 0.0), _kept(fitted.intercept_)[0]


def _training(
    rubric: Rubric,
    known: Sequence[Lesson],
    said: np.ndarray,
    groups: np.ndarray,
    crossed: tuple[np.ndarray, float, float],
) -> Training:
    log_odds, slope, offset = crossed
    chance = 1 / (1 + np.exp(-(slope * log_odds + offset)))
    bins = np.minimum((chance * 10).astype(int), 9)
    distance = sum(abs(chance[bins == b].sum() - said[bins == b].sum()) for b in range(10))
    rows = sorted(
        sha256_of({"row": dict(lesson.row), "passes": lesson.passes, "group": lesson.group})
        for lesson in known
    )
    return Training(
        rubric=rubric.name,
        rubric_sha256=rubric.sha256,
        rows_sha256=sha256_of(rows),
        n=len(known),
        n_pass=int(said.sum()),
        n_groups=int(groups.max()) + 1,
        auroc=round(float(roc_auc_score(said, log_odds)), 4),
        brier=round(float(brier_score_loss(said, chance)), 4),
        calibration_error=round(float(distance) / len(known), 4),
    )


def _kept(values: np.ndarray) -> list[float]:
    return [float(f"{value:.{_DIGITS}g}") for value in values]
