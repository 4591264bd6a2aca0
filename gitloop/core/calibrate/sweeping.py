"""Labelled and scored rows, swept over thresholds, resampled and cross-fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gitloop.params import Calibrate
from gitloop.stats.distributions import BoolArray, FloatArray
from gitloop.stats.thresholds import (
    CrossFit,
    Draws,
    Folds,
    Objective,
    Sweep,
    SweepBootstrap,
    SweepPolicy,
    bootstrap_sweep,
    cross_fit,
    decimal_grid,
    fold_assignment,
    observed_grid,
    sweep,
)

MOST_BEYOND = 100
"""Thresholds looked at beyond the grid, for a warning only."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The scored items as arrays, in the order of their trace ids.

    Attributes:
        scores: In [0, 1], shape (n,).
        labels: True where people pass, shape (n,).
        groups: One id per row; rows that share one are not independent.
    """

    scores: FloatArray
    labels: BoolArray
    groups: list[str]

    @property
    def n_groups(self) -> int:
        """How many independent units there are."""
        return len(set(self.groups))

    @property
    def clusters(self) -> list[str] | None:
        """The groups, or None where each row is its own: then rows are resampled, at less cost."""
        return self.groups if self.n_groups < len(self.groups) else None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A sweep, and what resampling says about it.

    Attributes:
        swept: The sweep over all rows.
        resampled: Its bootstrap.
        crossed: Its cross-fitting.
    """

    swept: Sweep
    resampled: SweepBootstrap
    crossed: CrossFit


def sweep_rows(rows: Rows, calibrate: Calibrate) -> Sweep:
    """The sweep of the rows over the grid of params.yaml, for its objective."""
    return sweep(rows.scores, rows.labels, sweep_policy(calibrate, rows.scores))


def sweep_beyond(rows: Rows, policy: SweepPolicy) -> Sweep | None:
    """The sweep over thresholds outside the policy's grid, at most `MOST_BEYOND`; None without any.

    Args:
        rows: The scored items.
        policy: What was swept.
    """
    low, high = policy.grid[0], policy.grid[-1]
    outside = [point for point in exact_grid(rows.scores) if not low <= point <= high]
    if not outside:
        return None
    step = -(-len(outside) // MOST_BEYOND)
    return sweep(rows.scores, rows.labels, replace(policy, grid=tuple(outside[::step])))


def resample(rows: Rows, swept: Sweep, calibrate: Calibrate, draws: Draws) -> Fitted:
    """The sweep with its bootstrap and its cross-fitting, groups being drawn and held out whole."""
    policy = swept.policy
    return Fitted(
        swept,
        bootstrap_sweep(rows.scores, rows.labels, policy, draws, groups=rows.clusters),
        cross_fit(
            rows.scores, rows.labels, rows.groups, policy, Folds(calibrate.folds, draws.seed)
        ),
    )


def held_out_lines(rows: Rows, fitted: Fitted, seed: int) -> FloatArray | None:
    """The threshold that was chosen without each row's fold, shape (n,); None without folds."""
    chosen = fitted.crossed.thresholds
    if not chosen or None in chosen:
        return None
    folds = fold_assignment(rows.groups, len(chosen), seed=seed)
    return np.asarray(chosen, dtype=np.float64)[folds]


def sweep_policy(calibrate: Calibrate, scores: FloatArray) -> SweepPolicy:
    """The policy in params.yaml, with its grid worked out."""
    return SweepPolicy(
        grid=_grid(calibrate.grid, scores),
        objective=Objective(
            calibrate.objective,
            cost_false_pass=calibrate.cost_ratio,
            min_recall=calibrate.min_recall,
        ),
        strict=calibrate.comparison == ">",
    )


def _grid(form: str, scores: FloatArray) -> tuple[float, ...]:
    """The thresholds to try: of "low:high:steps" the decimals, for "observed" an exact sweep.

    A single number is a line that was decided on.

    An exact sweep tries the lowest score and the middle between each two neighbours: every split
    of the rows once, with the widest margin on either side.
    """
    if form != "observed" and ":" not in form:
        return (float(form),)
    if form != "observed":
        low, high, steps = form.split(":")
        return decimal_grid(low, high, int(steps))
    return exact_grid(scores)


def exact_grid(scores: FloatArray) -> tuple[float, ...]:
    """The lowest score, and the middle between each two neighbours."""
    distinct = observed_grid(scores)
    middles = (round((low + high) / 2.0, 12) for low, high in pairwise(distinct))
    return tuple(sorted({distinct[0], *middles}))
