"""What a model answers and prefers: the base, or the tuned one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from gitloop.callables import Callable, Returned
from gitloop.core.pairs.layouts import messages
from gitloop.core.pairs.release import Given, is_number
from gitloop.core.score import blamed, cases_of, outputs_of, rubrics_of, selected
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import judge_selected, run_target, with_outputs
from gitloop.judges.recorded import read_rows
from gitloop.params import Policy
from gitloop.protocols import Progress
from gitloop.records import Answer
from gitloop.storage.calls import CallStore
from gitloop.workspace import Workspace

_TIMEOUT_S = 600.0


def answered(
    workspace: Workspace,
    policy: Policy,
    golden: pl.DataFrame,
    store: CallStore,
    progress: Progress,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(outputs, scores) of a model on the golden rows, judged as every run is.

    Raises:
        ConfigError: Target, rubric or judge is misconfigured.
        StaleError: Mode replay, and a call was never recorded.
        ApiError: More calls failed than `score.max_error_rate` allows.
        CallTimeoutError: The same, and most were too slow.
    """
    params = workspace.params
    if policy.target is not None:
        workspace = workspace.under(params.model_copy(update={"target": policy.target}))
    cases = cases_of(golden)
    answers = run_target(workspace, cases, store, params.score.replicates, progress=progress)
    said = with_outputs(cases, answers)
    outputs = outputs_of(golden, said, answers)
    judged = judge_selected(workspace, selected(said, rubrics_of(golden)), store, progress)
    return outputs, blamed(judged, outputs)


def preferred(
    workspace: Workspace,
    policy: Policy,
    pairs: Sequence[Mapping[str, Any]],
    store: CallStore,
    *,
    key: str,
) -> Given:
    """What a model gives both answers of each pair; None where it gave no number.

    Args:
        workspace: The checkout.
        policy: The model.
        pairs: Rows of `tables.PAIRS`.
        store: Where calls of a likelihood go through.
        key: Where params.yaml holds the policy, for messages.

    Raises:
        ConfigError: The policy says neither how likely answers are nor where that is written.
        DataError: The table is not there, or names a pair twice.
    """
    if policy.preferences is not None:
        return _recorded(workspace, policy.preferences)
    if policy.likelihood is not None:
        return _asked(workspace, policy.likelihood, pairs, store, key=key)
    raise ConfigError(
        f"params.yaml: {key} does not say which answers the model prefers",
        hint=f"set {key}.preferences (a table: pair_id, chosen, rejected)"
        f" or {key}.likelihood (module:function)",
    )


def _recorded(workspace: Workspace, source: str) -> Given:
    found: dict[str, tuple[float, float] | None] = {}
    for row in read_rows(workspace.root / source, source):
        absent = [name for name in ("pair_id", "chosen", "rejected") if name not in row]
        if absent:
            raise DataError(
                f"{source} has no column {' and no column '.join(absent)}",
                hint="docs/tables.md: preferences",
            )
        pair_id = str(row["pair_id"])
        if pair_id in found:
            raise DataError(f"{source} names pair {pair_id} twice")
        chosen, rejected = row["chosen"], row["rejected"]
        is_told = is_number(chosen) and is_number(rejected)
        found[pair_id] = (float(chosen), float(rejected)) if is_told else None
    return found


def _asked(
    workspace: Workspace,
    name: str,
    pairs: Sequence[Mapping[str, Any]],
    store: CallStore,
    *,
    key: str,
) -> Given:
    function = Callable(name, workspace.root, key=f"{key}.likelihood")
    requests = [
        {
            "likelihood": name,
            "code_sha256": function.sha256,
            "messages": messages(pair),
            "answer": pair[side],
        }
        for pair in pairs
        for side in ("chosen", "rejected")
    ]

    def call(asked: Sequence[Mapping[str, Any]]) -> list[Answer]:
        return [
            _answer(function.call([one["messages"], one["answer"]], _TIMEOUT_S)) for one in asked
        ]

    answers = store.ask("judge", requests, call, batch=32)
    numbers: list[Any] = [one.value.get("value") if one.status == "ok" else None for one in answers]
    found: dict[str, tuple[float, float] | None] = {}
    for place, pair in enumerate(pairs):
        two = numbers[2 * place], numbers[2 * place + 1]
        found[pair["pair_id"]] = None if None in two else (float(two[0]), float(two[1]))
    return found


def _answer(returned: Returned) -> Answer:
    if returned.status != "ok":
        return Answer(returned.status, error=returned.error)
    if not is_number(returned.value):
        return Answer("error", error=f"the likelihood is {returned.value!r}, not a number")
    return Answer("ok", {"value": float(returned.value)})
