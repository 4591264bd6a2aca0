"""Traces on which a judge should not decide: they are for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from gitloop.errors import StaleError
from gitloop.evaluation.judging import judge_selected, open_judge
from gitloop.evaluation.recorded import call_store
from gitloop.evaluation.refreshing import settle_refresh
from gitloop.protocols import Progress, silent
from gitloop.records import Case, Threshold, confidence, parse_thresholds
from gitloop.storage.files import read_json
from gitloop.workspace import Workspace

THRESHOLDS = "loop/calibrate/thresholds.json"


@dataclass(frozen=True, slots=True)
class Unsure:
    """A trace on which a judge abstains.

    Attributes:
        trace_id: The trace.
        rubric: The rubric.
        score: The judge's score, [0, 1]; None where it gave none.
    """

    trace_id: str
    rubric: str
    score: float | None


def abstained(
    workspace: Workspace, traces: pl.DataFrame, rubrics: Iterable[str], progress: Progress = silent
) -> list[Unsure]:
    """Where the judges abstain, the nearest to the line first; a judge without a score abstains.

    Calls go through the call store, as those of `gitloop calibrate --estimate` do.

    Args:
        workspace: The checkout.
        traces: Traces with an output; fits `tables.TRACES`.
        rubrics: Rubrics whose judges are asked.
        progress: Is told how far the judges are.

    Raises:
        StaleError: A rubric has no threshold, one of another rubric or judge, or no promise was
            asked for.
    """
    known = parse_thresholds(read_json(workspace.root / THRESHOLDS))
    lines = {name: _promised(workspace, name, known.get(name)) for name in rubrics}
    cases = trace_cases(traces)
    store = call_store(workspace, "loop/calibrate/calls.parquet")
    scores = judge_selected(workspace, dict.fromkeys(lines, cases), store, progress)
    settle_refresh(workspace, "loop/calibrate", store)
    routes = dict(traces.select("trace_id", "route").iter_rows())
    found: list[tuple[float, Unsure]] = []
    for item_id, rubric, score in scores.select("item_id", "rubric", "score").iter_rows():
        line, route = lines[rubric], routes[item_id]
        if score is None:
            found.append((1.0, Unsure(item_id, rubric, None)))
        elif line.is_unsure(score, route):
            sure = confidence(score, line.on(route) or 0.0)
            found.append((sure, Unsure(item_id, rubric, score)))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], str(pair[1])))]


def trace_cases(traces: pl.DataFrame) -> list[Case]:
    """The traces as a judge is shown them; `traces` fits `tables.TRACES`."""
    return [
        Case(item_id=row["trace_id"], **{name: row[name] for name in _SHOWN})
        for row in traces.iter_rows(named=True)
    ]


def _promised(workspace: Workspace, rubric: str, line: Threshold | None) -> Threshold:
    """The rubric's threshold, if it is valid and says where its judge abstains."""
    if line is None or line.threshold is None:
        why = "has no calibrated threshold"
    elif line.judge_sha256 != open_judge(workspace, rubric).sha256:
        why = "was calibrated with another rubric or judge"
    elif workspace.params.calibrate.max_judge_error is None:
        why = "has no promise: set calibrate.max_judge_error in params.yaml"
    elif line.max_judge_error != workspace.params.calibrate.max_judge_error:
        why = "was calibrated with another calibrate.max_judge_error"
    else:
        return line
    raise StaleError(f"{rubric} {why}", hint="run: dvc repro calibrate, or name rubrics")


_SHOWN = ("input", "context", "output", "route", "user_cohort")
