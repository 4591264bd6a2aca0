"""When the judge should not decide: too near the line, and a person is asked.

A row's confidence is how far its score lies from the line, which its own fold did not choose.
Two promises are kept together. Of all rows, few are decided wrongly: split conformal prediction
(Vovk et al. 2005; the set of verdicts that are not ruled out has two members, or one). Of the rows
that are decided, few are decided wrongly: walking from the most confident rows down as long as a
binomial test rejects "the judge errs too often among those kept" (fixed-sequence testing: Bauer
1991; for judges, Trust or Escalate, arXiv 2407.18370). The first alone would let a useless judge
decide a few rows by the toss of a coin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gitloop.stats.distributions import BoolArray, FloatArray, binomial_cdf

RISK = 0.1
"""Chance that the promise about decided rows does not hold."""

STEPS = 20
"""Shares of rows that are tried: 1/20, 2/20, … all."""


@dataclass(frozen=True, slots=True)
class Abstention:
    """How near the line the judge abstains.

    Attributes:
        max_error: Promised, [0, 1]: of all rows, at most this share is decided wrongly, on average
            over draws of the labels; of the rows that it decides, at most this share, but for
            `risk`.
        risk: Chance that the second promise does not hold.
        confidence: It abstains where `records.confidence` is smaller; None where no promise holds.
        conformal_confidence: The same for the first promise alone; None with fewer than
            1 / `max_error` - 1 rows.
        coverage: Share of the labelled rows that it decides; 0 where no promise holds.
        n_kept: Labelled rows that it decides.
        n_errors: Wrong verdicts among them.
        reason: Why there is no confidence; "" when there is one.
    """

    max_error: float
    risk: float
    confidence: float | None
    conformal_confidence: float | None
    coverage: float
    n_kept: int
    n_errors: int
    reason: str = ""


def abstention(confidences: FloatArray, errors: BoolArray, max_error: float) -> Abstention:
    """The least confidence from which the judge keeps both promises.

    Args:
        confidences: Of rows that did not choose the line, shape (n,), [0, 1].
        errors: Whether the verdict is wrong, shape (n,).
        max_error: The promise, (0, 1).
    """
    least = conformal_confidence(confidences, errors, max_error)
    n = errors.size
    order = np.argsort(-confidences, kind="stable")
    ranked, wrong = confidences[order], np.cumsum(errors[order])
    kept: tuple[float, int, int] | None = None
    for step in range(1, STEPS + 1):
        at = -(-n * step // STEPS)  # rows among the `step` most confident twentieths
        confidence = float(ranked[at - 1])
        if least is None or confidence < least:
            break
        at = int(np.searchsorted(-ranked, -confidence, side="right"))  # ties go together
        n_errors = int(wrong[at - 1])
        too_few = (1.0 - max_error) ** at > RISK
        if too_few:
            continue
        if binomial_cdf(n_errors, at, max_error) > RISK:
            break
        kept = (confidence, at, n_errors)
    if kept is None:
        return none_kept(max_error, _reason(n, max_error), least)
    confidence, at, n_errors = kept
    # Nothing that was seen lies nearer: it need not abstain at all.
    lowest = 0.0 if at == n else confidence
    return Abstention(max_error, RISK, lowest, least, at / n, at, n_errors)


def conformal_confidence(
    confidences: FloatArray, errors: BoolArray, max_error: float
) -> float | None:
    """The confidence from which at most `max_error` of all rows are decided wrongly; None if none.

    A row's nonconformity is its confidence where the verdict is wrong, and minus that where it is
    right; the verdict on a new row is decided unless its opposite conforms too.

    Args:
        confidences: As in `abstention`.
        errors: As in `abstention`.
        max_error: The promise, (0, 1).
    """
    n = errors.size
    rank = math.ceil(round((n + 1) * (1.0 - max_error), 9))
    if rank > n:
        return None
    quantile = float(np.sort(np.where(errors, confidences, -confidences))[rank - 1])
    if quantile < 0.0:
        return 0.0
    beyond = confidences[confidences > quantile]
    return float(beyond.min()) if beyond.size else None


def none_kept(max_error: float, reason: str, least: float | None = None) -> Abstention:
    """That no confidence keeps the promises."""
    return Abstention(max_error, RISK, None, least, 0.0, 0, 0, reason)


def _reason(n: int, max_error: float) -> str:
    return (
        f"no share of {n} labelled rows shows at most {max_error:.0%} errors"
        f" with {1 - RISK:.0%} confidence: the judge should decide nothing alone"
    )
