"""What repeated trials of the same task say: pass^k, pass@k, and how often a verdict flips."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gitloop.errors import ConfigError, DataError
from gitloop.records import Interval
from gitloop.stats.distributions import (
    FloatArray,
    mean_bounds,
    mean_estimate,
    wilson_bounds,
    z_value,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class RepeatRate:
    """A rate over tasks, each tried several times.

    Attributes:
        name: "pass^k", "pass@k" or "flip-rate", with k filled in.
        value: In [0, 1]; None when no task has enough trials.
        interval: Student's t over tasks, zero-variance bounds, or Wilson's.
        n_tasks: Tasks with enough trials.
        n_skipped: Tasks with too few.
    """

    name: str
    value: float | None
    interval: Interval | None
    n_tasks: int
    n_skipped: int


def pass_hat_k(
    successes: Sequence[int], trials: Sequence[int], k: int, *, level: float = 0.95
) -> RepeatRate:
    """Return pass^k: the chance that k trials of a task all pass (Yao et al. 2024, tau-bench).

    The mean over tasks of C(successes, k) / C(trials, k), which is unbiased.

    Args:
        successes: Per task.
        trials: Per task; a task with fewer than k is counted in `n_skipped`.
        k: At least 1.
        level: Coverage of the interval over tasks.
    """
    pairs, skipped = _tasks(successes, trials, k)
    chances = [math.comb(c, k) / math.comb(n, k) for c, n in pairs]
    return _over_tasks(f"pass^{k}", chances, skipped, level)


def pass_at_k(
    successes: Sequence[int], trials: Sequence[int], k: int, *, level: float = 0.95
) -> RepeatRate:
    """Return pass@k: the chance that one of k trials passes (Chen et al. 2021, HumanEval)."""
    pairs, skipped = _tasks(successes, trials, k)
    chances = [1.0 - math.comb(n - c, k) / math.comb(n, k) for c, n in pairs]
    return _over_tasks(f"pass@{k}", chances, skipped, level)


def flip_rate(
    successes: Sequence[int], trials: Sequence[int], *, level: float = 0.95
) -> RepeatRate:
    """Return the chance that two verdicts on the same row differ, from A/A runs.

    The mean over rows of the share of pairs of trials that disagree; Wilson's interval when every
    row has two trials, else Student's t over rows.

    Args:
        successes: Passing verdicts per row.
        trials: Verdicts per row; a row with fewer than two is counted in `n_skipped`.
        level: Coverage of the interval.
    """
    pairs, skipped = _tasks(successes, trials, 2)
    chances = [2.0 * c * (n - c) / (n * (n - 1)) for c, n in pairs]
    if pairs and all(n == 2 for _, n in pairs):
        flips = round(sum(chances))
        low, high = wilson_bounds(flips, len(pairs), z_value(level))
        interval = Interval(low, high, level, "wilson")
        return RepeatRate("flip-rate", flips / len(pairs), interval, len(pairs), skipped)
    return _over_tasks("flip-rate", chances, skipped, level)


def _tasks(
    successes: Sequence[int], trials: Sequence[int], k: int
) -> tuple[list[tuple[int, int]], int]:
    """Return the (successes, trials) of tasks with at least k trials, and how many have fewer."""
    if k < 1:
        raise ConfigError(f"k must be at least 1, not {k}")
    if len(successes) != len(trials):
        raise DataError(f"{len(successes)} counts of successes for {len(trials)} tasks")
    pairs = [(int(c), int(n)) for c, n in zip(successes, trials, strict=True)]
    for c, n in pairs:
        if not 0 <= c <= n:
            raise DataError(f"{c} of {n} is not a count")
    kept = [pair for pair in pairs if pair[1] >= k]
    return kept, len(pairs) - len(kept)


def _over_tasks(name: str, chances: list[float], skipped: int, level: float) -> RepeatRate:
    """Return the mean over tasks with its interval."""
    if not chances:
        return RepeatRate(name, None, None, 0, skipped)
    values: FloatArray = np.asarray(chances, dtype=np.float64)
    estimate = mean_estimate(values)
    low, high, method = mean_bounds(estimate, level, (0.0, 1.0))
    interval = Interval(low, high, level, method)
    return RepeatRate(name, estimate.mean, interval, len(chances), skipped)
