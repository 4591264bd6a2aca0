"""The exec judge: a program of yours scores, JSON lines in and out.

    judge: {use: exec, parameters: {command: [node, judges/tone.mjs], timeout_s: 30}}

The program is started once, in the repository's root, and no shell is involved. For each line on
its stdin it leaves one line on its stdout:

    {"row": {"input": …, "context": …, "reference": …, "route": …, "user_cohort": …},
     "output": "…", "arguments": {…}}
    {"score": 0.8, "reason": "why"}   or   {"error": "what went wrong"}

`arguments` is the rubric's `scorer: {exec: {…}}`. Whatever else it says is an error and never a
score. Through it come judges that another language, or another client, brings.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gitloop.arguments import Argument, check
from gitloop.callables.lines import LineProcess
from gitloop.callables.programs import program_files, program_sha256, require_program
from gitloop.params import JudgePin, Rubric
from gitloop.records import Answer, Case, Judgement

_PARAMETERS = {
    "command": Argument("words", "the program and its arguments", low=1),
    "timeout_s": Argument("number", "seconds for one row, > 0", default=60.0, low=0.001),
}


class ExecJudge:
    """Scores by a program of yours, JSON lines in and out."""

    id: ClassVar[str] = "exec"
    version: ClassVar[str] = "1"
    returns: ClassVar[str] = "0 to 1, as the program says"
    takes: ClassVar[Mapping[str, Argument]] = _PARAMETERS
    is_pure: ClassVar[bool] = False

    def __init__(self, rubric: Rubric, pin: JudgePin, root: Path) -> None:
        key = f"rubrics.{rubric.name}.judge.parameters"
        parameters = check(pin.parameters, _PARAMETERS, where=f"params.yaml: {key}")
        self._command = list(parameters["command"])
        require_program(self._command, root, key=f"{key}.command")
        self._timeout_s = float(parameters["timeout_s"])
        self._root = root
        self._process: LineProcess | None = None
        self.files = program_files(self._command, root)
        self._pinned = {
            "judge": f"{self.id}/{self.version}",
            "command": self._command,
            "files_sha256": program_sha256(self._command, root),
            "rubric_sha256": rubric.sha256,
            "arguments": rubric.scorer[self.id],
        }
        atexit.register(self.stop)

    def request(self, case: Case) -> dict[str, Any]:
        """The command, the digests of its files, the rubric and the row."""
        names = ("input", "context", "reference", "route", "user_cohort")
        row = {name: getattr(case, name) for name in names}
        return {**self._pinned, "row": row, "output": case.output}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """What the program said of each request, one after the other."""
        return [self._ask(request) for request in requests]

    def read(self, answer: Answer) -> Judgement:
        """The judgement in an answer."""
        return Judgement("ok", answer.value["score"], answer.value["reason"])

    def stop(self) -> None:
        """End the program."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _ask(self, request: Mapping[str, Any]) -> Answer:
        if self._process is None:
            try:
                self._process = LineProcess(self._command, self._root)
            except OSError as error:
                return Answer("error", error=f"{self._command[0]} did not start: {error}")
        asked = {name: request[name] for name in ("row", "output", "arguments")}
        self._process.send(json.dumps(asked))  # one that has ended is told by `receive`
        line = self._process.receive(self._timeout_s)
        if line:
            return _answer(line)
        ended, self._process = self._process, None
        code = ended.stop(grace_s=2.0 if line == b"" else 0.0)
        if line is None:
            return Answer("timeout", error=f"no answer within {self._timeout_s:g} s")
        return Answer("error", error=f"the program ended with code {code} in the middle of a call")


def _answer(line: bytes) -> Answer:
    """The answer in a line, if that is a score."""
    shown = line.decode(errors="replace").strip()[:80]
    try:
        said = json.loads(line)
    except ValueError:
        return Answer("unparsed", error=f"it printed {shown!r}, no JSON")
    if not isinstance(said, dict):
        return Answer("unparsed", error=f"it printed {shown!r}, no JSON object")
    if said.get("error"):
        return Answer("error", error=str(said["error"]))
    score, reason = said.get("score"), said.get("reason", "")
    number = score if isinstance(score, int | float) and not isinstance(score, bool) else None
    if number is None or not 0 <= number <= 1:  # NaN compares false
        return Answer("error", error=f"the program's score is {score!r}, not a number in [0, 1]")
    if not isinstance(reason, str):
        return Answer("error", error=f"the program's reason is {reason!r}, not text")
    return Answer("ok", {"score": float(number), "reason": reason})
