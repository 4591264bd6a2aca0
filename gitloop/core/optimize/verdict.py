"""The finalist of a search, and the one look that decides on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitloop.core.optimize.running import History, Trial
from gitloop.records import Interval, RowScore
from gitloop.stats.paired import paired_graded
from gitloop.stats.power import mde_paired_binary, planning_discordance


def finalist(history: History) -> Trial:
    """The best whole-validation trial; between equals the shorter prompt, then the earlier one.

    Trials with errors lose to any without. The incumbent competes, and wins every tie.
    """
    whole = [
        trial
        for trial in history.trials
        if trial.split == "val" and len(trial.rows) == len(history.trials[0].rows)
    ]
    return min(
        whole,
        key=lambda trial: (
            -(trial.mean if trial.mean is not None else -1.0),
            trial.n_errors,
            trial.number > 0,
            trial.candidate.length,
            trial.number,
        ),
    )


@dataclass(frozen=True, slots=True)
class HoldoutVerdict:
    """The one look at the holdout.

    Attributes:
        is_accepted: Whether the finalist is proposed.
        reasons: Why not, one sentence each; () when it is.
        n: Rows that both have a score for.
        incumbent_mean: Mean score of the incumbent on them, [0, 1].
        finalist_mean: Mean score of the finalist on them, [0, 1].
        gain: Finalist minus incumbent.
        interval: Of the gain, or None.
        p: One-sided, against "not better"; None where nothing could be tested.
        mde: Smallest gain that so many rows show four times in five, or None.
        fixed: Rows that only the finalist passes, sorted.
        broken: Rows that only the incumbent passes, sorted.
        cohort_gains: Cohort → mean gain on its rows.
        length_ratio: Length of the finalist's prompt over the incumbent's.
        cost_ratio: What the finalist's answers cost over what the incumbent's do, or None.
        cost_unit: "usd", "tokens" where no price is told, or "" where neither is.
    """

    is_accepted: bool
    reasons: tuple[str, ...]
    n: int
    incumbent_mean: float | None
    finalist_mean: float | None
    gain: float | None
    interval: Interval | None
    p: float | None
    mde: float | None
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    cohort_gains: dict[str, float]
    length_ratio: float = 1.0
    cost_ratio: float | None = None
    cost_unit: str = ""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a finalist must show.

    Attributes:
        alpha: Level of the paired test.
        min_delta: Least gain in mean score.
        noise_floor: Smallest difference that means anything.
        max_length_ratio: Longest prompt, in lengths of the incumbent's.
        max_cost_ratio: Dearest answers, in costs of the incumbent's.
    """

    alpha: float
    min_delta: float
    noise_floor: float
    max_length_ratio: float
    max_cost_ratio: float = math.inf


def judge_holdout(
    incumbent: Sequence[RowScore],
    found: Sequence[RowScore],
    rows: Mapping[str, tuple[str, str]],
    length_ratio: float,
    policy: Acceptance,
    weights: Mapping[str, float] | None = None,
) -> HoldoutVerdict:
    """Whether the finalist is better than the incumbent on rows that no search has seen.

    Args:
        incumbent: The incumbent's holdout scores.
        found: The finalist's, in the same order.
        rows: row_id → (group_id, user_cohort).
        length_ratio: Length of the finalist's prompt over the incumbent's.
        policy: What it must show.
        weights: row_id → what the row counts, 1 on average; None is 1 each.
    """
    raw = _scored_by_both(incumbent, found)
    counts = weights or {}
    pairs = [(row, old * counts.get(row, 1.0), new * counts.get(row, 1.0)) for row, old, new in raw]
    before, after = [old for _, old, _ in pairs], [new for _, _, new in pairs]
    groups = [rows[row_id][0] for row_id, _, _ in pairs]
    compared = paired_graded(before, after, groups=groups)
    p_better = paired_graded(after, before, groups=groups).p_worse
    fixed = sorted(row_id for row_id, old, new in raw if new == 1.0 and old < 1.0)
    broken = sorted(row_id for row_id, old, new in raw if old == 1.0 and new < 1.0)
    cohorts = _cohort_gains(pairs, rows)
    discordance = planning_discordance(len(fixed) + len(broken), len(pairs))
    cost_ratio, cost_unit = _cost_ratio(incumbent, found)
    reasons = [
        *_objections(compared.effect, p_better, policy),
        *_bounds(length_ratio, cost_ratio, policy),
        *([f"{len(incumbent) - len(pairs)} rows got no score"] if len(pairs) < len(found) else []),
        *(
            f"cohort {cohort} loses {-gain:.3f}"
            for cohort, gain in cohorts.items()
            if gain < -policy.noise_floor
        ),
    ]
    return HoldoutVerdict(
        is_accepted=not reasons,
        reasons=tuple(reasons),
        n=len(pairs),
        incumbent_mean=compared.baseline_mean,
        finalist_mean=compared.candidate_mean,
        gain=compared.effect,
        interval=compared.interval,
        p=p_better,
        mde=mde_paired_binary(len(pairs), discordance).effect,
        fixed=tuple(fixed),
        broken=tuple(broken),
        cohort_gains=cohorts,
        length_ratio=round(length_ratio, 6),
        cost_ratio=cost_ratio,
        cost_unit=cost_unit,
    )


def _scored_by_both(
    incumbent: Sequence[RowScore], found: Sequence[RowScore]
) -> list[tuple[str, float, float]]:
    return [
        (before.row_id, before.score, after.score)
        for before, after in zip(incumbent, found, strict=True)
        if before.score is not None and after.score is not None
    ]


def _objections(gain: float | None, p: float | None, policy: Acceptance) -> list[str]:
    needed = max(policy.min_delta, policy.noise_floor)
    found = []
    if gain is None:
        return ["the holdout has no row with both scores"]
    if gain <= needed:
        found.append(f"a gain of {gain:+.3f} on the holdout does not exceed {needed:.3f}")
    if p is None or p >= policy.alpha:
        shown = "untestable" if p is None else f"p = {p:.3f}"
        found.append(f"the gain is not significant ({shown}, alpha = {policy.alpha})")
    return found


def _bounds(length_ratio: float, cost_ratio: float | None, policy: Acceptance) -> list[str]:
    found = []
    if length_ratio > policy.max_length_ratio:
        found.append(f"the prompt is {length_ratio:.1f} times as long")
    if cost_ratio is not None and cost_ratio > policy.max_cost_ratio:
        found.append(f"its answers cost {cost_ratio:.1f} times as much")
    return found


def _cost_ratio(
    incumbent: Sequence[RowScore], found: Sequence[RowScore]
) -> tuple[float | None, str]:
    """What the answers cost, in dollars or else in tokens, on rows of which both sides tell it."""
    pairs = list(zip(incumbent, found, strict=True))
    dollars = [(old.cost_usd, new.cost_usd) for old, new in pairs]
    tokens = [(old.tokens, new.tokens) for old, new in pairs]
    for unit, told in (("usd", dollars), ("tokens", tokens)):
        both = [(old, new) for old, new in told if old is not None and new is not None]
        before, after = math.fsum(old for old, _ in both), math.fsum(new for _, new in both)
        if before > 0:
            return round(after / before, 6), unit
    return None, ""


def _cohort_gains(
    pairs: Sequence[tuple[str, float, float]], rows: Mapping[str, tuple[str, str]]
) -> dict[str, float]:
    gains: dict[str, list[float]] = {}
    for row_id, old, new in pairs:
        gains.setdefault(rows[row_id][1], []).append(new - old)
    return {name: round(sum(found) / len(found), 6) for name, found in sorted(gains.items())}
