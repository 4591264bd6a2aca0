"""Small golden sets, runs and policies for the tests of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from gitloop.core.gate import BaselineRun, GateInputs, GateRubric
from gitloop.params import Gate
from gitloop.records import Threshold
from gitloop.schema import Table
from gitloop.tables import GOLDEN, OUTPUTS, SCORES

JUDGE = "local/1"
SHA = "ab" * 32


def rubric(name: str = "grounded", **changes: Any) -> GateRubric:  # noqa: ANN401
    """A continuous rubric, calibrated at 0.5, with a floor of 0.5 and a noise floor of 0.03."""
    plain = GateRubric(name, "1", SHA, JUDGE, SHA, "continuous", 0.5, 0.03, 0.5, calibrated(name))
    return replace(plain, **changes)


def calibrated(name: str = "grounded", **changes: Any) -> Threshold:  # noqa: ANN401
    """A threshold of 0.5 from 100 labelled items, half of them good."""
    plain = Threshold(
        rubric=name,
        threshold=0.5,
        comparison=">=",
        status="calibrated",
        reason="",
        rubric_version="1",
        rubric_sha256=SHA,
        judge=JUDGE,
        judge_sha256=SHA,
        interval=None,
        n=100,
        n_positive=50,
        confusion=(45, 5, 5, 45),
        warnings=(),
    )
    return replace(plain, **changes)


def golden(
    n: int, rubrics: Sequence[str] = ("grounded",), **columns: Sequence[Any]
) -> pl.DataFrame:
    """`n` golden rows r0000, r0001, …, each a group of its own, labelled for the rubrics."""
    ids = [f"r{i:04d}" for i in range(n)]
    rows = {
        "row_id": ids,
        "set": ["support"] * n,
        "split": ["train"] * n,
        "input": [f"question {i}" for i in range(n)],
        "labels": [[{"rubric": name, "expected": "fail"} for name in sorted(rubrics)]] * n,
        "annotators": [["ann"]] * n,
        "guidance_version": ["1"] * n,
        "source_trace_id": [f"t{i:04d}" for i in range(n)],
        "source_feedback_ids": [["f"]] * n,
        "cluster_id": ["c1"] * n,
        "group_id": ids,
        "promoted_in": ["2026.05-aaaaaa"] * n,
        **columns,
    }
    return GOLDEN.order(GOLDEN.complete(pl.DataFrame(rows, schema_overrides=_of(GOLDEN, rows))))


def outputs(rows: pl.DataFrame, said: Sequence[str | None] | None = None) -> pl.DataFrame:
    """One output per golden row, "answer" where nothing else is said; None is a failed call."""
    words = ["answer"] * rows.height if said is None else list(said)
    values = {
        "item_id": rows["row_id"].to_list(),
        "set": rows["set"].to_list(),
        "replicate": [0] * rows.height,
        "status": ["error" if word is None else "ok" for word in words],
        "output": words,
        "group_id": rows["group_id"].to_list(),
    }
    return OUTPUTS.order(
        OUTPUTS.complete(pl.DataFrame(values, schema_overrides=_of(OUTPUTS, values)))
    )


def scores(
    rows: pl.DataFrame, by_rubric: Mapping[str, Sequence[float | str | None]], **pins: str
) -> pl.DataFrame:
    """One score per golden row and rubric; None is an error, a word is that status."""
    ids = rows["row_id"].to_list()
    values: list[dict[str, Any]] = []
    for name, figures in by_rubric.items():
        for item_id, figure in zip(ids, figures, strict=True):
            is_score = isinstance(figure, int | float)
            values.append(
                {
                    "item_id": item_id,
                    "rubric": name,
                    "rubric_version": pins.get("rubric_version", "1"),
                    "rubric_sha256": pins.get("rubric_sha256", SHA),
                    "judge": pins.get("judge", JUDGE),
                    "replicate": 0,
                    "status": "ok" if is_score else figure or "error",
                    "score": float(figure) if is_score else None,  # type: ignore[arg-type]
                }
            )
    if not values:
        return SCORES.empty()
    frame = pl.DataFrame(values, schema=_of(SCORES, values[0]))
    return SCORES.order(SCORES.complete(frame))


def gate_inputs(
    now: Sequence[float | str | None],
    before: Sequence[float | str | None] | None = None,
    *,
    said: Sequence[str | None] | None = None,
    policy: Gate | None = None,
    **columns: Sequence[Any],
) -> GateInputs:
    """A run of one rubric, `now`, with one baseline run, `before`, over the same rows."""
    rows = golden(len(now), **columns)
    baseline: tuple[BaselineRun, ...] = ()
    if before is not None:
        kept = rows.head(len(before))
        baseline = (
            BaselineRun(scores(kept, {"grounded": before}), outputs(kept, ["old"] * len(before))),
        )
    return GateInputs(
        golden=rows,
        outputs=outputs(rows, said),
        scores=scores(rows, {"grounded": now}),
        rubrics={"grounded": rubric()},
        policy=policy or Gate(),
        max_error_rate=0.02,
        baseline=baseline,
    )


def _of(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """The types of the given columns."""
    return {name: dtype for name, dtype in table.schema.items() if name in values}
