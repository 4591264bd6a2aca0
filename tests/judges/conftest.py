"""What the judges' tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitloop.judges.local import LocalJudge
from gitloop.params import JudgePin, Rubric
from gitloop.records import Case, Judgement

Score = Callable[..., Judgement]


def rubric(kind: str, /, name: str = "tone", **form: Any) -> Rubric:  # noqa: ANN401
    """A rubric with one form."""
    return Rubric(name=name, version="1", scorer={kind: form})


@pytest.fixture
def local() -> Callable[..., Score]:
    """Make a metric that gives the judgement of an output, with the row's other fields by name."""

    def make(metric: str, **arguments: Any) -> Score:  # noqa: ANN401
        judge = LocalJudge(rubric("local", metric=metric, **arguments), JudgePin(), Path())

        def score(output: str | None, **fields: str | None) -> Judgement:
            given: dict[str, Any] = {"input": "what?", **fields}
            case = Case("a", output=output, **given)
            return judge.read(judge.call([judge.request(case)])[0])

        return score

    return make
