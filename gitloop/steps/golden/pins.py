"""Pin a golden set's version in params.yaml, for a gate that must not move."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gitloop.documents import Path as Place
from gitloop.documents import parse, scalar
from gitloop.errors import ConfigError, DataError
from gitloop.params import parse_params
from gitloop.steps.golden.reading import open_set
from gitloop.storage.files import read_text, write_text
from gitloop.storage.golden_versions import split_name
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PinReport:
    """What params.yaml says now.

    Attributes:
        set: The golden set.
        before: The pin before, or None.
        after: The pin now; None where the newest version counts.
        is_here: Whether the work tree holds the pinned version.
    """

    set: str
    before: str | None
    after: str | None
    is_here: bool


def pin(directory: Path, text: str, *, unpins: bool = False) -> PinReport:
    """Write the version into params.yaml; comments and everything else stay as they are.

    Args:
        directory: A directory in the work tree.
        text: NAME@VERSION, or NAME for the version that is here. A tag's version is written as the
            set's own.
        unpins: Take the pin away instead.

    Raises:
        DataError: There is no such set, or no commit has that version.
    """
    workspace = Workspace(directory)
    name, version = split_name(text)
    here = open_set(workspace, name).version()
    before = workspace.params.golden.sets.get(name)
    after = None if unpins else workspace.golden_at(name, version or here).version()
    _write(workspace.root / "params.yaml", name, after)
    return PinReport(name, before, after, after in (None, here))


def _write(path: Path, name: str, version: str | None) -> None:
    """Change the one line of params.yaml that holds the pin, or add it."""
    text = read_text(path)
    new = _with_pin(text, name, scalar(version))
    try:
        is_right = parse_params(new).golden.sets.get(name, "") == version
    except ConfigError:
        is_right = False
    if not is_right:
        raise DataError(
            "params.yaml is written in a way that cannot be edited line by line",
            hint=f"edit it: golden.sets.{name}: {scalar(version)}",
        )
    write_text(path, new)


def _with_pin(text: str, name: str, value: str) -> str:
    document = parse(text, source="params.yaml")
    golden = (document.value or {}).get("golden")
    lines = text.splitlines(keepends=True)
    if golden is None:
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}golden:\n  sets:\n    {name}: {value}\n"
    if name in (golden.get("sets") or {}):
        number = document.line(("golden", "sets", name)) - 1
        lines[number] = re.sub(
            rf"^(\s*{re.escape(name)}:)[^#\n]*?(\s*(?:#.*)?)$", rf"\g<1> {value}\2", lines[number]
        )
        return "".join(lines)
    path: Place = ("golden", "sets") if "sets" in golden else ("golden",)
    number = document.line(path) - 1
    indent = " " * (len(lines[number]) - len(lines[number].lstrip()) + 2)
    new = f"{indent}{name}: {value}\n"
    if len(path) == 1:
        new = f"{indent}sets:\n{indent}  {name}: {value}\n"
    lines[number] = re.sub(r":[ \t]*(\{\s*\}|null|~)?(\s*(?:#.*)?)$", r":\2", lines[number])
    return "".join([*lines[: number + 1], new, *lines[number + 1 :]])
