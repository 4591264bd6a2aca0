"""The figures of a check: rates with intervals, paired comparisons, detectable losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from gitloop.core.gate.exchange import permute_runs
from gitloop.records import Interval
from gitloop.stats.distributions import FloatArray, mean_estimate
from gitloop.stats.intervals import mean_interval, wilson_interval
from gitloop.stats.paired import PairedResult, paired_binary, paired_graded
from gitloop.stats.power import Plan, mde_from_se, mde_paired_binary, planning_discordance


def column(rows: pl.DataFrame, name: str) -> FloatArray:
    """The column as an array; the rows are sorted, so every sum has one order."""
    return rows[name].to_numpy().astype(np.float64)


def groups(rows: pl.DataFrame) -> list[int] | None:
    """The group of each row, or None when every row is a group of its own."""
    codes = rows["group"]
    return None if codes.n_unique() == rows.height else codes.to_list()


def is_binary(values: FloatArray) -> bool:
    """Whether every value is 0 or 1."""
    return bool(np.all((values == 0.0) | (values == 1.0)))


def rate_interval(values: FloatArray, codes: list[int] | None, level: float) -> Interval | None:
    """The interval of a mean verdict: Wilson's, or CR2 and t where rows are not independent."""
    if codes is None and is_binary(values):
        return wilson_interval(int(values.sum()), values.size, level=level)
    return mean_interval(values, groups=codes, level=level)


_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison, and how much it could have shown.

    Attributes:
        result: Effect, interval and p.
        least: Smallest p_worse that these rows could have given: a check whose least is above
            alpha could not have failed.
    """

    result: PairedResult
    least: float


def compare(pairs: pl.DataFrame, *, before: str, after: str, level: float, seed: int) -> Comparison:
    """The paired comparison of two columns: McNemar, sign flips, or the permutation of runs.

    Args:
        pairs: Cells with `before`, `after`, `group` and `{after}_runs`.
        before: Column of the baseline's means.
        after: Column of this run.
        level: Coverage of the interval.
        seed: For what cannot be computed exactly.
    """
    one, two, codes = column(pairs, before), column(pairs, after), groups(pairs)
    width = int(pairs[f"{after}_runs"].list.len().max() or 0)  # type: ignore[arg-type]
    if width < 2:
        if is_binary(one) and is_binary(two):
            result = paired_binary(one, two, groups=codes, level=level)
        else:
            result = paired_graded(one, two, groups=codes, level=level, seed=seed)
        return Comparison(result, 0.5 ** _n_moved(pairs, before=before, after=after))
    then = pairs[f"{after}_runs"].list.to_array(width).to_numpy().astype(np.float64)
    tested = permute_runs(np.column_stack([two, then]), codes, seed=seed)
    difference = two - one
    result = PairedResult(
        n=pairs.height,
        n_groups=pairs.height if codes is None else len(set(codes)),
        n_worse=int((difference < -_SAME).sum()),
        n_better=int((difference > _SAME).sum()),
        baseline_mean=float(one.mean()),
        candidate_mean=float(two.mean()),
        effect=float(difference.mean()),
        p_worse=tested.p_worse,
        p_two_sided=tested.p_two_sided,
        interval=mean_interval(difference, groups=codes, level=level, bounds=(-1.0, 1.0)),
        method=tested.method,
    )
    return Comparison(result, tested.least)


def _n_moved(pairs: pl.DataFrame, *, before: str, after: str) -> int:
    """Independent groups whose sum of differences is not zero: what a flip can move."""
    moved = pairs.group_by("group").agg(by=(pl.col(after) - pl.col(before)).sum())
    return moved.filter(pl.col("by").abs() > 1e-12).height


def detectable_loss(
    pairs: pl.DataFrame, *, before: str, after: str, plan: Plan, result: PairedResult
) -> float | None:
    """The smallest loss that these pairs would show with the plan's power; None above 1."""
    if result.method.startswith("mcnemar"):
        discordance = planning_discordance(result.n_discordant, result.n)
        found = mde_paired_binary(result.n, discordance, plan=plan).effect
    else:
        difference = column(pairs, after) - column(pairs, before)
        estimate = mean_estimate(difference, groups(pairs))
        found = mde_from_se(estimate.se, result.n, "paired", plan=plan).effect
        if found is None:
            discordance = planning_discordance(0, result.n_groups)
            found = mde_paired_binary(result.n_groups, discordance, plan=plan).effect
    return found if found is not None and found <= 1.0 else None
