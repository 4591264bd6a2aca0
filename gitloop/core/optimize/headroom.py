"""What there is to gain, and how much of it the holdout could show: looked at before a search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gitloop.stats.distributions import z_value
from gitloop.stats.power import mde_paired_binary
from gitloop.stats.repeats import flip_rate, pass_at_k

_LEAST_DISCORDANCE = 0.2
"""Share of rows that two prompts are taken to differ on."""
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Samples:
    """What the prompt as it is does on validation rows, over and over.

    Attributes:
        k: Answers per row.
        passed: How many of a row's answers pass, per row.
        agreed: Per row, of two judgements of its first answer, how many pass; () where no judge
            can but repeat itself.
    """

    k: int
    passed: Sequence[int]
    agreed: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Headroom:
    """Whether a search is worth its cost.

    Attributes:
        room: What the incumbent falls short of a perfect validation score, [0, 1]; None unscored.
        least: The least gain that would be proposed: min_delta, or the judges' noise if larger.
        detectable: Gain that the holdout shows four times in five; None where it can show none.
        is_worth_it: Whether the room reaches the least gain.
        k: Answers per validation row that were drawn.
        best_of_k: Chance that the best of k answers passes, [0, 1]: what the model can do when
            asked often enough. With one answer, the pass rate. None unscored.
        judge_noise: Difference in pass rate between two judgements of the same holdout answers that
            only one pair in twenty exceeds; 0 where no judge can but repeat itself.
    """

    room: float | None
    least: float
    detectable: float | None
    is_worth_it: bool
    k: int = 1
    best_of_k: float | None = None
    judge_noise: float = 0.0


def headroom_of(mean: float | None, n_holdout: int, least: float, samples: Samples) -> Headroom:
    """What there is to gain over the incumbent.

    Args:
        mean: Its mean score on the whole validation split, or None.
        n_holdout: Rows of the holdout.
        least: The least gain that would be proposed, the measured noise aside.
        samples: What it does on validation rows, over and over.
    """
    room = None if mean is None else round(1.0 - mean, 6)
    found = mde_paired_binary(n_holdout, _LEAST_DISCORDANCE)
    detectable = None if found.effect is None or found.reason else round(found.effect, 6)
    noise = judge_noise(samples.agreed, n_holdout)
    most = max(least, noise)
    best = pass_at_k(samples.passed, [samples.k] * len(samples.passed), samples.k).value
    return Headroom(
        room=room,
        least=most,
        detectable=detectable,
        is_worth_it=room is not None and room >= most,
        k=samples.k,
        best_of_k=None if best is None else round(best, 6),
        judge_noise=noise,
    )


def judge_noise(agreed: Sequence[int], n_rows: int) -> float:
    """The difference in pass rate that judging alone makes in one of twenty pairs of runs.

    Two runs over n rows of which a share f flips differ with a standard deviation of sqrt(f / n).

    Args:
        agreed: Per row, how many of two judgements of the same answer pass.
        n_rows: Rows of the runs that are to be compared.
    """
    flips = flip_rate(list(agreed), [2] * len(agreed)).value
    if flips is None or not n_rows:
        return 0.0
    return round(z_value(_LEVEL) * math.sqrt(flips / n_rows), 6)
