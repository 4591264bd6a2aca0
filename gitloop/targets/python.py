"""The python target: the application is a function of the user's repository.

    target: {use: python, callable: "app.assistant:answer", prompt: prompts/support.md}

The function is `answer(prompt, row)`: the rendered prompt (None where the target has none), and a
dict of input, context, route, user_cohort and parameters. It returns the output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gitloop.callables import Callable, Returned
from gitloop.errors import ConfigError
from gitloop.params import Prompt
from gitloop.params import Target as TargetPin
from gitloop.records import Answer, Case
from gitloop.targets.prompts import parameters, rendered, row


class PythonTarget:
    """Runs a function of the user's repository."""

    id: ClassVar[str] = "python"
    version: ClassVar[str] = "1"
    is_pure: ClassVar[bool] = False

    def __init__(self, pin: TargetPin, prompt: Prompt | None, root: Path) -> None:
        if pin.callable is None:
            raise ConfigError(
                "params.yaml: target.callable is missing",
                hint='say where the application is: target.callable: "module:function"',
            )
        self._prompt = prompt
        self._timeout_s = pin.timeout_s
        self._callable = Callable(pin.callable, root, key="target.callable")
        self._pinned = {
            "target": f"{self.id}/{self.version}",
            "callable": pin.callable,
            "code_sha256": self._callable.sha256,
            "version": pin.version,
            "parameters": parameters(pin.parameters, prompt),
        }

    def request(self, case: Case) -> dict[str, Any]:
        """The function, its code's digest, the rendered prompt and the row."""
        return {**self._pinned, "prompt": rendered(self._prompt, case), "row": row(case)}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """What the function returned for each request, one after the other."""
        return [
            _answer(
                self._callable.call(
                    [request["prompt"], {**request["row"], "parameters": request["parameters"]}],
                    self._timeout_s,
                )
            )
            for request in requests
        ]


def _answer(returned: Returned) -> Answer:
    if returned.status != "ok":
        return Answer(returned.status, error=returned.error)
    if not isinstance(returned.value, str):
        return Answer("error", error=f"the function returned {returned.value!r}, not text")
    return Answer("ok", {"output": returned.value})
