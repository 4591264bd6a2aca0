"""Labelled rows that are judged again, and the judges that may do it."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from gitloop.digests import sha256_of
from gitloop.errors import StaleError
from gitloop.evaluation import BoundJudge, open_judge
from gitloop.records import Threshold
from gitloop.workspace import Workspace


def opened(
    workspace: Workspace, thresholds: dict[str, Threshold], rubrics: Iterable[str]
) -> tuple[dict[str, BoundJudge], dict[str, str]]:
    """The judges to look at, and why others are not; what was asked for by name must be usable."""
    asked = sorted(set(rubrics))
    bound, skipped = {}, {}
    for name in asked or sorted(workspace.params.rubrics):
        judge = open_judge(workspace, name)
        line = thresholds.get(name)
        why = ""
        if line is None or line.threshold is None:
            why = "it has no calibrated threshold"
        elif line.judge_sha256 != judge.sha256:
            why = "it was calibrated with another rubric or judge: run gitloop calibrate"
        if why and asked:
            raise StaleError(f"{name}: {why}", hint="run: dvc repro calibrate")
        if why:
            skipped[name] = why
        else:
            bound[name] = judge
    return bound, skipped


def anchors(items: pl.DataFrame, n: int) -> pl.DataFrame:
    """The first n items in the order of a digest: the same ones while the labels grow."""
    ids = sorted(items["trace_id"].to_list(), key=lambda trace_id: sha256_of({"anchor": trace_id}))
    return items.filter(pl.col("trace_id").is_in(ids[:n])).sort("trace_id")
