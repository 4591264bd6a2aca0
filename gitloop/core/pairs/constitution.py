"""A constitution: one clause per rubric, for a model that criticises and revises its own answers.

Constitutional AI (Bai et al. 2022) draws a principle, has the model criticise its answer by it, and
has it revise. The rubric that judges production is that principle, word for word: one source of
truth, with its version and digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gitloop.params import Rubric


def clauses(rubrics: Iterable[Rubric]) -> list[dict[str, Any]]:
    """One clause per rubric, by name: principle, critique request, revision request, and pins.

    A rubric says its principle in `guidance`, else in its criterion for a model, else in its
    description; one that says nothing in words makes no clause.
    """
    found = []
    for rubric in sorted(rubrics, key=lambda one: one.name):
        principle = principle_of(rubric)
        if principle:
            found.append(
                {
                    "rubric": rubric.name,
                    "version": rubric.version,
                    "sha256": rubric.sha256,
                    "principle": principle,
                    "critique_request": (
                        "Name every way in which the assistant's last answer falls short of this"
                        f" principle, and quote the words that do: {principle}"
                    ),
                    "revision_request": (
                        "Rewrite the assistant's last answer so that it follows this principle, and"
                        f" change nothing else: {principle}"
                    ),
                }
            )
    return found


def principle_of(rubric: Rubric) -> str:
    """What a rubric demands, in one paragraph, or "" where it says nothing in words."""
    asked: Mapping[str, Any] = rubric.scorer.get("openai", {})
    words = rubric.guidance or str(asked.get("instructions", "")) or rubric.description
    return " ".join(words.split())
