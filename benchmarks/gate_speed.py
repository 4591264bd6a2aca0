"""How much CPU the gate takes: the usual set, and a hundred thousand rows.

    .venv/bin/python benchmarks/gate_speed.py

The peer, in the same process on the same verdicts, is statsmodels' exact McNemar test per rubric
and slice: the tests alone, without pairing, states, intervals, corrections or a report.
"""

from __future__ import annotations

import time

import numpy as np
import polars as pl
from statsmodels.stats.contingency_tables import mcnemar

from gitloop.core.gate import (
    BaselineRun,
    GateInputs,
    as_document,
    decide,
    evidence,
    judged_cells,
)
from gitloop.params import Gate
from gitloop.reports.html import HtmlRenderer
from gitloop.tables import GOLDEN, OUTPUTS, SCORES
from tests.gate_cases import JUDGE, SHA, rubric

SIZES = ((500, 5, 4), (10_000, 5, 10), (100_000, 10, 20))
"""(rows, rubrics, cohorts)."""

ROUTES = 5


def build(n: int, n_rubrics: int, n_cohorts: int) -> GateInputs:
    """A run and its baseline: scores with three decimals, a tenth of the verdicts differing."""
    number = pl.int_range(n, eager=True)
    ids = pl.select(pl.lit("r") + number.cast(pl.String).str.zfill(6)).to_series().rename("row_id")
    names = [f"rubric{i}" for i in range(n_rubrics)]
    labels = [{"rubric": name, "expected": "fail"} for name in names]
    golden = pl.DataFrame({"row_id": ids}).with_columns(
        set=pl.lit("support"),
        split=pl.lit("train"),
        input=pl.col("row_id"),
        labels=pl.Series([labels] * n, dtype=GOLDEN.schema["labels"]),
        annotators=pl.concat_list(pl.lit("a")),
        guidance_version=pl.lit("1"),
        source_trace_id=pl.col("row_id"),
        source_feedback_ids=pl.concat_list(pl.lit("f")),
        group_id=pl.col("row_id"),
        route=pl.lit("route") + (number % ROUTES).cast(pl.String),
        user_cohort=pl.lit("cohort") + (number % n_cohorts).cast(pl.String),
        promoted_in=pl.lit("p"),
    )
    outputs = golden.select(
        item_id="row_id", set="set", output="input", group_id="group_id"
    ).with_columns(replicate=pl.lit(0, pl.Int64), status=pl.lit("ok"))
    outputs = OUTPUTS.order(OUTPUTS.complete(outputs))
    return GateInputs(
        golden=GOLDEN.order(GOLDEN.complete(golden)),
        outputs=outputs,
        scores=_scores(ids, names, 1),
        rubrics={name: rubric(name, floor=0.3) for name in names},
        policy=Gate(),
        max_error_rate=0.02,
        baseline=(BaselineRun(_scores(ids, names, 2), outputs),),
    )


def _scores(ids: pl.Series, names: list[str], seed: int) -> pl.DataFrame:
    """Scores around each row's own level."""
    rng, level = np.random.default_rng(seed), np.random.default_rng(0)
    frames = []
    for name in names:
        scores = np.clip(level.random(ids.len()) + rng.normal(0, 0.08, ids.len()), 0, 1).round(3)
        frame = pl.DataFrame({"item_id": ids, "score": scores}).with_columns(
            rubric=pl.lit(name),
            rubric_version=pl.lit("1"),
            rubric_sha256=pl.lit(SHA),
            judge=pl.lit(JUDGE),
            replicate=pl.lit(0, pl.Int64),
            status=pl.lit("ok"),
        )
        frames.append(frame)
    return SCORES.order(SCORES.complete(pl.concat(frames)))


def _peer(inputs: GateInputs) -> None:
    """Every McNemar test that the gate makes, by statsmodels."""
    cells = judged_cells(inputs).cells
    slices = [cells, *cells.partition_by("route"), *cells.partition_by("user_cohort")]
    for rows in slices:
        for mine in rows.partition_by("rubric"):
            worse = mine.filter(pl.col("verdict") < pl.col("baseline")).height
            better = mine.filter(pl.col("verdict") > pl.col("baseline")).height
            mcnemar([[0, worse], [better, 0]], exact=True)


def main() -> None:
    """Print a line per size: CPU seconds of the core, the report, and the peer's tests."""
    print(
        f"{'rows':>8}{'rubrics':>9}{'cohorts':>9}{'checks':>8}{'decide s':>10}{'report s':>10}",
        end="",
    )
    print(f"{'McNemar s':>11}{'ratio':>8}")
    for n, n_rubrics, n_cohorts in SIZES:
        inputs = build(n, n_rubrics, n_cohorts)
        start = time.process_time()
        judged = judged_cells(inputs)
        report = decide(inputs, judged)
        decided = time.process_time()
        value = as_document(report) | {"evidence": evidence(inputs, report, judged)}
        HtmlRenderer().render(value)
        rendered = time.process_time()
        _peer(inputs)
        peer = time.process_time() - rendered
        ratio = (decided - start) / peer
        print(f"{n:>8}{n_rubrics:>9}{n_cohorts:>9}{len(report.checks):>8}", end="")
        print(f"{decided - start:>10.2f}{rendered - decided:>10.2f}{peer:>11.2f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
