"""The rows that a judge may learn from: labelled by people, and kept back by nobody."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gitloop.core.calibrate import LabelRules, gather
from gitloop.errors import ConfigError, DataError
from gitloop.params import Rubric
from gitloop.storage.labels import scan_labels
from gitloop.storage.parts import read_parts
from gitloop.tables import TRACES
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Lessons:
    """Rows with people's verdicts.

    Attributes:
        items: Columns trace_id, group_id, input, context, output, reference, verdict; by trace_id.
        n_held_out: Rows left out because calibrate.holdout_rate keeps their group back.
        n_golden: Rows left out because a golden set has their group, or their input, under val or
            holdout.
    """

    items: pl.DataFrame
    n_held_out: int
    n_golden: int


def lessons(workspace: Workspace, rubric: Rubric) -> Lessons:
    """What people said under a rubric, without any row that something is later measured on.

    Raises:
        ConfigError: The rubric is not pinned.
        DataError: There are no labels under it, or all of them are kept back.
    """
    params = workspace.params
    if rubric.name not in params.rubrics:
        raise ConfigError(f"params.yaml pins no rubric {rubric.name}", hint="edit params.yaml")
    scan = scan_labels(workspace.root)
    rules = LabelRules(
        params.labels.guidance_version, params.labels.min_agreement, params.calibrate.holdout_rate
    )
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    items = gather(scan.labels, traces, rubric, rules).items
    if items.is_empty():
        raise DataError(
            f"nobody has labelled a trace under {rubric.name}", hint="run: gitloop label"
        )
    open_ = items.filter(~pl.col("is_held_out"))
    measured = _measured(workspace)
    taught = open_.join(
        measured.select("group_id").unique(), on="group_id", how="anti", nulls_equal=True
    )
    for key in (["trace_id"], ["input", "context"]):
        known = measured.select(key).unique()
        taught = taught.join(known, on=key, how="anti", nulls_equal=True)
    if taught.is_empty():
        raise DataError(
            f"every row labelled under {rubric.name} is kept back for measuring",
            hint="run: gitloop label, on other traces",
        )
    return Lessons(
        items=taught.sort("trace_id"),
        n_held_out=items.height - open_.height,
        n_golden=open_.height - taught.height,
    )


def _measured(workspace: Workspace) -> pl.DataFrame:
    """trace_id, group_id, input and context of the golden rows that nothing may learn from."""
    columns = ("trace_id", "group_id", "input", "context")
    found = [pl.DataFrame(schema=dict.fromkeys(columns, pl.String))]
    for path in sorted(workspace.root.glob("golden/*/dataset.yaml")):
        rows = workspace.golden(path.parent.name).read().filter(pl.col("split") != "train")
        found.append(rows.select(pl.col("source_trace_id").alias("trace_id"), *columns[1:]))
    return pl.concat(found)
