"""Cases through the target, outputs through the judges, and every call through the call store.

Example:
    store = call_store(workspace, "loop/score/calls.parquet")
    answers = run_target(workspace, cases, store)
    scores = judge_cases(workspace, ["grounded"], with_outputs(cases, answers), store)
    keep_calls(workspace, "loop/score/calls.parquet", store)
"""

from gitloop.evaluation.abstaining import Unsure, abstained
from gitloop.evaluation.calling import refuse_errors, storable
from gitloop.evaluation.dependencies import require_dependencies
from gitloop.evaluation.doubting import doubted
from gitloop.evaluation.embedding import embed, open_embedder
from gitloop.evaluation.judging import (
    BoundJudge,
    bind,
    bind_judge,
    judge_bound,
    judge_cases,
    judge_name,
    judge_selected,
    judge_sha256,
    missing_field,
    open_judge,
    open_judges,
    score_row,
)
from gitloop.evaluation.planning import PlannedCalls, plan_judge, plan_target
from gitloop.evaluation.recorded import call_store
from gitloop.evaluation.refreshing import keep_calls, settle_refresh
from gitloop.evaluation.running import open_target, run_target, with_outputs
from gitloop.evaluation.versions import silent_change

__all__ = [
    "BoundJudge",
    "PlannedCalls",
    "Unsure",
    "abstained",
    "bind",
    "bind_judge",
    "call_store",
    "doubted",
    "embed",
    "judge_bound",
    "judge_cases",
    "judge_name",
    "judge_selected",
    "judge_sha256",
    "keep_calls",
    "missing_field",
    "open_embedder",
    "open_judge",
    "open_judges",
    "open_target",
    "plan_judge",
    "plan_target",
    "refuse_errors",
    "require_dependencies",
    "run_target",
    "score_row",
    "settle_refresh",
    "silent_change",
    "storable",
    "with_outputs",
]
