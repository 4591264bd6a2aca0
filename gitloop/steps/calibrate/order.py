"""Judge labelled rows in the opposite order: does the order decide?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core import calibrate as core
from gitloop.core.calibrate import OrderBias
from gitloop.errors import DataError
from gitloop.evaluation import BoundJudge, bind_judge, call_store, judge_bound, settle_refresh
from gitloop.params import Rubric
from gitloop.protocols import Progress, silent
from gitloop.records import as_json, parse_thresholds
from gitloop.steps.calibrate.anchors import anchors, opened
from gitloop.steps.calibrate.inputs import FOLDER, cases, gather, read_traces, some_labels
from gitloop.storage.calls import CallStore
from gitloop.storage.files import read_json, write_json
from gitloop.tables import SCORES
from gitloop.workspace import Workspace

ORDER = "loop/order"
SCHEMA = "gitloop.order_bias/v1"


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What `gitloop judge bias` found.

    Attributes:
        rubrics: One per judge that was looked at, by rubric.
        skipped: Rubric → why its judge was not looked at.
        written: Files that were written, relative to the root.
    """

    rubrics: tuple[OrderBias, ...]
    skipped: dict[str, str]
    written: tuple[str, ...]


def order(
    directory: Path, *, rubrics: tuple[str, ...] = (), n_rows: int = 50, progress: Progress = silent
) -> OrderReport:
    """Show the judges labelled rows with the material and the verdicts in the opposite order.

    Calls go through the call store. What is found is written to `loop/order/`, and stands on the
    judge card.

    Args:
        directory: A directory in the repository.
        rubrics: Only these; () for all that have a calibrated threshold.
        n_rows: Labelled rows to look at, at most; the same ones every time.
        progress: Is told how far the judges are.

    Raises:
        StaleError: A rubric asked for was calibrated with other pins.
        DataError: Nothing is calibrated yet, or none of the judges sees an order.
        ApiError: More calls failed than `score.max_error_rate` allows.
    """
    workspace = Workspace(directory)
    known = workspace.read(f"{FOLDER}/scores.parquet", SCORES)
    thresholds = parse_thresholds(read_json(workspace.root / f"{FOLDER}/thresholds.json"))
    bound, skipped = opened(workspace, thresholds, rubrics)
    store = call_store(workspace, f"{FOLDER}/calls.parquet")
    found, written = [], []
    for evidence in gather(workspace, some_labels(workspace).labels, read_traces(workspace), bound):
        name = evidence.rubric
        turned = _turned(bound[name])
        if turned is None:
            skipped[name] = f"{bound[name].name} is shown a row in no order"
            continue
        rows = anchors(core.scored_items(evidence, known), n_rows)
        judged = _judged(workspace, turned, rows, (store, progress))
        one = core.order_bias(judged, thresholds[name])
        if one is None:
            skipped[name] = "no row could be judged in the opposite order"
            continue
        found.append(one)
        path = f"{ORDER}/{name}.json"
        write_json(workspace.root / path, {"schema": SCHEMA, **as_json(one)})
        written.append(path)
    settle_refresh(workspace, FOLDER, store)
    if not found:
        reasons = "\n".join(f"  {name}: {why}" for name, why in sorted(skipped.items()))
        raise DataError(f"no judge could be looked at:\n{reasons}", hint="see: gitloop judge list")
    return OrderReport(tuple(found), skipped, tuple(written))


def known_order_bias(workspace: Workspace, bound: BoundJudge) -> Mapping[str, Any]:
    """What is on record of a judge's position bias, or `reason`, why nothing is."""
    if _turned(bound) is None:
        return {"reason": "the judge is shown a row in no order"}
    path = workspace.root / ORDER / f"{bound.rubric.name}.json"
    value: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    if value.get("schema") != SCHEMA or value.get("judge_sha256") != bound.sha256:
        return {"reason": "not measured: gitloop judge bias"}
    return value


def _turned(bound: BoundJudge) -> Rubric | None:
    """The rubric in the opposite order, or None for a judge that sees none."""
    turn = getattr(bound.judge, "reordered", None)
    turned: Rubric | None = turn(bound.rubric) if turn else None
    return turned


def _judged(
    workspace: Workspace, turned: Rubric, rows: pl.DataFrame, means: tuple[CallStore, Progress]
) -> pl.DataFrame:
    """The rows with their recorded score, and the one that they get in the opposite order."""
    limit = workspace.params.score.max_error_rate
    store, progress = means
    scores = judge_bound(bind_judge(workspace, turned), cases(rows), store, limit, progress)
    new = scores.select(trace_id="item_id", turned="score")
    return rows.select("trace_id", "route", shown="score").join(new, on="trace_id", how="left")
