"""`--format github` and `--format gitlab`: findings as the forges show them beside a change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from gitloop.reports import gate_figures as figures
from gitloop.reports.gate_findings import findings

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
_SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


class GithubRenderer:
    """Renders a gate document as workflow commands: the verdict, then a line per finding."""

    id: ClassVar[str] = "github"
    version: ClassVar[str] = "1"

    def render(self, value: Mapping[str, Any]) -> str:
        """The value as lines that a GitHub Actions log turns into annotations.

        Raises:
            DataError: The value is no gate document.
        """
        found = findings(value)
        command = {"pass": "notice", "warn": "warning"}.get(value["verdict"], "error")
        word = figures.VERDICTS[value["verdict"]]
        lines = [f"::{command} title=gitloop gate {word}::{_data(figures.headline(value))}"]
        lines += [
            f"::{_COMMANDS[one.level]} file={_property(one.path)},"
            f"title=gitloop gate/{one.rule}::{_data(one.message)}"
            for one in found
        ]
        return "\n".join(lines)


class GitlabRenderer:
    """Renders a gate document as a GitLab code quality report."""

    id: ClassVar[str] = "gitlab"
    version: ClassVar[str] = "1"

    def render(self, value: Mapping[str, Any]) -> str:
        """The value as a JSON array of issues.

        Raises:
            DataError: The value is no gate document.
        """
        issues = [
            {
                "check_name": f"gate/{one.rule}",
                "description": one.message,
                "fingerprint": one.fingerprint,
                "severity": _SEVERITIES[one.level],
                "location": {"path": one.path, "lines": {"begin": 1}},
            }
            for one in findings(value)
        ]
        return json.dumps(issues, indent=2, sort_keys=True, ensure_ascii=False)


def _data(text: str) -> str:
    """Text as a workflow command's message: a line break would end the command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Text as a workflow command's property, which ends at a colon or comma."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
