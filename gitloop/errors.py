"""Every way gitloop fails, and the exit code that each way has.

    GitloopError                 1    a known failure with no better code
    ├── ConfigError              4    params.yaml, dvc.yaml, a rubric, a prompt, a flag
    │   ├── WorkspaceError       4    no Git repository, a bare one, not set up, a dirty tree
    │   └── PluginError          4    no plug-in of that name, or it does not load
    ├── DataError                5    a table, a label file, a golden set, a pointer
    │   ├── TableError           5    a table that breaks its schema: every fault at once
    │   ├── MissingObjectError   5    DVC does not have the bytes that a pointer names
    │   └── StaleError           5    replay found no recorded answer; a pin does not match
    ├── ApiError                 6    a judge, a target or a remote refused
    ├── CallTimeoutError         7    a judge or a target was too slow
    └── ToolError                1    git or dvc failed for a reason of their own
        └── BranchMovedError     1    somebody else moved the branch meanwhile

A failed gate is no exception: it is a value, `records.GateReport`, and ends in exit code 2 or 3.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every gitloop command (DESIGN.md §5)."""

    OK = 0
    FAILURE = 1
    GATE_FAILED = 2
    WARNINGS = 3
    CONFIG = 4
    DATA = 5
    API = 6
    TIMEOUT = 7
    INTERNAL = 99
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """What the code tells a CI script, in a few words."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "success",
    ExitCode.FAILURE: "a known failure with no better code",
    ExitCode.GATE_FAILED: "the gate says no",
    ExitCode.WARNINGS: "warnings only, under --strict (inconclusive counts as a warning)",
    ExitCode.CONFIG: "configuration or usage",
    ExitCode.DATA: "data",
    ExitCode.API: "API",
    ExitCode.TIMEOUT: "timeout",
    ExitCode.INTERNAL: "a bug; a traceback is written to a log file",
    ExitCode.INTERRUPTED: "interrupted",
}


class GitloopError(Exception):
    """A failure that a user can understand and act on.

    Args:
        message: The fact, in one sentence or in one line per fault.
        hint: The next command or edit, without a leading "hint:".
    """

    exit_code = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(GitloopError):
    """Something that a person wrote down as configuration is wrong."""

    exit_code = ExitCode.CONFIG


class WorkspaceError(ConfigError):
    """The directory is not a place where this command can run."""


class PluginError(ConfigError):
    """A plug-in is unknown, or its entry point does not load."""


class DataError(GitloopError):
    """Data is missing, malformed, or contradicts itself."""

    exit_code = ExitCode.DATA


class TableError(DataError):
    """A table breaks its schema.

    Args:
        table: The table's name.
        problems: Every fault found, one sentence each.
        source: The file, relative to the repository, or "".
    """

    def __init__(
        self, table: str, problems: list[str], *, source: str = "", hint: str = ""
    ) -> None:
        where = f" in {source}" if source else ""
        lines = "\n".join(f"  {problem}" for problem in problems)
        plural = "problem" if len(problems) == 1 else "problems"
        super().__init__(f"table {table}{where} has {len(problems)} {plural}:\n{lines}", hint=hint)
        self.problems = problems


class MissingObjectError(DataError):
    """A DVC pointer names bytes that neither the cache nor a remote has."""


class StaleError(DataError):
    """A recorded answer, or a pinned version, does not belong to what is asked for now."""


class ApiError(GitloopError):
    """A judge, a target or a remote refused."""

    exit_code = ExitCode.API


class CallTimeoutError(GitloopError):
    """A judge or a target did not answer in time."""

    exit_code = ExitCode.TIMEOUT


class ToolError(GitloopError):
    """Git or DVC failed for a reason of their own."""


class BranchMovedError(ToolError):
    """Somebody else moved the branch between our look at it and our commit."""
