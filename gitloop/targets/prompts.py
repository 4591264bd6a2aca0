"""A prompt with a row's values filled in, as every target sends it."""

from __future__ import annotations

from typing import Any

from gitloop.params import Prompt
from gitloop.records import Case


def rendered(prompt: Prompt | None, case: Case) -> str | None:
    """The prompt's text for a case, or None where the target has no prompt.

    A template may use input, context, route and user_cohort ("" where the row has none), the
    prompt's own values and instructions, and the variables of its `space` (their first value where
    it has chosen none). It never sees the reference.

    Raises:
        ConfigError: The template uses another variable, or does not run.
    """
    if prompt is None:
        return None
    return prompt.render(
        {
            "input": case.input,
            "context": case.context or "",
            "route": case.route or "",
            "user_cohort": case.user_cohort or "",
        }
    )


def row(case: Case) -> dict[str, Any]:
    """What the application is told of a case; never its id, its reference or its labels."""
    return {
        "input": case.input,
        "context": case.context,
        "route": case.route,
        "user_cohort": case.user_cohort,
    }


def parameters(pinned: dict[str, Any], prompt: Prompt | None) -> dict[str, Any]:
    """The pin's parameters, overridden by those that go with the prompt."""
    return {**pinned, **(prompt.head.parameters if prompt else {})}
