"""Whether a judge is still the judge that was calibrated: its anchors, judged then and now.

The recorded judgement, and two new draws. The second draw is there because judges are noisy: how
often two draws of today differ says how much of "then differs from now" is nothing but that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from gitloop.records import Interval, Threshold
from gitloop.stats.agreement import Agreement, cohen_kappa
from gitloop.stats.homogeneity import Homogeneity, OddOneOut, odd_one_out, stuart_maxwell
from gitloop.stats.intervals import wilson_interval
from gitloop.stats.paired import sign_flip

MOST_GRADES = 10
"""Scores of a judge that gives more different ones are compared as pass and fail."""

FEW_ANCHORS = 20
"""With fewer, only a very different judge shows."""

_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Flip:
    """An anchor whose verdict is another one now.

    Attributes:
        trace_id: The anchor.
        before: The recorded score, [0, 1].
        now: The new score, [0, 1].
        reason: The judge's reason now, or None.
    """

    trace_id: str
    before: float
    now: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class Drift:
    """One judge on its anchors, then and now.

    Attributes:
        rubric: The rubric.
        judge: The judge, as in the scores table.
        judge_sha256: Digest of the rubric's content and the judge's whole pin.
        n: Anchors that were judged then and now.
        n_failed: Anchors without a new judgement; they are left out, and counted.
        flips: Anchors whose verdict changed, by trace id.
        flip_rate: `len(flips)` / `n`.
        flip_interval: Wilson's, of it.
        n_noise: Anchors on which two new draws differ; None for a judge that has no second draw.
        kappa: Of the recorded and the new verdicts.
        pass_before: Share of anchors that passed then.
        pass_now: Share that passes now.
        mean_before: Mean score then.
        mean_now: Mean score now.
        shift: Whether verdicts, or grades of an ordinal rubric, are given equally often.
        p_scores: Two-sided, that scores moved neither up nor down.
        odd: Whether the recorded verdict stands alone against two new ones; None without a second.
        p: Bonferroni's combination; for a judge without noise 0 as soon as one score changed.
        alpha: What `p` is compared with.
        has_changed: Whether the judge is another one than was calibrated.
    """

    rubric: str
    judge: str
    judge_sha256: str
    n: int
    n_failed: int
    flips: tuple[Flip, ...]
    flip_rate: float
    flip_interval: Interval
    n_noise: int | None
    kappa: Agreement
    pass_before: float
    pass_now: float
    mean_before: float
    mean_now: float
    shift: Homogeneity
    p_scores: float
    odd: OddOneOut | None
    p: float
    alpha: float
    has_changed: bool


def drift(judged: pl.DataFrame, calibrated: Threshold, scale: str, alpha: float) -> Drift | None:
    """How the judge judges its anchors now; None where no anchor has a new judgement.

    Args:
        judged: One row per anchor: trace_id, route, before (recorded score), now, again (second
            draw; null throughout for a judge without noise), reason. A null `now` is a failure.
        calibrated: Where scores pass.
        scale: The rubric's: "binary", "continuous" or "ordinal".
        alpha: Chance of calling an unchanged judge changed.
    """
    is_noisy = judged["again"].null_count() < judged.height
    needed = ["now", "again"] if is_noisy else ["now"]
    rows = judged.drop_nulls(needed).sort("trace_id")
    n = rows.height
    if not n:
        return None
    before, now, again = (_verdicts(rows, name, calibrated) for name in ("before", "now", "again"))
    flips = _flips(rows, before, now)
    gaps = (rows["now"] - rows["before"]).round(_DIGITS).to_numpy()
    p_scores = sign_flip(gaps).p_two_sided
    shift = stuart_maxwell(_table(rows, before, now, scale))
    odd = odd_one_out(before, now, again) if is_noisy else None
    p = min(1.0, 3.0 * min(p_scores, shift.p, odd.p)) if odd else float(not np.any(gaps))
    return Drift(
        rubric=calibrated.rubric,
        judge=calibrated.judge,
        judge_sha256=calibrated.judge_sha256,
        n=n,
        n_failed=judged.height - n,
        flips=flips,
        flip_rate=len(flips) / n,
        flip_interval=wilson_interval(len(flips), n),
        n_noise=sum(one != two for one, two in zip(now, again, strict=True)) if odd else None,
        kappa=cohen_kappa(before, now, categories=("fail", "pass")),
        pass_before=before.count("pass") / n,
        pass_now=now.count("pass") / n,
        mean_before=float(rows["before"].to_numpy().mean()),
        mean_now=float(rows["now"].to_numpy().mean()),
        shift=shift,
        p_scores=p_scores,
        odd=odd,
        p=p,
        alpha=alpha,
        has_changed=p < alpha,
    )


def _verdicts(rows: pl.DataFrame, column: str, calibrated: Threshold) -> list[str]:
    return [
        "pass" if score is not None and calibrated.passes(score, route) else "fail"
        for score, route in rows.select(column, "route").iter_rows()
    ]


def _flips(rows: pl.DataFrame, before: Sequence[str], now: Sequence[str]) -> tuple[Flip, ...]:
    told = rows.select("trace_id", "before", "now", "reason").iter_rows()
    return tuple(
        Flip(*row) for row, then, later in zip(told, before, now, strict=True) if then != later
    )


def _table(
    rows: pl.DataFrame, before: Sequence[str], now: Sequence[str], scale: str
) -> list[list[int]]:
    """Anchors per (then, now): by grade where the rubric has grades, else by verdict."""
    then: Sequence[object] = before
    later: Sequence[object] = now
    grades = sorted({round(score, _DIGITS) for name in ("before", "now") for score in rows[name]})
    if scale == "ordinal" and len(grades) <= MOST_GRADES:
        then, later = (
            [round(score, _DIGITS) for score in rows[name]] for name in ("before", "now")
        )
    used = sorted({*then, *later}, key=str)
    places = {value: place for place, value in enumerate(used)}
    table = [[0] * len(used) for _ in used]
    for one, other in zip(then, later, strict=True):
        table[places[one]][places[other]] += 1
    return table
