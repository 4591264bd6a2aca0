"""What the HTML report shows beyond gate.json: distributions, paired changes, texts of rows.

Texts of users stay out of gate.json, which Git keeps; the report is kept by DVC.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from gitloop.core.gate.decide import JudgedCells, judged_cells
from gitloop.core.gate.inputs import GateInputs
from gitloop.records import GateReport, RowTrail

N_BINS = 20
MAX_ROWS = 50


def evidence(
    inputs: GateInputs, report: GateReport, judged: JudgedCells | None = None
) -> dict[str, Any]:
    """Figures and texts for people, as JSON values.

    Args:
        inputs: What the gate read.
        report: What it said.
        judged: `judged_cells(inputs)`, where a caller has them already.

    Returns:
        `distributions`: rubric → counts of scores in `N_BINS` bins of [0, 1], now and before.
        `pairs`: rubric → counts of paired rows by their verdicts: both, lost, won, neither.
        `rows`: texts of the rows lost, won and newly failing, at most `MAX_ROWS` of each.
    """
    found = judged or judged_cells(inputs)
    cells = found.cells.filter(pl.col("rubric").is_in(found.usable))
    shown = [*report.lost[:MAX_ROWS], *report.won[:MAX_ROWS], *report.failing_new[:MAX_ROWS]]
    return {
        "distributions": {name: _distribution(cells, name) for name in found.usable},
        "pairs": {name: _pairs(cells, name) for name in found.usable},
        "rows": _texts(inputs, shown),
    }


def _distribution(cells: pl.DataFrame, rubric: str) -> dict[str, list[int]]:
    mine = cells.filter(pl.col("rubric") == rubric)
    return {
        "now": _bins(mine["score"].drop_nulls()),
        "before": _bins(mine["baseline_score"].drop_nulls()),
    }


def _bins(values: pl.Series) -> list[int]:
    places = np.floor(np.round(values.to_numpy() * N_BINS, 9)).astype(np.int64)
    return [int(n) for n in np.bincount(np.clip(places, 0, N_BINS - 1), minlength=N_BINS)]


def _pairs(cells: pl.DataFrame, rubric: str) -> dict[str, int]:
    """Paired rows by verdict, a replicated verdict counting as what most replicates say."""
    mine = cells.filter(
        (pl.col("rubric") == rubric)
        & pl.col("verdict").is_not_null()
        & pl.col("baseline").is_not_null()
    )
    before, now = mine["baseline"] >= 0.5, mine["verdict"] >= 0.5
    return {
        "both": int((before & now).sum()),
        "lost": int((before & ~now).sum()),
        "won": int((~before & now).sum()),
        "neither": int((~before & ~now).sum()),
    }


def _texts(inputs: GateInputs, trails: list[RowTrail]) -> dict[str, dict[str, Any]]:
    """Row and rubric ("row_id rubric") → its texts, outputs then and now, the judge's reason."""
    ids = sorted({trail.row_id for trail in trails})
    golden = _by_id(inputs.golden.filter(pl.col("row_id").is_in(ids)), "row_id")
    now = _by_id(_first(inputs.outputs, ids), "item_id")
    kept = [run.outputs for run in inputs.baseline if run.outputs is not None]
    before = _by_id(_first(kept[-1], ids), "item_id") if kept else {}
    reasons = {
        (row["item_id"], row["rubric"]): row["reason"]
        for row in _first(inputs.scores, ids).iter_rows(named=True)
    }
    found = {}
    for trail in trails:
        row = golden[trail.row_id]
        found[f"{trail.row_id} {trail.rubric}"] = {
            "input": row["input"],
            "context": row["context"],
            "reference": row["reference"],
            "now": now.get(trail.row_id, {}).get("output"),
            "before": before.get(trail.row_id, {}).get("output"),
            "reason": reasons.get((trail.row_id, trail.rubric)),
        }
    return found


def _first(table: pl.DataFrame, ids: list[str]) -> pl.DataFrame:
    """The first replicate of each of the items."""
    return table.filter(pl.col("item_id").is_in(ids) & (pl.col("replicate") == 0))


def _by_id(rows: pl.DataFrame, key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows.iter_rows(named=True)}
