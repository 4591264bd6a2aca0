"""Golden rows → the target's outputs → scores on the rubrics that each row is labelled with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.calls import Drift
from gitloop.core.score import (
    RubricScores,
    blamed,
    cases_of,
    outputs_of,
    rubrics_of,
    selected,
    summarise,
)
from gitloop.evaluation import (
    BoundJudge,
    call_store,
    judge_selected,
    keep_calls,
    run_target,
    with_outputs,
)
from gitloop.protocols import Progress, silent
from gitloop.steps.score.inputs import FOLDER, golden_rows, judges_of, require_sets
from gitloop.storage.files import write_json
from gitloop.storage.golden import digest
from gitloop.tables import OUTPUTS, SCORES
from gitloop.workspace import Workspace

SCHEMA = "gitloop.score/v1"
_LIBRARIES = ("gitloop", "numpy", "polars")


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """A golden set that was scored.

    Attributes:
        set: Its name.
        version: Its version.
        dataset_sha256: Its dataset digest.
        n_rows: Its rows.
        n_output_errors: Outputs that the target did not give.
    """

    set: str
    version: str
    dataset_sha256: str
    n_rows: int
    n_output_errors: int


@dataclass(frozen=True, slots=True)
class ScoreReport:
    """What was scored.

    Attributes:
        sets: The golden sets, by name.
        rubrics: What each rubric's scores come to, by name.
        n_outputs: Outputs asked for: rows × replicates.
        n_called: Calls that were made.
        n_recorded: Calls that were answered from the call store.
        spent_usd: US dollars that the calls cost, as far as prices are known.
        drift: In mode refresh, how the new answers differ; otherwise None.
        n_torn: Damaged lines of the call store that were met: their answers are asked for again.
    """

    sets: tuple[ScoredSet, ...]
    rubrics: tuple[RubricScores, ...]
    n_outputs: int
    n_called: int
    n_recorded: int
    spent_usd: float = 0.0
    drift: Drift | None = None
    n_torn: int = 0


def score(directory: Path, progress: Progress = silent, *, calls: str | None = None) -> ScoreReport:
    """Run the target on every golden row and judge what it says; write loop/score/.

    Args:
        directory: A directory in the repository.
        progress: Is told how far it is.
        calls: "record", "replay", "refresh" or "off"; None is what params.yaml says.

    Raises:
        ConfigError: A set is not one of the stage's dependencies, is not there, or moved from the
            pinned version; a row's rubric is not pinned; a rubric, judge, target or prompt is
            wrong. Nothing was written.
        DataError: A set is empty or broken. Nothing was written.
        StaleError: Mode replay, and a call was never recorded. Nothing was written.
        ApiError: More calls failed than `score.max_error_rate` allows. Nothing was written.
        CallTimeoutError: The same, and most were too slow. Nothing was written.
    """
    workspace = Workspace(directory)
    require_sets(workspace)
    golden = golden_rows(workspace)
    rows = pl.concat(golden.values())
    judges = judges_of(workspace, rows)
    store = call_store(workspace, f"{FOLDER}/calls.parquet", calls)
    cases = cases_of(rows)
    replicates = workspace.params.score.replicates
    answers = run_target(workspace, cases, store, replicates, progress=progress)
    answered = with_outputs(cases, answers)
    outputs = outputs_of(rows, answered, answers)
    judged = judge_selected(workspace, selected(answered, rubrics_of(rows)), store, progress)
    scores = blamed(judged, outputs)
    report = ScoreReport(
        sets=tuple(_scored_set(workspace, name, own, outputs) for name, own in golden.items()),
        rubrics=tuple(summarise(scores)),
        n_outputs=outputs.height,
        n_called=store.n_misses,
        n_recorded=store.n_hits,
        spent_usd=round(store.spent_usd, 6),
        n_torn=store.n_torn,
    )
    workspace.write(f"{FOLDER}/outputs.parquet", OUTPUTS, outputs)
    workspace.write(f"{FOLDER}/scores.parquet", SCORES, scores)
    write_json(workspace.root / FOLDER / "metrics.json", _metrics(workspace, report, judges))
    return replace(report, drift=keep_calls(workspace, f"{FOLDER}/calls.parquet", store))


def _scored_set(
    workspace: Workspace, name: str, rows: pl.DataFrame, outputs: pl.DataFrame
) -> ScoredSet:
    failed = outputs.filter((pl.col("set") == name) & (pl.col("status") != "ok"))
    return ScoredSet(
        set=name,
        version=workspace.golden_in_use(name).version(),
        dataset_sha256=digest(rows),
        n_rows=rows.height,
        n_output_errors=failed.height,
    )


def _metrics(
    workspace: Workspace, report: ScoreReport, judges: list[BoundJudge]
) -> Mapping[str, Any]:
    """What loop/score/metrics.json says; calls are left out, because a replay makes none."""
    pins = {bound.rubric.name: bound for bound in judges}
    target, prompt = workspace.params.target, workspace.prompt()
    return {
        "schema": SCHEMA,
        "sets": {
            own.set: {k: v for k, v in asdict(own).items() if k != "set"} for own in report.sets
        },
        "rubrics": {
            own.rubric: {
                "version": pins[own.rubric].rubric.version,
                "rubric_sha256": pins[own.rubric].rubric.sha256,
                "judge": pins[own.rubric].name,
                "judge_sha256": pins[own.rubric].sha256,
                "n": own.n,
                "n_errors": own.n_errors,
                "statuses": own.statuses,
                "mean": own.mean,
            }
            for own in report.rubrics
        },
        "target": {
            "use": target.use,
            "version": target.version,
            "prompt": prompt.version_id if prompt else None,
            "prompt_sha256": prompt.sha256 if prompt else None,
        },
        "n_outputs": report.n_outputs,
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
