"""Position bias: whether the order in which a judge is shown a row decides."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gitloop.records import Interval, Threshold
from gitloop.stats.intervals import wilson_interval
from gitloop.stats.paired import mcnemar, sign_flip, tango_interval

MEANT = 0.05
"""Level below which an order is said to matter."""

_DIGITS = 9


@dataclass(frozen=True, slots=True)
class OrderBias:
    """One judge on rows as they are shown, and in the opposite order.

    Attributes:
        rubric: The rubric.
        judge: The judge, as in the scores table.
        judge_sha256: Digest of the rubric's content and the judge's whole pin.
        n: Rows with a score in both orders.
        n_failed: Rows without a score in the opposite order; left out, and counted.
        n_flips: Rows whose verdict depends on the order.
        flip_rate: `n_flips` / `n`; the judge's own noise is part of it.
        flip_interval: Wilson's, of it.
        pass_as_shown: Share that passes in the order of the rubric.
        pass_reversed: Share that passes in the opposite order.
        gap: `pass_reversed` minus `pass_as_shown`.
        gap_interval: Tango's, of it.
        p: That the order moves neither verdicts (McNemar) nor scores (sign-flip); Bonferroni.
        is_biased: Whether it surely moves one of them.
    """

    rubric: str
    judge: str
    judge_sha256: str
    n: int
    n_failed: int
    n_flips: int
    flip_rate: float
    flip_interval: Interval
    pass_as_shown: float
    pass_reversed: float
    gap: float
    gap_interval: Interval
    p: float
    is_biased: bool


def order_bias(judged: pl.DataFrame, calibrated: Threshold) -> OrderBias | None:
    """The position bias of a judge; None where no row has a score in both orders.

    Args:
        judged: Columns trace_id, route, shown (score in the rubric's order), turned (score in the
            opposite one, null where there is none).
        calibrated: Where scores pass.
    """
    rows = judged.drop_nulls("turned")
    n = rows.height
    if not n:
        return None
    pairs = [
        (calibrated.passes(shown, route), calibrated.passes(turned, route))
        for shown, turned, route in rows.select("shown", "turned", "route").iter_rows()
    ]
    n_lost = sum(shown and not turned for shown, turned in pairs)
    n_won = sum(turned and not shown for shown, turned in pairs)
    gaps = (rows["turned"] - rows["shown"]).round(_DIGITS).to_numpy()
    p = min(1.0, 2.0 * min(mcnemar(n_lost, n_won)[1], sign_flip(gaps).p_two_sided))
    return OrderBias(
        rubric=calibrated.rubric,
        judge=calibrated.judge,
        judge_sha256=calibrated.judge_sha256,
        n=n,
        n_failed=judged.height - n,
        n_flips=n_lost + n_won,
        flip_rate=(n_lost + n_won) / n,
        flip_interval=wilson_interval(n_lost + n_won, n),
        pass_as_shown=sum(shown for shown, _ in pairs) / n,
        pass_reversed=sum(turned for _, turned in pairs) / n,
        gap=(n_won - n_lost) / n,
        gap_interval=tango_interval(n_lost, n_won, n),
        p=p,
        is_biased=p < MEANT,
    )
