"""`gitloop score --traces`: what the application said in production, judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core.calls import Drift
from gitloop.core.score import RubricScores, summarise
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import call_store, judge_cases, keep_calls
from gitloop.protocols import Progress, silent
from gitloop.records import Case
from gitloop.storage.parts import read_parts
from gitloop.tables import SCORES, TRACES
from gitloop.workspace import Workspace

FOLDER = "loop/traces"


@dataclass(frozen=True, slots=True)
class TracesReport:
    """Traces that were judged.

    Attributes:
        n_traces: Traces.
        n_silent: Traces without an output; they were judged by nothing.
        rubrics: What each rubric's scores come to, by name.
        path: The table of scores, relative to the root.
        n_called: Calls that were made.
        n_recorded: Calls that were answered from the call store.
        spent_usd: US dollars that the calls cost, as far as prices are known.
        drift: In mode refresh, how the new answers differ; otherwise None.
        n_torn: Damaged lines of the call store that were met: their answers are asked for again.
    """

    n_traces: int
    n_silent: int
    rubrics: tuple[RubricScores, ...]
    path: str
    n_called: int
    n_recorded: int
    spent_usd: float
    drift: Drift | None = None
    n_torn: int = 0


def score_traces(
    directory: Path,
    progress: Progress = silent,
    *,
    rubrics: Sequence[str] = (),
    calls: str | None = None,
) -> TracesReport:
    """Judge the recorded output of every trace; write loop/traces/.

    Args:
        directory: A directory in the repository.
        progress: Is told how far it is.
        rubrics: Only these; () for all that params.yaml pins.
        calls: "record", "replay", "refresh" or "off"; None is what params.yaml says.

    Raises:
        ConfigError: No rubric is pinned, or a rubric or its judge is misconfigured.
        DataError: There are no traces with an output. Nothing was written.
        StaleError: Mode replay, and a call was never recorded. Nothing was written.
        ApiError: More calls failed than `score.max_error_rate` allows. Nothing was written.
    """
    workspace = Workspace(directory)
    names = sorted(set(rubrics) or workspace.params.rubrics)
    if not names:
        raise ConfigError("params.yaml pins no rubric", hint="edit params.yaml: rubrics")
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    told = traces.filter(pl.col("output").is_not_null())
    if told.is_empty():
        raise DataError("no trace has an output to judge", hint="run: gitloop capture import")
    store = call_store(workspace, f"{FOLDER}/calls.parquet", calls)
    cases = [_case(row) for row in told.iter_rows(named=True)]
    scores = judge_cases(workspace, names, cases, store, progress)
    workspace.write(f"{FOLDER}/scores.parquet", SCORES, scores)
    drift = keep_calls(workspace, f"{FOLDER}/calls.parquet", store)
    return TracesReport(
        n_traces=traces.height,
        n_silent=traces.height - told.height,
        rubrics=tuple(summarise(scores)),
        path=f"{FOLDER}/scores.parquet",
        n_called=store.n_misses,
        n_recorded=store.n_hits,
        spent_usd=round(store.spent_usd, 6),
        drift=drift,
        n_torn=store.n_torn,
    )


def _case(row: dict[str, str]) -> Case:
    return Case(
        item_id=row["trace_id"],
        input=row["input"] or "",
        context=row["context"],
        output=row["output"],
        route=row["route"],
        user_cohort=row["user_cohort"],
    )
