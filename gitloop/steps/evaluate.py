"""Golden rows, run and judged from Python: what `gitloop.evaluate` and the pytest plug-in call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.evaluate import EvaluatedRow, Evaluation
from gitloop.core.score import blamed, cases_of, outputs_of, rubrics_of, selected
from gitloop.documents import nearest
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import (
    call_store,
    judge_selected,
    judge_sha256,
    refuse_errors,
    run_target,
    settle_refresh,
    storable,
    with_outputs,
)
from gitloop.records import Answer, Threshold, parse_thresholds
from gitloop.storage.files import read_json
from gitloop.tables import GOLDEN
from gitloop.workspace import Workspace

Application = Callable[[Mapping[str, Any]], Any]
"""A golden row → what the application says; whatever is no text is an error of that row."""

_CALLS = "loop/score/calls.parquet"
_THRESHOLDS = "loop/calibrate/thresholds.json"


def load_golden(
    name: str,
    *,
    route: str | None = None,
    split: str | None = None,
    revision: str | None = None,
    directory: str | Path = ".",
) -> pl.DataFrame:
    """The rows of a golden set, fitting `tables.GOLDEN`, by row_id.

    Args:
        name: The set.
        route: Only rows of this route.
        split: Only rows of this split: "train", "val" or "holdout".
        revision: A commit, branch or tag; None is the work tree.
        directory: A directory in the repository.

    Raises:
        ConfigError: There is no such set.
        DataError: No row is left, so that a test on them would prove nothing.
    """
    workspace = Workspace(Path(directory))
    golden = workspace.golden(name, revision)
    if not golden.exists():
        found = sorted(path.parent.name for path in workspace.root.glob("golden/*/dataset.yaml"))
        like = nearest(name, found)
        raise ConfigError(
            f"there is no golden set {name}" + (f"; did you mean {like}?" if like else ""),
            hint=f"there are: {', '.join(found) or 'none'}",
        )
    rows = golden.read()
    for column, wanted in (("route", route), ("split", split)):
        if wanted is None:
            continue
        known = sorted(rows[column].drop_nulls().unique().to_list())
        rows = rows.filter(pl.col(column) == wanted)
        if rows.is_empty():
            raise DataError(
                f"golden set {name} has no row with {column} {wanted}",
                hint=f"there are: {', '.join(known) or 'none'}",
            )
    if rows.is_empty():
        raise DataError(f"golden set {name} has no rows", hint="run: gitloop promote")
    return rows


def evaluate(
    rows: pl.DataFrame,
    target: Application | None = None,
    *,
    rubrics: Sequence[str] | None = None,
    calls: str | None = None,
    directory: str | Path = ".",
) -> Evaluation:
    """The rows through the application and the judges, as `gitloop score` does it.

    Args:
        rows: Golden rows, as `load_golden` gives them.
        target: A function of the row that returns the output; None is params.yaml's target.
        rubrics: Judge every row by these; None judges each by the rubrics of its labels.
        calls: "record", "replay" or "off"; None is what params.yaml says.
        directory: A directory in the repository.

    Raises:
        ConfigError: The target, a rubric or a judge is misconfigured.
        DataError: There are no rows.
        StaleError: Mode replay, and a call was never recorded.
        ApiError: More calls failed than `score.max_error_rate` allows.
        CallTimeoutError: The same, and most were too slow.
    """
    if rows.is_empty():
        raise DataError("there are no rows to evaluate", hint="load_golden gives them")
    workspace = Workspace(Path(directory))
    rows = rows.sort("row_id")
    wanted = rubrics_of(rows)
    if rubrics is not None:
        wanted = {row_id: sorted(set(rubrics)) for row_id in wanted}
    if not any(wanted.values()):
        raise DataError("no row is labelled for any rubric", hint="name some: rubrics=[…]")
    store = call_store(workspace, _CALLS, calls)
    cases = cases_of(rows)
    if target is None:
        answers = run_target(workspace, cases, store)
    else:
        answers = [_called(target, row) for row in rows.iter_rows(named=True)]
        told = [(answer.status, answer.error) for answer in answers]
        refuse_errors("target", told, workspace.params.score.max_error_rate)
    answered = with_outputs(cases, answers)
    judged = judge_selected(workspace, selected(answered, wanted), store)
    settle_refresh(workspace, "loop/score", store)
    scores = blamed(judged, outputs_of(rows, answered, answers))
    return Evaluation(
        rows=tuple(_rows(workspace, rows, {c.item_id: c.output for c in answered}, scores)),
        n_called=store.n_misses,
        n_recorded=store.n_hits,
    )


def _called(target: Application, row: Mapping[str, Any]) -> Answer:
    """What the function says of a row; what it raises is an error of that row."""
    try:
        output = target(row)
    except Exception as error:  # noqa: BLE001 -- a user's function may raise anything
        return Answer("error", error=" ".join(f"{type(error).__name__}: {error}".split())[:500])
    if not isinstance(output, str):
        return Answer("error", error=f"the function returned {output!r:.80}, not text")
    return Answer("ok", {"output": storable(output)})


def _rows(
    workspace: Workspace,
    rows: pl.DataFrame,
    outputs: Mapping[str, str | None],
    scores: pl.DataFrame,
) -> list[EvaluatedRow]:
    lines = {name: _line(workspace, name) for name in scores["rubric"].unique()}
    by_item: dict[str, list[dict[str, Any]]] = {}
    for score in scores.iter_rows(named=True):
        by_item.setdefault(score["item_id"], []).append(score)
    found = []
    for row in GOLDEN.order(rows).iter_rows(named=True):
        own = by_item.get(row["row_id"], [])
        found.append(
            EvaluatedRow(
                row_id=row["row_id"],
                input=row["input"],
                output=outputs[row["row_id"]],
                route=row["route"],
                user_cohort=row["user_cohort"],
                split=row["split"],
                scores={one["rubric"]: one["score"] for one in own},
                passed={
                    one["rubric"]: one["score"] is not None
                    and lines[one["rubric"]](one["score"], row["route"])
                    for one in own
                },
                reasons={one["rubric"]: one["reason"] or "" for one in own},
                statuses={one["rubric"]: one["status"] for one in own},
            )
        )
    return found


def _line(workspace: Workspace, name: str) -> Callable[[float, str | None], bool]:
    """Whether a score passes on a route: by the calibrated threshold, or else by the rubric's."""
    rubric, pin = workspace.rubric(name), workspace.params.rubrics[name]
    file = workspace.root / _THRESHOLDS
    known: dict[str, Threshold] = parse_thresholds(read_json(file)) if file.is_file() else {}
    found = known.get(name)
    if (
        found is None
        or found.threshold is None
        or found.judge_sha256 != judge_sha256(rubric, pin.judge)
    ):
        return lambda score, _route: round(score, 9) >= round(rubric.threshold, 9)

    def passes(score: float, route: str | None) -> bool:
        line = round(found.on(route) or 0.0, 9)
        return round(score, 9) > line if found.comparison == ">" else round(score, 9) >= line

    return passes
