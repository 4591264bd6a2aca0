"""The python judge: a function of the user's repository scores `(row, output)`.

    judge: {use: python, parameters: {callable: "app.judges:polite", timeout_s: 10}}

The function is `polite(row, output)`; row holds input, context, reference, route, user_cohort and
`arguments`, which is the rubric's `scorer: {python: {…}}`. It returns a score in [0, 1], higher is
better, or a pair of score and reason. Whatever else it returns, or raises, is an error and never a
score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gitloop.arguments import Argument, check
from gitloop.callables import Callable, Returned, code_files
from gitloop.params import JudgePin, Rubric
from gitloop.records import Answer, Case, Judgement

_PARAMETERS = {
    "callable": Argument("text", "module:function, found from the repository's root"),
    "timeout_s": Argument("number", "seconds for one row, > 0", default=60.0, low=0.001),
}


class PythonJudge:
    """Scores by a function of the user's repository."""

    id: ClassVar[str] = "python"
    version: ClassVar[str] = "1"
    returns: ClassVar[str] = "0 to 1, as the function says"
    takes: ClassVar[Mapping[str, Argument]] = _PARAMETERS
    is_pure: ClassVar[bool] = False

    def __init__(self, rubric: Rubric, pin: JudgePin, root: Path) -> None:
        key = f"rubrics.{rubric.name}.judge.parameters"
        parameters = check(pin.parameters, _PARAMETERS, where=f"params.yaml: {key}")
        self._timeout_s = float(parameters["timeout_s"])
        self._callable = Callable(parameters["callable"], root, key=f"{key}.callable")
        self.files = code_files(parameters["callable"], root, key=f"{key}.callable")
        self._pinned = {
            "judge": f"{self.id}/{self.version}",
            "callable": parameters["callable"],
            "code_sha256": self._callable.sha256,
            "rubric_sha256": rubric.sha256,
            "arguments": rubric.scorer[self.id],
        }

    def request(self, case: Case) -> dict[str, Any]:
        """The function, its code's digest, the rubric and the row."""
        row = {
            "input": case.input,
            "context": case.context,
            "reference": case.reference,
            "route": case.route,
            "user_cohort": case.user_cohort,
        }
        return {**self._pinned, "row": row, "output": case.output}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """What the function said of each request, one after the other."""
        return [
            _answer(
                self._callable.call(
                    [{**request["row"], "arguments": request["arguments"]}, request["output"]],
                    self._timeout_s,
                )
            )
            for request in requests
        ]

    def read(self, answer: Answer) -> Judgement:
        """The judgement in an answer."""
        return Judgement("ok", answer.value["score"], answer.value["reason"])


def _answer(returned: Returned) -> Answer:
    """The answer in what a function returned, if that is a score."""
    if returned.status != "ok":
        return Answer(returned.status, error=returned.error)
    is_pair = isinstance(returned.value, list) and len(returned.value) == 2
    score, reason = returned.value if is_pair else (returned.value, "")
    if isinstance(score, bool):
        score = float(score)
    if not isinstance(score, int | float) or not 0 <= score <= 1:  # NaN compares false
        return Answer(
            "error", error=f"the function returned {returned.value!r}, no score in [0, 1]"
        )
    if not isinstance(reason, str):
        return Answer("error", error=f"the function's reason is {reason!r}, not text")
    return Answer("ok", {"score": float(score), "reason": reason})
