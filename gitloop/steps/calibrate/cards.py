"""The judge cards, from the scores that the stage wrote: no judge is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core import calibrate as core
from gitloop.core.calibrate import Evidence, JudgeCard
from gitloop.errors import DataError
from gitloop.evaluation import judge_name, open_judge
from gitloop.records import as_json
from gitloop.steps.calibrate.inputs import FOLDER, fit_policy, gather, read_traces, some_labels
from gitloop.steps.calibrate.order import known_order_bias
from gitloop.tables import SCORES
from gitloop.workspace import Workspace

CARD_SCHEMA = "gitloop.judge_card/v1"


def judge_cards(directory: Path, rubrics: tuple[str, ...] = ()) -> dict[str, Any]:
    """The cards as JSON values, schema gitloop.judge_card/v1: no clock, no path, no host.

    Args:
        directory: A directory in the repository.
        rubrics: Only these; () for all that params.yaml pins.

    Raises:
        DataError: Nothing is calibrated yet, or no rubric asked for has a threshold.
    """
    workspace = Workspace(directory)
    scores = workspace.read(f"{FOLDER}/scores.parquet", SCORES)
    labels, traces = some_labels(workspace).labels, read_traces(workspace)
    cards, reasons = [], []
    for evidence in gather(workspace, labels, traces, rubrics):
        found = core.fit(evidence, scores, fit_policy(workspace))
        card = core.judge_card(found, _items(evidence, scores), workspace.params.seed)
        if card is None:
            reasons.append(f"  {found.rubric}: {found.reason}")
        else:
            cards.append(_value(workspace, card))
    if not cards:
        raise DataError(
            "\n".join(["no rubric has a threshold:", *reasons]), hint="run: gitloop calibrate"
        )
    return {"schema": CARD_SCHEMA, "cards": cards}


def _items(evidence: Evidence, scores: pl.DataFrame) -> pl.DataFrame:
    """The scored items with the judge's reason."""
    reasons = (
        scores.filter((pl.col("rubric") == evidence.rubric) & (pl.col("status") == "ok"))
        .sort("replicate")
        .unique("item_id", keep="first")
        .select(pl.col("item_id").alias("trace_id"), "reason")
    )
    return core.scored_items(evidence, scores).join(reasons, on="trace_id", how="left")


def _value(workspace: Workspace, card: JudgeCard) -> dict[str, Any]:
    rubric = workspace.rubric(card.calibration.rubric)
    pin = workspace.params.rubrics[rubric.name]
    value: dict[str, Any] = as_json(card)
    value["rubric"] = {
        "name": rubric.name,
        "version": rubric.version,
        "description": rubric.description,
    }
    value["judge"] = judge_name(pin.judge)
    value["position_bias"] = known_order_bias(workspace, open_judge(workspace, rubric.name))
    value["guidance_version"] = workspace.params.labels.guidance_version
    return value
