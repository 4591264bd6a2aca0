"""Cases through the application under test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gitloop.evaluation.calling import ask, refuse_errors, storable
from gitloop.params import Prompt
from gitloop.plugins import load
from gitloop.protocols import Progress, Target, silent
from gitloop.records import Answer, Case
from gitloop.storage.calls import CallStore
from gitloop.workspace import Workspace


def open_target(workspace: Workspace, prompt: Prompt | None = None) -> Target:
    """The application under test, with its own prompt or with another.

    Raises:
        ConfigError: The plug-in has another version than `target.parameters` ask for, or the pin
            lacks what that kind of target needs.
    """
    pin = workspace.params.target
    found: Target = load("targets", pin.use)(pin, prompt or workspace.prompt(), workspace.root)
    return found


def run_target(
    workspace: Workspace,
    cases: Sequence[Case],
    store: CallStore,
    replicates: int = 1,
    prompt: Prompt | None = None,
    progress: Progress = silent,
) -> list[Answer]:
    """What the application answers: `replicates` answers per case, one case after the other.

    An answer's value holds `output` when its status is "ok".

    Raises:
        ConfigError: The target or the prompt is misconfigured.
        StaleError: Mode replay, and an answer was never recorded.
        ApiError: More calls failed than `score.max_error_rate` allows.
        CallTimeoutError: The same, and most of them were too slow.
    """
    target = open_target(workspace, prompt)
    requests = [
        target.request(replace(case, replicate=r)) for case in cases for r in range(replicates)
    ]
    answers = ask("target", target, requests, store, progress)
    answers = [_with_text(answer) for answer in answers]
    limit = workspace.params.score.max_error_rate
    refuse_errors("target", [(answer.status, answer.error) for answer in answers], limit)
    return answers


def with_outputs(cases: Sequence[Case], answers: Sequence[Answer]) -> list[Case]:
    """One case per answer, numbered as replicates, with the output where the answer has one.

    Args:
        cases: What `run_target` was given.
        answers: What it returned.
    """
    replicates = len(answers) // len(cases) if cases else 0
    expanded = [replace(case, replicate=r) for case in cases for r in range(replicates)]
    return [
        replace(case, output=answer.value.get("output") if answer.status == "ok" else None)
        for case, answer in zip(expanded, answers, strict=True)
    ]


def _with_text(answer: Answer) -> Answer:
    """The answer with an output that a table can hold, or with an error instead."""
    if answer.status != "ok":
        return answer
    output = answer.value.get("output")
    if not isinstance(output, str):
        kind = type(output).__name__
        return replace(answer, status="error", value={}, error=f"the output is {kind}, not text")
    return replace(answer, value={**answer.value, "output": storable(output)})
