"""Scores as verdicts: one line per golden row and rubric, replicates collapsed, errors counted.

A *cell* is a golden row under one rubric of its labels. Its value is the mean over what was drawn
for it: replicates of one row are not more rows (they would make any test too sure of itself).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from gitloop.core.gate.inputs import BaselineRun, GateInputs, GateRubric, Lines
from gitloop.errors import DataError

_DIGITS = 9  # scores are compared as decimals: 0.1 + 0.2 passes a threshold of 0.3
_KEY = ["row_id", "rubric"]


def cells(inputs: GateInputs, lines: Lines) -> pl.DataFrame:
    """One line per golden row and labelled rubric, sorted by them.

    Args:
        inputs: What the gate reads.
        lines: Where scores pass.

    Returns:
        Columns row_id, rubric, set, route, user_cohort, cluster_id, source_trace_id, group_id;
        verdict and score (means over the good replicates, null without one), n_ok, n_errors,
        n_timeouts, n_missing; baseline, baseline_score, newest (verdict in the newest run that has
        the row), verdict_runs and score_runs (one entry per baseline run, oldest first, null where
        the run does not have the row), state, same_output (whether every output equals the newest
        run's; null if unknown).

    Raises:
        DataError: A row stands in two golden sets.
    """
    wanted = _wanted(inputs.golden)
    now = _collapse(_with_failed_outputs(inputs, wanted), lines)
    then = _baseline(inputs, lines)
    same = _same_outputs(inputs)
    found = (
        wanted.join(now, on=_KEY, how="left")
        .join(then, on=_KEY, how="left")
        .join(same, on="row_id", how="left")
        .with_columns(pl.col("n_ok", "n_errors", "n_timeouts", "n_missing").fill_null(0))
    )
    state = (
        pl.when(pl.col("baseline").is_null())
        .then(pl.lit("new"))
        .when(pl.col("newest") == 1.0)
        .then(pl.lit("must_pass"))
        .otherwise(pl.lit("known_failing"))
    )
    return found.with_columns(state=state).sort(_KEY)


def _wanted(golden: pl.DataFrame) -> pl.DataFrame:
    """The cells that the golden rows' labels ask for."""
    twice = golden.filter(pl.col("row_id").is_duplicated())
    if twice.height:
        row_id, sets = twice["row_id"][0], sorted(set(twice["set"].to_list()))
        raise DataError(
            f"row {row_id} stands more than once in {', '.join(sets)}",
            hint="retire it from one of them: gitloop golden retire",
        )
    columns = ["row_id", "set", "route", "user_cohort", "cluster_id", "source_trace_id", "group_id"]
    return (
        golden.select(*columns, "labels")
        .explode("labels", empty_as_null=False, keep_nulls=False)
        .with_columns(rubric=pl.col("labels").struct.field("rubric"))
        .drop("labels")
        .unique(_KEY, keep="first", maintain_order=True)
        .with_columns(group=pl.col("group_id").rank("dense").cast(pl.Int64))
    )


def _with_failed_outputs(inputs: GateInputs, wanted: pl.DataFrame) -> pl.DataFrame:
    """The scores, and one failed score for each cell whose output failed and was never judged."""
    failed = (
        inputs.outputs.filter(pl.col("status") != "ok")
        .select(pl.col("item_id").alias("row_id"), "replicate", "status")
        .join(wanted.select(_KEY), on="row_id")
        .rename({"row_id": "item_id"})
    )
    unjudged = failed.join(inputs.scores, on=["item_id", "rubric", "replicate"], how="anti")
    needed = ["item_id", "rubric", "replicate", "status", "score"]
    return pl.concat(
        [
            inputs.scores.select(needed),
            unjudged.with_columns(score=pl.lit(None, pl.Float64)).select(needed),
        ]
    )


def verdicts(scores: pl.DataFrame, lines: Lines) -> pl.DataFrame:
    """The scores with a column `passes`: 1.0, 0.0, or null where there is no score to hold."""
    bounds = pl.DataFrame(
        [(name, *line) for name, line in lines.rubrics.items()],
        schema={"rubric": pl.String, "threshold": pl.Float64, "comparison": pl.String},
        orient="row",
    ).with_columns(strict=pl.col("comparison") == ">")
    own = lines.rows.select(pl.col("row_id").alias("item_id"), "rubric", own="threshold")
    rounded = pl.col("score").round(_DIGITS)
    line = pl.coalesce("own", "threshold").round(_DIGITS)
    above, at_least = rounded > line, rounded >= line
    passes = pl.when("strict").then(above).otherwise(at_least)
    return (
        scores.join(bounds, on="rubric", how="left")
        .join(own, on=["item_id", "rubric"], how="left")
        .with_columns(passes=pl.when(pl.col("status") == "ok").then(passes).cast(pl.Float64))
        .drop("threshold", "comparison", "strict", "own")
    )


def _collapse(scores: pl.DataFrame, lines: Lines) -> pl.DataFrame:
    """One line per item and rubric: mean verdict and score over good replicates, and counts."""
    good = pl.col("status") == "ok"
    return (
        verdicts(scores, lines)
        .group_by(pl.col("item_id").alias("row_id"), "rubric")
        .agg(
            verdict=pl.col("passes").mean().round(12),
            score=pl.col("score").filter(good).mean().round(12),
            n_ok=good.sum().cast(pl.Int64),
            n_errors=(~good).sum().cast(pl.Int64),
            n_timeouts=(pl.col("status") == "timeout").sum().cast(pl.Int64),
            n_missing=(pl.col("status") == "missing").sum().cast(pl.Int64),
        )
    )


def comparable(scores: pl.DataFrame, rubrics: Mapping[str, GateRubric]) -> pl.DataFrame:
    """The scores that the rubrics' present content and judges made."""
    pins = pl.DataFrame(
        [(rubric.name, rubric.sha256, rubric.judge) for rubric in rubrics.values()],
        schema={"rubric": pl.String, "rubric_sha256": pl.String, "judge": pl.String},
        orient="row",
    )
    return scores.join(pins, on=["rubric", "rubric_sha256", "judge"], how="semi")


def _baseline(inputs: GateInputs, lines: Lines) -> pl.DataFrame:
    """Mean verdict and score over the comparable runs, and the newest run's verdict, per cell.

    Old scores are held against the present threshold: both sides are judged alike, and a
    recalibration is no change of the application.
    """
    runs = [_run(run, inputs.rubrics, lines) for run in inputs.baseline]
    empty = {"row_id": pl.String, "rubric": pl.String, "verdict": pl.Float64, "score": pl.Float64}
    every = pl.concat([pl.DataFrame(schema=empty), *runs])
    rows = (
        every.group_by(_KEY, maintain_order=True)
        .agg(
            baseline=pl.col("verdict").mean().round(12),
            baseline_score=pl.col("score").mean().round(12),
            newest=pl.col("verdict").last(),
        )
        .sort(_KEY)
    )
    for number, run in enumerate(runs):
        named = run.select(*_KEY, pl.col("verdict", "score").name.suffix(f"_{number}"))
        rows = rows.join(named, on=_KEY, how="left", maintain_order="left")
    lists = {
        f"{name}_runs": pl.concat_list([f"{name}_{n}" for n in range(len(runs))])
        if runs
        else pl.lit(None, pl.List(pl.Float64))
        for name in ("verdict", "score")
    }
    return rows.with_columns(**lists).select(*_KEY, "baseline", "baseline_score", "newest", *lists)


def _run(run: BaselineRun, rubrics: Mapping[str, GateRubric], lines: Lines) -> pl.DataFrame:
    """The cells of one baseline run that compare with this one."""
    usable = comparable(run.scores, rubrics).filter(
        ~pl.col("item_id").is_in(sorted(run.changed_rows))
        & pl.col("rubric").is_in(list(lines.rubrics))
    )
    collapsed = _collapse(usable.select("item_id", "rubric", "status", "score"), lines)
    return collapsed.filter(pl.col("n_ok") > 0).select(*_KEY, "verdict", "score")


def _same_outputs(inputs: GateInputs) -> pl.DataFrame:
    """row_id → whether this run says the same, byte for byte, as the newest run with outputs."""
    kept = [run.outputs for run in inputs.baseline if run.outputs is not None]
    if not kept:
        return pl.DataFrame(schema={"row_id": pl.String, "same_output": pl.Boolean})
    return (
        said(inputs.outputs)
        .join(said(kept[-1]), on="row_id", suffix="_then")
        .select("row_id", same_output=pl.col("said") == pl.col("said_then"))
    )


def said(outputs: pl.DataFrame) -> pl.DataFrame:
    """row_id → everything that was answered, in order of replicates."""
    good = outputs.filter((pl.col("status") == "ok") & pl.col("output").is_not_null())
    return (
        good.sort("item_id", "replicate")
        .group_by(pl.col("item_id").alias("row_id"), maintain_order=True)
        .agg(said=pl.col("output"))
    )


def rows_of(cells: pl.DataFrame, rubrics: Sequence[str] | None = None) -> pl.DataFrame:
    """The cells that have a verdict, of these rubrics or of all."""
    judged = cells.filter(pl.col("verdict").is_not_null())
    return judged if rubrics is None else judged.filter(pl.col("rubric").is_in(list(rubrics)))
