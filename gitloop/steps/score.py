"""Golden rows → the target's outputs → scores on the rubrics that each row is labelled with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.score import (
    RubricScores,
    blamed,
    cases_of,
    outputs_of,
    rubrics_of,
    selected,
    summarise,
    unknown_rubrics,
)
from gitloop.documents import nearest
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import (
    BoundJudge,
    call_store,
    judge_selected,
    open_judges,
    run_target,
    with_outputs,
)
from gitloop.protocols import Progress, silent
from gitloop.storage.files import write_json
from gitloop.storage.golden import digest
from gitloop.tables import CALLS, OUTPUTS, SCORES
from gitloop.workspace import Workspace

SCHEMA = "gitloop.score/v1"
_FOLDER = "loop/score"
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
    """

    sets: tuple[ScoredSet, ...]
    rubrics: tuple[RubricScores, ...]
    n_outputs: int
    n_called: int
    n_recorded: int


def score(directory: Path, progress: Progress = silent) -> ScoreReport:
    """Run the target on every golden row and judge what it says; write loop/score/.

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
    _require_dependencies(workspace)
    golden = _golden(workspace)
    rows = pl.concat(golden.values())
    judges = _judges(workspace, rows)
    store = call_store(workspace, f"{_FOLDER}/calls.parquet")
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
    )
    workspace.write(f"{_FOLDER}/outputs.parquet", OUTPUTS, outputs)
    workspace.write(f"{_FOLDER}/scores.parquet", SCORES, scores)
    workspace.write(f"{_FOLDER}/calls.parquet", CALLS, store.used())
    write_json(workspace.root / _FOLDER / "metrics.json", _metrics(workspace, report, judges))
    return report


def _require_dependencies(workspace: Workspace) -> None:
    """Refuse when dvc.yaml would not notice that a golden set changed."""
    for name, stage in workspace.pipeline.stages.items():
        if "gitloop score" not in str(stage.cmd):
            continue
        deps = stage.dependencies()
        absent = [
            f"golden/{golden}/parts"
            for golden in workspace.params.golden.sets
            if not {"golden", f"golden/{golden}", f"golden/{golden}/parts"} & deps
        ]
        if absent:
            raise ConfigError(
                f"dvc.yaml: the stage {name} does not depend on {' and '.join(absent)},"
                " so a promotion would not be scored",
                hint=f"add {' and '.join(absent)} to stages.{name}.deps in dvc.yaml",
            )


def _golden(workspace: Workspace) -> dict[str, pl.DataFrame]:
    """Set → its rows, by name."""
    pinned = workspace.params.golden.sets
    if not pinned:
        raise ConfigError(
            "params.yaml names no golden set",
            hint="add golden.sets.<set>: null to params.yaml, and promote rows into it",
        )
    golden = {name: _rows(workspace, name) for name in sorted(pinned)}
    rows = pl.concat(golden.values())
    if (twice := rows.filter(pl.col("row_id").is_duplicated()).sort("row_id", "set")).height:
        first, second = twice["set"][0], twice["set"][1]
        raise DataError(
            f"row {twice['row_id'][0]} stands in two golden sets, {first} and {second}",
            hint=f"retire it from one of them, or unpin golden.sets.{second}",
        )
    return golden


def _rows(workspace: Workspace, name: str) -> pl.DataFrame:
    """The rows of a set that is there and has rows, at the pinned version where one is pinned."""
    golden = workspace.golden_in_use(name)
    if not golden.exists():
        found = sorted(path.parent.name for path in workspace.root.glob("golden/*/dataset.yaml"))
        like = nearest(name, found)
        raise ConfigError(
            f"params.yaml names a golden set {name}, but golden/{name}/dataset.yaml does not exist"
            + (f"; did you mean {like}?" if like else ""),
            hint="edit params.yaml: golden.sets, or create the set with gitloop promote",
        )
    rows = golden.read()
    if rows.is_empty():
        raise DataError(f"golden set {name} has no rows to score", hint="run: gitloop promote")
    return rows


def _judges(workspace: Workspace, rows: pl.DataFrame) -> list[BoundJudge]:
    """The judges of all rubrics that the rows are labelled with, checked before any call."""
    unknown = unknown_rubrics(rows, workspace.params.rubrics)
    if unknown:
        told = "\n".join(f"golden row {row} is labelled {name}" for name, row in unknown.items())
        names = " and ".join(unknown)
        raise ConfigError(
            f"{told}, but params.yaml does not pin {names}",
            hint=f"add rubrics.{next(iter(unknown))} to params.yaml, with its version and judge",
        )
    return open_judges(
        workspace, sorted({name for own in rubrics_of(rows).values() for name in own})
    )


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
