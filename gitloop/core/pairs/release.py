"""What a tuned model is held to beyond the gate: the holdout, the averages, and the vetoes.

A weight change is slower to take back than a prompt. So a rubric with a veto may not lose what the
others gain; an observed loss beyond its noise floor is enough, significant or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.errors import ExitCode
from gitloop.params import Release
from gitloop.records import Check, Interval
from gitloop.stats.distributions import z_value
from gitloop.stats.intervals import mean_interval, wilson_interval
from gitloop.stats.paired import PairedResult, paired_binary, paired_graded
from gitloop.stats.power import Plan, mde_from_se

LEVEL = 0.95
HOLDOUT = "holdout pairs"

Given = Mapping[str, tuple[float, float] | None]
"""pair_id → what a model gives chosen and rejected; None where it gave no number."""


@dataclass(frozen=True, slots=True)
class Preferred:
    """Which answers of the holdout two models prefer.

    Attributes:
        pairs: Rows of `tables.PAIRS` of the holdout.
        base: What the base model gives both answers.
        tuned: What the tuned model gives them.
    """

    pairs: Sequence[Mapping[str, Any]]
    base: Given
    tuned: Given


def holdout_checks(
    preferred: Preferred, policy: Release, *, alpha: float, max_error_rate: float
) -> list[Check]:
    """The tuned model's accuracy on the holdout against the floor, and against the base model.

    A model is right about a pair when it gives the chosen answer more than the rejected one; a tie
    is not right. Pairs of one group are not independent, and count so. Both are held against
    `alpha`, which is less at every further look at one holdout (`storage.looks`).

    Args:
        preferred: Which answers the two models prefer.
        policy: Floor and least number of pairs.
        alpha: Level of this look.
        max_error_rate: Share of pairs without a number above which there is no verdict.
    """
    both = [
        pair
        for pair in preferred.pairs
        if preferred.base.get(pair["pair_id"]) and preferred.tuned.get(pair["pair_id"])
    ]
    n_lost = len(preferred.pairs) - len(both)
    found = []
    if n_lost:
        found.append(_lost(n_lost, len(preferred.pairs), max_error_rate))
    tuned = [_is_right(preferred.tuned[pair["pair_id"]]) for pair in both]
    base = [_is_right(preferred.base[pair["pair_id"]]) for pair in both]
    groups = [pair["groups"][0] for pair in both]
    if len(both) < policy.min_pairs:
        few = f"{len(both)} holdout pairs; {policy.min_pairs} are the least for a verdict"
        return [*found, _check("holdout", HOLDOUT, "error", few, n=len(both))]
    return [
        *found,
        _accuracy(tuned, groups, policy.floor, alpha),
        _ahead(base, tuned, groups, alpha),
    ]


def _is_right(given: tuple[float, float] | None) -> float:
    return 1.0 if given is not None and given[0] > given[1] else 0.0


def _lost(n: int, total: int, max_error_rate: float) -> Check:
    rate = n / total
    what = f"{n} of {total} holdout pairs have no number of both models"
    outcome = "error" if rate > max_error_rate else "warn"
    return _check("errors", HOLDOUT, outcome, what, n=total, observed=rate, bound=max_error_rate)


def _accuracy(tuned: Sequence[float], groups: Sequence[str], floor: float, alpha: float) -> Check:
    n, rate = len(tuned), sum(tuned) / len(tuned)
    interval = _interval(tuned, groups, level=max(LEVEL, 1.0 - alpha))
    told = f"{100 * rate:.1f} % of {n} pairs, floor {100 * floor:.1f} %"
    outcome = "fail" if rate < floor else "pass"
    if outcome == "pass" and interval is not None and interval.low < floor:
        outcome, told = "inconclusive", f"{told}: the interval reaches below the floor"
    return _check(
        "holdout",
        HOLDOUT,
        outcome,
        told,
        n=n,
        n_groups=len(set(groups)),
        observed=rate,
        bound=floor,
        effect=rate - floor,
        interval=interval,
        method=interval.method if interval else "none",
    )


def _interval(values: Sequence[float], groups: Sequence[str], level: float) -> Interval | None:
    if len(set(groups)) == len(groups):
        return wilson_interval(int(sum(values)), len(values), level=level)
    return mean_interval(list(values), groups=groups, level=level)


def _ahead(
    base: Sequence[float], tuned: Sequence[float], groups: Sequence[str], alpha: float
) -> Check:
    """Whether the tuned model is right about more pairs than the base model."""
    result = paired_binary(list(base), list(tuned), groups=groups, level=LEVEL)
    outcome, told = _ahead_or_not(result, alpha, "pairs")
    return _paired("ahead", (outcome, told), result, alpha)


def gain_check(cells: pl.DataFrame, *, alpha: float, seed: int) -> Check:
    """Whether the tuned model's rubric scores are better on average over all rows and rubrics.

    Args:
        cells: Columns row_id, group, score, baseline_score; one line per row and usable rubric.
        alpha: Level of the comparison.
        seed: Of the sign flips.
    """
    both = cells.drop_nulls(["score", "baseline_score"])
    rows = (
        both.group_by("row_id", "group")
        .agg(pl.col("score").sort().mean(), pl.col("baseline_score").sort().mean())
        .sort("row_id")
    )
    if rows.is_empty():
        return _check("gain", None, "error", "no golden row has a score of both models")
    result = paired_graded(
        rows["baseline_score"].to_list(),
        rows["score"].to_list(),
        groups=rows["group"].to_list(),
        level=LEVEL,
        seed=seed,
    )
    return _paired("gain", _ahead_or_not(result, alpha, "rows"), result, alpha)


def _ahead_or_not(result: PairedResult, alpha: float, what: str) -> tuple[str, str]:
    effect = result.effect or 0.0
    told = f"{_points(effect)} on {result.n} {what}"
    told += f" ({result.n_worse} worse, {result.n_better} better)"
    if effect <= 0.0:
        return "fail", f"{told}: the tuned model is not ahead of the base"
    p_better = _p_better(result)
    if p_better is None or p_better > alpha:
        return "inconclusive", f"{told}: ahead, but not beyond chance"
    return "pass", told


def _p_better(result: PairedResult) -> float | None:
    """One-sided p against "not better", from the two-sided one; the effect is above 0."""
    return None if result.p_two_sided is None else result.p_two_sided / 2.0


def veto_checks(
    cells: pl.DataFrame,
    rubrics: Sequence[str],
    noise: Mapping[str, float],
    *,
    alpha: float,
    seed: int,
) -> list[Check]:
    """One check per rubric that vetoes: refusal, grounding, whatever must not be traded.

    An observed loss beyond the noise floor vetoes, and so does a smaller one that is beyond chance
    on this rubric alone: nothing is forgiven for being one of many tests. A rubric without a
    verdict vetoes too.

    Args:
        cells: Columns row_id, rubric, group, verdict, baseline; usable rubrics only.
        rubrics: The rubrics that veto.
        noise: Rubric → smallest difference in pass rate that means anything.
        alpha: Level of each.
        seed: Of the sign flips.
    """
    return [_veto(cells, rubric, noise.get(rubric, 0.0), alpha, seed) for rubric in sorted(rubrics)]


def _veto(cells: pl.DataFrame, rubric: str, noise: float, alpha: float, seed: int) -> Check:
    own = cells.filter(pl.col("rubric") == rubric).drop_nulls(["verdict", "baseline"])
    own = own.sort("row_id")
    if own.is_empty():
        told = "no golden row has a verdict of both models, so nothing rules a loss out"
        return _check("veto", rubric, "error", told)
    before, after = own["baseline"].to_list(), own["verdict"].to_list()
    result = paired_graded(before, after, groups=own["group"].to_list(), level=LEVEL, seed=seed)
    effect = result.effect or 0.0
    told = f"{_points(effect)} on {result.n} rows ({result.n_worse} worse)"
    low = result.interval.low if result.interval else -1.0
    p = result.p_worse
    if effect < -noise or (effect < 0.0 and p is not None and p <= alpha):
        outcome = ("fail", f"{told}: a loss on {rubric} is not traded for any gain")
    elif low < -noise and effect < 0.0:
        outcome = ("inconclusive", f"{told}: a loss beyond the noise floor is not ruled out")
    else:
        outcome = ("pass", told)
    return _paired("veto", outcome, result, alpha, rubric=rubric, bound=noise)


def _paired(
    kind: str,
    found: tuple[str, str],
    result: PairedResult,
    alpha: float,
    *,
    rubric: str | None = None,
    bound: float = 0.0,
) -> Check:
    outcome, message = found
    mde = None
    if result.interval is not None:
        se = (result.interval.high - result.interval.low) / (2.0 * z_value(LEVEL))
        mde = mde_from_se(se, result.n, kind, plan=Plan(alpha=alpha, sides=1)).effect
    return Check(
        kind,
        rubric,
        HOLDOUT if kind == "ahead" else None,
        outcome,
        _code(outcome),
        message,
        n=result.n,
        n_groups=result.n_groups,
        n_discordant=result.n_worse + result.n_better,
        observed=result.candidate_mean,
        baseline=result.baseline_mean,
        bound=bound,
        effect=result.effect,
        interval=result.interval,
        p=result.p_worse if kind == "veto" else _p_better(result),
        mde=mde,
        method=result.method,
    )


def _check(
    kind: str,
    rubric: str | None,
    outcome: str,
    message: str,
    **figures: Any,  # noqa: ANN401 -- further fields of Check
) -> Check:
    """A check of one rubric, or of the holdout where `rubric` is `HOLDOUT`."""
    of_holdout = rubric == HOLDOUT
    return Check(
        kind,
        None if of_holdout else rubric,
        HOLDOUT if of_holdout else None,
        outcome,
        _code(outcome),
        message,
        **figures,
    )


def _code(outcome: str) -> int:
    return int(
        {
            "pass": ExitCode.OK,
            "fail": ExitCode.GATE_FAILED,
            "error": ExitCode.DATA,
        }.get(outcome, ExitCode.WARNINGS)
    )


def _points(effect: float) -> str:
    sign = "−" if effect < 0 else "+" if effect > 0 else "±"
    return f"{sign}{abs(100 * effect):.1f} points"


def is_number(value: Any) -> bool:  # noqa: ANN401 -- JSON holds anything
    """Whether a model gave a number that can be compared."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and math.isfinite(value)
