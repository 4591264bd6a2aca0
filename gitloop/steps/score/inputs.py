"""What `gitloop score` reads: golden rows that are there, and judges that fit their labels."""

from __future__ import annotations

import polars as pl

from gitloop.core.score import rubrics_of, unknown_rubrics
from gitloop.documents import nearest
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import BoundJudge, open_judges, require_dependencies
from gitloop.workspace import Workspace

FOLDER = "loop/score"


def require_sets(workspace: Workspace) -> None:
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


def golden_rows(workspace: Workspace) -> dict[str, pl.DataFrame]:
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


def judges_of(workspace: Workspace, rows: pl.DataFrame) -> list[BoundJudge]:
    """The judges of all rubrics that the rows are labelled with, checked before any call."""
    unknown = unknown_rubrics(rows, workspace.params.rubrics)
    if unknown:
        told = "\n".join(f"golden row {row} is labelled {name}" for name, row in unknown.items())
        names = " and ".join(unknown)
        raise ConfigError(
            f"{told}, but params.yaml does not pin {names}",
            hint=f"add rubrics.{next(iter(unknown))} to params.yaml, with its version and judge",
        )
    judges = open_judges(
        workspace, sorted({name for own in rubrics_of(rows).values() for name in own})
    )
    require_dependencies(workspace, "gitloop score", judges)
    return judges
