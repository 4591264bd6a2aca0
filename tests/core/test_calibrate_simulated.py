"""Calibration of simulated judges, whose truth is known: intervals cover, useless is useless."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from gitloop.core.calibrate.doubts import USELESS_P
from gitloop.core.calibrate.intervals import objective_interval
from gitloop.core.calibrate.sweeping import Fitted, Rows, resample, sweep_rows
from gitloop.params import Calibrate
from gitloop.stats.calibration import discrimination
from gitloop.stats.thresholds import Draws

JUDGES = {"plain": (0.5, 1.5, 0), "skewed": (0.85, 1.3, 0), "plateaued": (0.6, 1.2, 4)}
"""Kind → share of passes, standardised distance of passes from fails, levels of the score."""


def simulate(judge: tuple[float, float, int], n: int, generator: np.random.Generator) -> Rows:
    """Rows of one simulated judge."""
    prevalence, gap, levels = judge
    passed = generator.random(n) < prevalence
    noise = generator.normal(size=n) + np.where(passed, gap, -gap) / 2
    judged = 1 / (1 + np.exp(-1.2 * noise))
    scores = np.round(judged * levels) / levels if levels else judged.round(6)
    return Rows(scores, passed, [str(row) for row in range(n)])


def fitted(rows: Rows, calibrate: Calibrate, seed: int) -> tuple[Fitted, Draws]:
    """The sweep of the rows with its resamples."""
    draws = Draws(calibrate.bootstraps, seed)
    return resample(rows, sweep_rows(rows, calibrate), calibrate, draws), draws


def both_classes(judge: tuple[float, float, int], n: int, seed: int) -> Iterator[Rows]:
    """Endless simulated sets of rows of which people pass some and fail some."""
    generator = np.random.default_rng(seed)
    while True:
        rows = simulate(judge, n, generator)
        if 0 < rows.labels.sum() < n:
            yield rows


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["balanced_accuracy", "f1"])
def test_the_interval_covers_the_true_optimum(objective: Any) -> None:  # noqa: ANN401 -- a literal
    """Over judges with 50 and 100 rows, 95 % intervals cover what the best line would give."""
    calibrate = Calibrate(objective=objective, bootstraps=200)
    covered = []
    for kind, judge in JUDGES.items():
        truth = sweep_rows(simulate(judge, 200_000, np.random.default_rng(1)), calibrate).value
        assert truth is not None
        for n in (50, 100):
            sets = both_classes(judge, n, seed=len(kind))
            for seed in range(60):
                rows = next(sets)
                interval = objective_interval(rows, *fitted(rows, calibrate, seed))
                assert interval is not None
                covered.append(interval.low <= truth <= interval.high)
    assert 0.92 <= np.mean(covered) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 50, 100])
def test_a_useless_judge_is_called_useless(n: int) -> None:
    """Of judges whose scores say nothing, at least 95 % are called useless."""
    sets = both_classes((0.9, 0.0, 0), n, seed=n)
    drawn = [next(sets) for _ in range(400)]
    found = [discrimination(rows.scores, rows.labels).p_useless for rows in drawn]
    assert np.mean([p is not None and p > USELESS_P for p in found]) >= 0.95


def test_a_perfect_judge_of_fifty_rows_is_not_certain() -> None:
    """Fifty rows without a mistake leave room for mistakes among the next fifty."""
    rows = Rows(
        np.repeat([0.2, 0.8], 25), np.repeat([False, True], 25), [str(n) for n in range(50)]
    )
    interval = objective_interval(rows, *fitted(rows, Calibrate(bootstraps=500), 0))
    assert interval is not None
    assert 0.9 < interval.low < 0.99
    assert interval.high == pytest.approx(1.0, abs=1e-3)


def test_rows_that_repeat_each_other_count_once() -> None:
    """Ten copies of each row leave the interval as wide as the rows alone make it."""
    rows = next(both_classes((0.6, 1.0, 0), 60, seed=3))
    copies = Rows(np.tile(rows.scores, 10), np.tile(rows.labels, 10), rows.groups * 10)
    calibrate = Calibrate(bootstraps=500)
    one = objective_interval(rows, *fitted(rows, calibrate, 0))
    ten = objective_interval(copies, *fitted(copies, calibrate, 0))
    assert one is not None
    assert ten is not None
    assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.25)


@pytest.mark.parametrize("objective", ["cost", "precision_at_recall", "mcc", "kappa", "accuracy"])
def test_every_objective_has_an_interval(objective: Any) -> None:  # noqa: ANN401 -- a literal
    """The interval holds the in-sample value and stays below the objective's best."""
    rows = next(both_classes((0.6, 1.5, 0), 80, seed=4))
    found, draws = fitted(rows, Calibrate(objective=objective, bootstraps=300), 0)
    interval = objective_interval(rows, found, draws)
    assert interval is not None
    assert found.swept.value is not None
    assert interval.low < found.swept.value <= interval.high + 0.02
    assert interval.high <= (0.0 if objective == "cost" else 1.0)
