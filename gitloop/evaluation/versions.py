"""A rubric's text must not change without its version: scores of both would mix."""

from __future__ import annotations

from collections.abc import Iterable

from gitloop.documents import parse
from gitloop.errors import ConfigError
from gitloop.params import Rubric, parse_rubric
from gitloop.workspace import Workspace


def refuse_silent_changes(workspace: Workspace, rubrics: Iterable[Rubric]) -> None:
    """Refuse rubrics whose version has had another content before.

    Raises:
        ConfigError: Each of them, with the commit that has the other content.
    """
    told = [change for rubric in rubrics if (change := silent_change(workspace, rubric))]
    if told:
        raise ConfigError("\n".join(told), hint="run: gitloop rubric diff NAME COMMIT")


def silent_change(workspace: Workspace, rubric: Rubric) -> str:
    """Which earlier commit has the same version of the rubric with another content, or ""."""
    source = f"rubrics/{rubric.name}.yaml"
    head = workspace.git.head()
    if head is None:
        return ""
    key = (str(workspace.root), head, rubric.name, rubric.version, rubric.sha256)
    if key not in _TOLD:
        _TOLD[key] = _change(workspace, rubric, source)
    return _TOLD[key]


_TOLD: dict[tuple[str, str, str, str, str], str] = {}
"""What is known of a rubric's text at a commit, since an optimizer's every batch opens judges."""


def _change(workspace: Workspace, rubric: Rubric, source: str) -> str:
    raw = workspace.git.text("log", "--raw", "--no-abbrev", "--format=%h", "HEAD", "--", source)
    commit = ""
    for line in raw.splitlines():
        if not line.startswith(":"):
            commit = line or commit
            continue
        earlier = _parsed(workspace, line.split()[3], source)
        if earlier and earlier.version == rubric.version and earlier.sha256 != rubric.sha256:
            other = f"and so is another text of it in {commit[:9]}"
            told = f"{source} is version {rubric.version}, {other}"
            return f"{told}: bump it there and in params.yaml, because scores of both would mix"
    return ""


def _parsed(workspace: Workspace, blob: str, source: str) -> Rubric | None:
    """The rubric in a blob, or None where it was deleted or faulty then."""
    if set(blob) == {"0"}:
        return None
    content = workspace.git.run("cat-file", "blob", blob)
    try:
        value = parse(content.decode(), source=source).value
        return parse_rubric(content.decode(), source=source) if value else None
    except (ConfigError, UnicodeDecodeError):
        return None
