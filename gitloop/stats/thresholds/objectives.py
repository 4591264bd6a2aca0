"""What a threshold can be chosen for, computed from the four counts of a confusion table.

The positive class is "pass": a true positive is a row that people and judge both let pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gitloop.errors import ConfigError
from gitloop.records import Interval
from gitloop.stats.distributions import FloatArray, wilson_bounds, z_value

OBJECTIVES = (
    "f1",
    "accuracy",
    "balanced_accuracy",
    "mcc",
    "kappa",
    "cost",
    "precision_at_recall",
)


@dataclass(frozen=True, slots=True)
class Objective:
    """What to maximise.

    Attributes:
        name: One of `OBJECTIVES`.
        cost_false_pass: For "cost": the loss of a pass that people fail.
        cost_false_fail: For "cost": the loss of a fail that people pass.
        min_recall: For "precision_at_recall": the recall that a threshold must reach.
    """

    name: str = "f1"
    cost_false_pass: float = 1.0
    cost_false_fail: float = 1.0
    min_recall: float = 0.9


@dataclass(frozen=True, slots=True)
class Confusion:
    """The four counts of judge against people.

    Attributes:
        tp: Both pass.
        fp: The judge passes what people fail.
        fn: The judge fails what people pass.
        tn: Both fail.
    """

    tp: int
    fp: int
    fn: int
    tn: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of rows with Wilson's interval.

    Attributes:
        value: In [0, 1].
        interval: Of `value`.
        hits: The numerator.
        n: The denominator, at least 1.
    """

    value: float
    interval: Interval
    hits: int
    n: int


@dataclass(frozen=True, slots=True)
class ConfusionRates:
    """The usual rates of a confusion table; None where a denominator is zero.

    Attributes:
        n: Rows.
        n_positive: Rows that people pass.
        accuracy: Share of rows on which judge and people say the same.
        sensitivity: Share of people's passes that the judge passes.
        specificity: Share of people's fails that the judge fails.
        precision: Share of the judge's passes that people pass.
        base_accuracy: Accuracy of always giving the commoner label.
        f1: Harmonic mean of precision and sensitivity.
        balanced_accuracy: Mean of sensitivity and specificity.
        mcc: Matthews' correlation; 0 when judge or people use one label only.
        kappa: Cohen's kappa.
    """

    n: int
    n_positive: int
    accuracy: Rate | None
    sensitivity: Rate | None
    specificity: Rate | None
    precision: Rate | None
    base_accuracy: float | None
    f1: float | None
    balanced_accuracy: float | None
    mcc: float | None
    kappa: float | None


def confusion_rates(confusion: Confusion, *, level: float = 0.95) -> ConfusionRates:
    """Return the rates of a confusion table with their intervals."""
    tp, fp, fn, tn = confusion.tp, confusion.fp, confusion.fn, confusion.tn
    n, z = tp + fp + fn + tn, z_value(level)

    def rate(hits: int, total: int) -> Rate | None:
        if not total:
            return None
        low, high = wilson_bounds(hits, total, z)
        return Rate(hits / total, Interval(low, high, level, "wilson"), hits, total)

    def summary(name: str) -> float | None:
        counts = (np.array([float(x)]) for x in (tp, fp, fn, tn))
        value = float(objective_values(Objective(name), *counts)[0])
        return None if math.isnan(value) else value

    return ConfusionRates(
        n=n,
        n_positive=tp + fn,
        accuracy=rate(tp + tn, n),
        sensitivity=rate(tp, tp + fn),
        specificity=rate(tn, tn + fp),
        precision=rate(tp, tp + fp),
        base_accuracy=max(tp + fn, tn + fp) / n if n else None,
        f1=summary("f1"),
        balanced_accuracy=summary("balanced_accuracy"),
        mcc=summary("mcc"),
        kappa=summary("kappa"),
    )


def objective_values(
    objective: Objective, tp: FloatArray, fp: FloatArray, fn: FloatArray, tn: FloatArray
) -> FloatArray:
    """Return the objective at each confusion table, higher is better; NaN where undefined.

    Args:
        objective: What to maximise.
        tp: Any shape.
        fp: The same shape.
        fn: The same shape.
        tn: The same shape.
    """
    total = tp + fp + fn + tn
    match objective.name:
        case "f1":
            values = _ratio(2.0 * tp, 2.0 * tp + fp + fn)
        case "accuracy":
            values = _ratio(tp + tn, total)
        case "balanced_accuracy":
            values = (_ratio(tp, tp + fn) + _ratio(tn, tn + fp)) / 2.0
        case "mcc":
            root = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
            values = np.where(root > 0.0, _ratio(tp * tn - fp * fn, root), 0.0)
        case "kappa":
            chance = (tp + fp) * (tp + fn) + (fn + tn) * (fp + tn)
            values = _ratio((tp + tn) * total - chance, total**2 - chance)
        case "cost":
            loss = objective.cost_false_pass * fp + objective.cost_false_fail * fn
            values = -_ratio(loss, total)
        case "precision_at_recall":
            reached = _ratio(tp, tp + fn) >= objective.min_recall - 1e-12
            values = np.where(reached, _ratio(tp, tp + fp), math.nan)
        case _:
            raise ConfigError(f"no objective is called {objective.name!r}: {', '.join(OBJECTIVES)}")
    return values


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return the quotient, NaN where the denominator is zero."""
    out = np.full(np.shape(denominator), math.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0.0)
    return out
