"""Where to cut a judge's score so that its verdict agrees with people, and how sure that is.

A sweep returns the whole curve, not just its maximum; a plateau is cut in its middle; the figure
at the maximum is optimistic, and cross-fitting and the bootstrap say by how much. Thresholds are
the floats that their decimals parse to, so a score that was written as 0.6 reaches a cut at 0.6.
"""

from __future__ import annotations

from gitloop.stats.thresholds.objectives import (
    OBJECTIVES,
    Confusion,
    ConfusionRates,
    Objective,
    Rate,
    confusion_rates,
    objective_values,
)
from gitloop.stats.thresholds.resampling import (
    CrossFit,
    Draws,
    Folds,
    SweepBootstrap,
    bootstrap_sweep,
    cross_fit,
    fold_assignment,
)
from gitloop.stats.thresholds.sweeps import (
    Sweep,
    SweepPolicy,
    confusion_at,
    decimal_grid,
    observed_grid,
    passes,
    sweep,
)

__all__ = [
    "OBJECTIVES",
    "Confusion",
    "ConfusionRates",
    "CrossFit",
    "Draws",
    "Folds",
    "Objective",
    "Rate",
    "Sweep",
    "SweepBootstrap",
    "SweepPolicy",
    "bootstrap_sweep",
    "confusion_at",
    "confusion_rates",
    "cross_fit",
    "decimal_grid",
    "fold_assignment",
    "objective_values",
    "observed_grid",
    "passes",
    "sweep",
]
