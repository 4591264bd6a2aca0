"""Judge the anchors again: is each judge still the one that was calibrated?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from gitloop.core import calibrate as core
from gitloop.core.calibrate import Drift
from gitloop.documents import rewritten
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import BoundJudge, call_store, judge_bound
from gitloop.params import parse_params
from gitloop.protocols import Progress, silent
from gitloop.records import Case, as_json, parse_thresholds
from gitloop.steps.calibrate.anchors import anchors, opened
from gitloop.steps.calibrate.inputs import FOLDER, cases, gather, read_traces, some_labels
from gitloop.storage.files import read_json, read_text, write_json, write_text
from gitloop.tables import SCORES
from gitloop.workspace import Workspace

DRIFT = "loop/drift"
CHANGES = f"{DRIFT}/changes"
SCHEMA = "gitloop.drift/v1"
CHANGE_SCHEMA = "gitloop.change_point/v1"


@dataclass(frozen=True, slots=True)
class DriftPlan:
    """What to look at.

    Attributes:
        rubrics: Only these; () for all that have a calibrated threshold.
        n_anchors: Labelled rows to judge again, at most; the same ones every time.
        alpha: Chance of calling an unchanged judge changed, per rubric.
        is_dry_run: Whether nothing is written.
    """

    rubrics: tuple[str, ...] = ()
    n_anchors: int = 50
    alpha: float = 0.01
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What `gitloop judge drift` found.

    Attributes:
        rubrics: One per judge that was looked at, by rubric.
        skipped: Rubric → why its judge was not looked at.
        spans: Rubric whose judge changed → the span that begins here.
        written: Files that were written, relative to the root.
    """

    rubrics: tuple[Drift, ...]
    skipped: dict[str, str]
    spans: dict[str, int]
    written: tuple[str, ...]


def drift(directory: Path, plan: DriftPlan, progress: Progress = silent) -> DriftReport:
    """Judge a fixed set of labelled rows again, twice, and hold it against the recorded scores.

    No recorded answer is used, and none is replaced. A judge that changed gets a change point
    under `loop/drift/changes/` and a new span in params.yaml: until `gitloop calibrate` has run
    again its threshold is stale, and scores of the two spans are not compared.

    Args:
        directory: A directory in the repository.
        plan: What to look at.
        progress: Is told how far the judges are.

    Raises:
        ConfigError: A rubric asked for is not pinned, or `calls.mode` is replay.
        StaleError: A rubric asked for was calibrated with other pins.
        DataError: Nothing is calibrated yet, or none of the rubrics can be looked at.
        ApiError: More calls failed than `score.max_error_rate` allows.
    """
    workspace = Workspace(directory)
    if workspace.calls_mode == "replay":
        raise ConfigError(
            "calls.mode is replay: a recorded answer cannot show that a judge has changed",
            hint="set calls.mode: record in params.yaml for this run",
        )
    known = workspace.read(f"{FOLDER}/scores.parquet", SCORES)
    thresholds = parse_thresholds(read_json(workspace.root / f"{FOLDER}/thresholds.json"))
    bound, skipped = opened(workspace, thresholds, plan.rubrics)
    found = []
    gathered = gather(workspace, some_labels(workspace).labels, read_traces(workspace), bound)
    for evidence in gathered:
        name = evidence.rubric
        chosen = anchors(core.scored_items(evidence, known), plan.n_anchors)
        judged = _judged(workspace, bound[name], chosen, progress)
        one = core.drift(judged, thresholds[name], evidence.scale, plan.alpha)
        if one is None:
            skipped[name] = "no anchor could be judged again"
        else:
            found.append(one)
    if not found:
        reasons = "\n".join(f"  {name}: {why}" for name, why in sorted(skipped.items()))
        raise DataError(f"no judge could be looked at:\n{reasons}", hint="run: gitloop calibrate")
    spans = {one.rubric: bound[one.rubric].pin.span + 1 for one in found if one.has_changed}
    written = () if plan.is_dry_run else _write(workspace, found, spans)
    return DriftReport(tuple(found), skipped, spans, written)


def _judged(
    workspace: Workspace, bound: BoundJudge, chosen: pl.DataFrame, progress: Progress
) -> pl.DataFrame:
    """The anchors with their recorded score, and one or two new ones that no store answered."""
    n_draws = 1 if bound.judge.is_pure else 2
    shown: list[Case] = [
        replace(case, replicate=draw) for draw in range(n_draws) for case in cases(chosen)
    ]
    store = call_store(workspace, f"{FOLDER}/calls.parquet", mode="off")
    limit = workspace.params.score.max_error_rate
    scores = judge_bound(bound, shown, store, limit, progress)
    draws = [
        scores.filter(pl.col("replicate") == draw).select(
            pl.col("item_id").alias("trace_id"), pl.col("score").alias(name), *more
        )
        for draw, name, more in ((0, "now", ["reason"]), (1, "again", []))
    ]
    before = chosen.select("trace_id", "route", pl.col("score").alias("before"))
    for draw in draws:
        before = before.join(draw, on="trace_id", how="left")
    return before


def _write(workspace: Workspace, found: Iterable[Drift], spans: dict[str, int]) -> tuple[str, ...]:
    """Write each look, and each change point with its span in params.yaml."""
    params = _with_spans(workspace, spans)
    written = []
    for one in found:
        path = f"{DRIFT}/{one.rubric}.json"
        value = {"schema": SCHEMA, **as_json(one)}
        write_json(workspace.root / path, value)
        written.append(path)
        if one.rubric in spans:
            span = spans[one.rubric]
            path = f"{CHANGES}/{one.rubric}-{span}.json"
            event = {"span": span, "found_at": workspace.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
            write_json(workspace.root / path, value | event | {"schema": CHANGE_SCHEMA})
            written.append(path)
    if spans:
        write_text(workspace.root / "params.yaml", params)
        written.append("params.yaml")
    return tuple(written)


def _with_spans(workspace: Workspace, spans: dict[str, int]) -> str:
    """params.yaml with the spans and nothing else changed.

    Raises:
        ConfigError: It cannot be: rubrics share a judge by a YAML alias, say.
    """
    text = read_text(workspace.root / "params.yaml")
    expected = {name: pin.judge.span for name, pin in workspace.params.rubrics.items()} | spans
    for name, span in spans.items():
        text = rewritten(text, ("rubrics", name, "judge", "span"), span)
    actual = {name: pin.judge.span for name, pin in parse_params(text).rubrics.items()}
    if actual != expected:
        told = ", ".join(f"rubrics.{name}.judge.span: {span}" for name, span in spans.items())
        raise ConfigError(
            "the judge changed, and params.yaml cannot be given its span: rubrics share a judge",
            hint=f"give each rubric a judge of its own, with {told}, then run this again",
        )
    return text
