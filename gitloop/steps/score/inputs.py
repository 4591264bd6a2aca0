"""What `gitloop score` reads: golden rows that are there, and judges that fit their labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.score import rubrics_of, unknown_rubrics
from gitloop.documents import nearest
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import BoundJudge, open_judges, require_dependencies
from gitloop.storage.files import read_text
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
    _refuse_measured_examples(workspace.root, judges, rows)
    return judges


def _refuse_measured_examples(root: Path, judges: list[BoundJudge], rows: pl.DataFrame) -> None:
    """Refuse examples that were promoted to val or holdout after they had been collected.

    Raises:
        DataError: Each of them; a judge would be shown a row that something is measured on.
    """
    measured = rows.filter(pl.col("split") != "train").sort("set", "row_id")
    columns = ("set", "split", "source_trace_id", "input", "context")
    places: dict[object, str] = {}
    for name, split, trace_id, asked, context in measured.select(columns).iter_rows():
        places[trace_id] = places[(asked, context)] = f"a {split} row of golden/{name}"
    told, stale = [], []
    for bound in judges:
        for file in _example_files(bound.pin.parameters):
            for line in read_text(root / file).splitlines():
                one = json.loads(line)
                found = places.get(one["item_id"], places.get((one["input"], one.get("context"))))
                if found:
                    told.append(f"{file} holds {one['item_id']}, which is {found}")
                    stale.append(bound.rubric.name)
    if told:
        raise DataError(
            "\n".join(told), hint=f"run: gitloop judge examples {stale[0]}, and pin the new digest"
        )


def _example_files(parameters: Mapping[str, Any]) -> list[str]:
    """The files of examples that a pin names, its members' too."""
    own = (parameters.get("examples") or {}).get("file")
    inner = [member.get("parameters") or {} for member in parameters.get("members", ())]
    return [*([own] if own else []), *(file for one in inner for file in _example_files(one))]
