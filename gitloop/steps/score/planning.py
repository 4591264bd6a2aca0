"""`gitloop score --dry-run`: which calls would be made, and what they would cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core.score import cases_of, rubrics_of, selected
from gitloop.evaluation import (
    PlannedCalls,
    call_store,
    open_target,
    plan_judge,
    plan_target,
    with_outputs,
)
from gitloop.records import Answer
from gitloop.steps.score.inputs import FOLDER, golden_rows, judges_of, require_sets
from gitloop.workspace import Workspace

_NOT_YET = Answer("missing", error="the target has not run yet")


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What a run would call.

    Attributes:
        calls: The target's calls, then each rubric's, by name.
        n_calls: Calls that would be made for sure.
        n_unknown: Calls on outputs that are not there yet; some may be answered from the store.
        cost_usd: US dollars at most for the calls that are sure, or None where a price is unknown.
        unknown_usd: US dollars for the calls that are not sure, about, or None.
    """

    calls: tuple[PlannedCalls, ...]
    n_calls: int
    n_unknown: int
    cost_usd: float | None
    unknown_usd: float | None = 0.0


def plan_score(directory: Path, *, calls: str | None = None) -> PlanReport:
    """The calls that `gitloop score` would make now; none is made, and nothing is written.

    Args:
        directory: A directory in the repository.
        calls: As for `score`.

    Raises:
        ConfigError: As `score`.
        DataError: As `score`.
    """
    workspace = Workspace(directory)
    require_sets(workspace)
    rows = pl.concat(golden_rows(workspace).values())
    judges = judges_of(workspace, rows)
    store = call_store(workspace, f"{FOLDER}/calls.parquet", calls)
    cases = cases_of(rows)
    target, known = plan_target(
        open_target(workspace), cases, workspace.params.score.replicates, store
    )
    answered = with_outputs(cases, [answer or _NOT_YET for answer in known])
    by_rubric = selected(answered, rubrics_of(rows))
    planned = [target] + [plan_judge(one, by_rubric[one.rubric.name], store) for one in judges]
    return PlanReport(
        calls=tuple(planned),
        n_calls=sum(one.n_calls for one in planned),
        n_unknown=sum(one.n_unknown for one in planned),
        cost_usd=_total([one.cost_usd for one in planned]),
        unknown_usd=_total([one.unknown_usd for one in planned]),
    )


def _total(costs: list[float | None]) -> float | None:
    """Their sum, or None where one is not known."""
    known = [usd for usd in costs if usd is not None]
    return round(sum(known), 6) if len(known) == len(costs) else None
