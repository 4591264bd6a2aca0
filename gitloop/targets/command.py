"""The command target: the application is a program, started once per row.

    target: {use: command, command: [python, app/cli.py, "--fast"], timeout_s: 30}

On stdin it finds one JSON object: prompt, input, context, route, user_cohort and parameters. On
stdout it leaves one: {"output": "…"}. It runs in the repository's root, and no shell is involved.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from gitloop.callables.programs import program_sha256, require_program
from gitloop.errors import ConfigError
from gitloop.params import Prompt
from gitloop.params import Target as TargetPin
from gitloop.records import Answer, Case
from gitloop.targets.prompts import parameters, rendered, row


class CommandTarget:
    """Runs a program."""

    id: ClassVar[str] = "command"
    version: ClassVar[str] = "1"
    is_pure: ClassVar[bool] = False

    def __init__(self, pin: TargetPin, prompt: Prompt | None, root: Path) -> None:
        if not pin.command:
            raise ConfigError(
                "params.yaml: target.command is missing",
                hint='say how the application is started: target.command: ["./answer", "--json"]',
            )
        require_program(pin.command, root, key="target.command")
        self._root = root
        self._prompt = prompt
        self._timeout_s = pin.timeout_s
        self._pinned = {
            "target": f"{self.id}/{self.version}",
            "command": list(pin.command),
            "files_sha256": program_sha256(pin.command, root),
            "version": pin.version,
            "parameters": parameters(pin.parameters, prompt),
        }

    def request(self, case: Case) -> dict[str, Any]:
        """The command, the digests of its files, the rendered prompt and the row."""
        return {**self._pinned, "prompt": rendered(self._prompt, case), "row": row(case)}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """What the program answered to each request, one after the other."""
        return [self._run(request) for request in requests]

    def _run(self, request: Mapping[str, Any]) -> Answer:
        given = {
            "prompt": request["prompt"],
            **request["row"],
            "parameters": request["parameters"],
        }
        try:
            process = subprocess.Popen(
                request["command"],
                cwd=self._root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return Answer("error", error=f"{request['command'][0]} did not start: {error}")
        try:
            out, err = process.communicate(json.dumps(given).encode(), timeout=self._timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return Answer("timeout", error=f"no answer within {self._timeout_s:g} s")
        if process.returncode:
            words = err.decode(errors="replace").strip().splitlines()[-1:]
            return Answer("error", error=": ".join([f"exit code {process.returncode}", *words]))
        return _answer(out)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _answer(out: bytes) -> Answer:
    """The answer in what the program printed."""
    try:
        answer = json.loads(out)
        output = answer["output"]
    except (ValueError, KeyError, TypeError):
        shown = out.decode(errors="replace").strip()[:80]
        told = f"it printed {shown!r}" if shown else "it printed nothing"
        return Answer("unparsed", error=f'{told}, not {{"output": "…"}}')
    if not isinstance(output, str):
        return Answer("error", error=f"its output is {output!r}, not text")
    return Answer("ok", {"output": output})
