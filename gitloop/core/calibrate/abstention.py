"""When the judge should not decide: too near the line, and a person is asked.

A row's confidence is its score's distance from the line. Walking from the most confident rows
down, as long as a binomial test rejects "the judge errs too often among those kept", gives a
distance with a promise (fixed-sequence testing: Bauer 1991; for judges, Trust or Escalate,
arXiv 2407.18370).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gitloop.stats.distributions import BoolArray, FloatArray, binomial_cdf

RISK = 0.1
"""Chance that the promise does not hold."""

STEPS = 20
"""Shares of rows that are tried: 1/20, 2/20, … all."""


@dataclass(frozen=True, slots=True)
class Abstention:
    """How near the line the judge abstains.

    Attributes:
        max_error: Promised: among rows that it decides, the judge errs at most this often, [0, 1].
        risk: Chance that the promise does not hold.
        distance: It abstains where |score - threshold| is smaller; None where no promise holds.
        coverage: Share of the labelled rows that it decides; 0 where no promise holds.
        n_kept: Labelled rows that it decides.
        n_errors: Wrong verdicts among them.
        reason: Why there is no distance; "" when there is one.
    """

    max_error: float
    risk: float
    distance: float | None
    coverage: float
    n_kept: int
    n_errors: int
    reason: str = ""


def abstention(confidences: FloatArray, errors: BoolArray, max_error: float) -> Abstention:
    """The smallest distance from the line from which the judge keeps the promise.

    Args:
        confidences: Distance from the line on rows that did not choose it, shape (n,), ≥ 0.
        errors: Whether the verdict is wrong, shape (n,).
        max_error: The promise, (0, 1).
    """
    n = errors.size
    order = np.argsort(-confidences, kind="stable")
    ranked, wrong = confidences[order], np.cumsum(errors[order])
    kept: tuple[float, int, int] | None = None
    for step in range(1, STEPS + 1):
        at = -(-n * step // STEPS)  # rows among the `step` most confident twentieths
        distance = float(ranked[at - 1])
        at = int(np.searchsorted(-ranked, -distance, side="right"))  # ties go together
        n_errors = int(wrong[at - 1])
        too_few = (1.0 - max_error) ** at > RISK
        if too_few:
            continue
        if binomial_cdf(n_errors, at, max_error) > RISK:
            break
        kept = (distance, at, n_errors)
    if kept is None:
        reason = (
            f"no share of {n} labelled rows shows at most {max_error:.0%} errors"
            f" with {1 - RISK:.0%} confidence"
        )
        return Abstention(max_error, RISK, None, 0.0, 0, 0, reason)
    distance, at, n_errors = kept
    return Abstention(max_error, RISK, distance, at / n, at, n_errors)
