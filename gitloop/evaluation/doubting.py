"""Which failures a label would teach most about, by what the loop knows of them."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from gitloop.core.doubting import Doubt, by_boundary, by_disagreement
from gitloop.errors import DataError
from gitloop.evaluation.abstaining import trace_cases
from gitloop.evaluation.judging import judge_selected, open_judge
from gitloop.evaluation.recorded import call_store
from gitloop.evaluation.refreshing import settle_refresh
from gitloop.protocols import Progress, silent
from gitloop.records import parse_thresholds
from gitloop.storage.files import read_json
from gitloop.storage.parts import read_parts
from gitloop.tables import MEMBERS, SCORES, TRACES
from gitloop.workspace import Workspace

_MEMBERS = "loop/cluster/members.parquet"
_SCORES = "loop/calibrate/scores.parquet"
_THRESHOLDS = "loop/calibrate/thresholds.json"


def doubted(workspace: Workspace, order: str, progress: Progress = silent) -> list[Doubt]:
    """The failures in the order in which a label would teach most, labelled ones too.

    For disagreement every failure is judged: those that calibrating did not look at, for nobody
    labelled them, through the call store, as `abstained` does.

    Args:
        workspace: The checkout.
        order: "boundary": near the line between two clusters. "disagreement": complained about, and
            passed by a calibrated judge.
        progress: Is told how far the judges are.

    Raises:
        DataError: There are no clusters, or for disagreement no judge is calibrated.
    """
    if not (workspace.root / _MEMBERS).is_file():
        raise DataError("failures have not been clustered yet", hint="run: dvc repro cluster")
    members = workspace.read(_MEMBERS, MEMBERS)
    if order == "boundary":
        return by_boundary(members)
    if not (workspace.root / _SCORES).is_file():
        raise DataError("no judge has been calibrated yet", hint="run: gitloop calibrate")
    lines = _lines(workspace)
    scores = workspace.read(_SCORES, SCORES).filter(pl.col("rubric").is_in(list(lines)))
    fresh = _judged(workspace, set(members["trace_id"]), scores, lines, progress)
    return by_disagreement(members, pl.concat([scores, fresh]), lines)


def _lines(workspace: Workspace) -> dict[str, float]:
    """Rubric → threshold, of those calibrated with the judge that is pinned now."""
    found = parse_thresholds(read_json(workspace.root / _THRESHOLDS))
    lines = {
        name: one.threshold
        for name, one in found.items()
        if one.threshold is not None
        and one.threshold <= 1
        and name in workspace.params.rubrics
        and one.judge_sha256 == open_judge(workspace, name).sha256
    }
    if not lines:
        raise DataError("no judge of now has a calibrated threshold", hint="run: gitloop calibrate")
    return lines


def _judged(
    workspace: Workspace,
    failures: Collection[str],
    scores: pl.DataFrame,
    rubrics: Collection[str],
    progress: Progress,
) -> pl.DataFrame:
    """The scores of the failures that have none yet."""
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES).filter(
        pl.col("trace_id").is_in(list(failures)) & pl.col("output").is_not_null()
    )
    selected = {}
    for rubric in sorted(rubrics):
        known = scores.filter(pl.col("rubric") == rubric)["item_id"]
        selected[rubric] = trace_cases(traces.filter(~pl.col("trace_id").is_in(known.implode())))
    store = call_store(workspace, "loop/calibrate/calls.parquet")
    found = judge_selected(workspace, selected, store, progress)
    settle_refresh(workspace, "loop/calibrate", store)
    return found
