"""Judge noise: the same outputs judged again, and what that alone does to a verdict.

A difference between two runs of one judge on identical outputs is noise by construction. Two such
runs of n rows, of which a share f flips, differ in pass rate with a standard deviation of
sqrt(f / n): the variance of a row's difference is its chance to flip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import polars as pl

from gitloop.core.gate.cells import verdicts
from gitloop.core.gate.decide import decide, judged_cells
from gitloop.core.gate.inputs import BaselineRun, GateInputs
from gitloop.core.gate.levels import LEVEL
from gitloop.errors import ExitCode
from gitloop.records import Interval
from gitloop.stats.distributions import z_value
from gitloop.stats.repeats import flip_rate


@dataclass(frozen=True, slots=True)
class RubricNoise:
    """How far a judge agrees with itself.

    Attributes:
        rubric: The rubric.
        judge: Its judge.
        is_pure: Whether the judge cannot but repeat itself; then nothing was judged again.
        n_rows: Rows with at least two verdicts.
        n_unstable: Rows whose verdicts differ.
        flip_rate: Chance that two verdicts on one output differ, [0, 1]; None without rows.
        flip_interval: Of the flip rate.
        score_sd: Standard deviation of scores within a row, [0, 0.5]; None without rows.
        noise: Difference in pass rate between two such runs that only one pair of runs in twenty
            exceeds by chance; None without rows.
        noise_floor: What the rubric says now.
        is_floor_too_low: Whether the rubric's noise floor is below the measured noise.
    """

    rubric: str
    judge: str
    is_pure: bool
    n_rows: int
    n_unstable: int
    flip_rate: float | None
    flip_interval: Interval | None
    score_sd: float | None
    noise: float | None
    noise_floor: float
    is_floor_too_low: bool


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What an A/A test says.

    Attributes:
        repeats: Judgements of each output.
        rubrics: By name.
        n_gates: Gates that compared one repetition with another.
        n_blocked: Those of them that failed, though nothing had changed.
    """

    repeats: int
    rubrics: tuple[RubricNoise, ...]
    n_gates: int
    n_blocked: int


def self_test(inputs: GateInputs, repeated: pl.DataFrame, pure: Mapping[str, bool]) -> SelfTest:
    """The noise of each judge, and how often it alone would have blocked.

    Args:
        inputs: What the gate reads.
        repeated: Scores of the same outputs, the nth judgement as replicate n, fitting
            `tables.SCORES`; pure judges once.
        pure: Rubric → whether its judge cannot but repeat itself.
    """
    judged = judged_cells(inputs)
    every = verdicts(repeated, judged.lines).filter(pl.col("status") == "ok")
    rubrics = tuple(
        _noise(inputs, name, every.filter(pl.col("rubric") == name), is_pure=pure[name])
        for name in judged.usable
        if name in pure
    )
    numbers = repeated["replicate"].unique().sort().to_list()
    runs = [_run(repeated, number, pure) for number in numbers]
    blocked = [_blocks(inputs, one, other) for one, other in pairwise(runs)]
    return SelfTest(len(numbers), rubrics, len(blocked), sum(blocked))


def _noise(inputs: GateInputs, name: str, scores: pl.DataFrame, *, is_pure: bool) -> RubricNoise:
    rows = (
        scores.group_by("item_id")
        .agg(passed=pl.col("passes").sum(), n=pl.len(), variance=pl.col("score").var(ddof=1))
        .filter(pl.col("n") >= 2)
        .sort("item_id")
    )
    rubric = inputs.rubrics[name]
    passed, trials = [int(n) for n in rows["passed"]], [int(n) for n in rows["n"]]
    flips = flip_rate(passed, trials, level=LEVEL)
    noise = variance = None
    if flips.value is not None:
        noise = z_value(LEVEL) * math.sqrt(flips.value / rows.height)
        variance = float(rows["variance"].to_numpy().mean())
    return RubricNoise(
        rubric=name,
        judge=rubric.judge,
        is_pure=is_pure,
        n_rows=rows.height,
        n_unstable=sum(0 < c < n for c, n in zip(passed, trials, strict=True)),
        flip_rate=flips.value,
        flip_interval=flips.interval,
        score_sd=math.sqrt(variance) if variance is not None else None,
        noise=noise,
        noise_floor=rubric.noise_floor,
        is_floor_too_low=noise is not None and noise > rubric.noise_floor,
    )


def _run(repeated: pl.DataFrame, number: int, pure: Mapping[str, bool]) -> pl.DataFrame:
    """One repetition as a run of its own; what pure judges said once is in every one."""
    repeats = [name for name, is_pure in pure.items() if not is_pure]
    again = pl.col("rubric").is_in(repeats)
    mine = (again & (pl.col("replicate") == number)) | (~again & (pl.col("replicate") == 0))
    return repeated.filter(mine).with_columns(replicate=pl.lit(0, pl.Int64))


def _blocks(inputs: GateInputs, one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Whether the gate blocks one repetition against another: paired checks alone."""
    report = decide(replace(inputs, scores=other, baseline=(BaselineRun(one),)))
    kinds = {"delta", "route", "cohort", "cluster"}
    return any(
        check.kind in kinds and check.exit_code == ExitCode.GATE_FAILED for check in report.checks
    )
