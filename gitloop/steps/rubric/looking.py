"""The rubrics of a repository: which there are, what each says, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.documents import nearest
from gitloop.errors import ConfigError, GitloopError
from gitloop.evaluation import judge_name, open_judge, silent_change
from gitloop.params import Rubric, parse_rubric
from gitloop.plugins import names as names_of
from gitloop.storage.files import read_text
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RubricLine:
    """One rubric, as a list shows it.

    Attributes:
        rubric: Its name.
        version: Its version, or None where its file cannot be read.
        judge: The judge that params.yaml pins, or None.
        scale: binary, continuous or ordinal; None where its file cannot be read.
        requires: Fields of a row without which it cannot be judged.
        floor: Least pass rate, [0, 1], or None.
        sha256: Digest of its content, or None where its file cannot be read.
        description: One line for people, or what is wrong with its file.
    """

    rubric: str
    version: str | None
    judge: str | None
    scale: str | None
    requires: tuple[str, ...]
    floor: float | None
    sha256: str | None
    description: str


@dataclass(frozen=True, slots=True)
class RubricDetail:
    """One rubric, whole.

    Attributes:
        path: Its file, relative to the repository's root.
        rubric: Its content.
        sha256: Digest of what can change a score.
        judge: The judge that params.yaml pins, or None.
    """

    path: str
    rubric: dict[str, Any]
    sha256: str
    judge: str | None


@dataclass(frozen=True, slots=True)
class LintReport:
    """What is wrong with the rubrics.

    Attributes:
        n_rubrics: Rubrics that were looked at.
        faults: One sentence or more each, in order of the rubrics.
    """

    n_rubrics: int
    faults: tuple[str, ...]


def list_rubrics(directory: Path) -> list[RubricLine]:
    """Every rubric that has a file or a pin, by name."""
    workspace = Workspace(directory)
    return [_line(workspace, name) for name in _names(workspace)]


def show_rubric(directory: Path, name: str) -> RubricDetail:
    """A rubric's content.

    Raises:
        ConfigError: There is no such rubric, or its file is faulty.
    """
    workspace = Workspace(directory)
    rubric = _read(workspace, name)
    pin = workspace.params.rubrics.get(name)
    return RubricDetail(
        path=f"rubrics/{name}.yaml",
        rubric=rubric.model_dump(mode="json"),
        sha256=rubric.sha256,
        judge=judge_name(pin.judge) if pin else None,
    )


def lint_rubrics(directory: Path, names: Sequence[str] = ()) -> LintReport:
    """Every fault of the rubrics: of form, of pin, and of a text that changed without its version.

    Args:
        directory: A directory in the repository.
        names: The rubrics to look at; none is all.

    Raises:
        ConfigError: There is no rubric of a name that is given, or no rubric at all.
    """
    workspace = Workspace(directory)
    known = _names(workspace)
    for name in names:
        if name not in known:
            raise _unknown(name, known)
    if not known:
        raise ConfigError("there are no rubrics", hint="run: gitloop init")
    wanted = [name for name in known if not names or name in names]
    faults = [fault for name in wanted for fault in _faults(workspace, name)]
    return LintReport(len(wanted), tuple(faults))


def _names(workspace: Workspace) -> list[str]:
    files = {path.stem for path in (workspace.root / "rubrics").glob("*.yaml")}
    return sorted(files | set(workspace.params.rubrics))


def _unknown(name: str, known: list[str]) -> ConfigError:
    like = nearest(name, known)
    return ConfigError(
        f"there is no rubric {name}" + (f"; did you mean {like}?" if like else ""),
        hint="run: gitloop rubric list",
    )


def _read(workspace: Workspace, name: str) -> Rubric:
    source = f"rubrics/{name}.yaml"
    if not (workspace.root / source).is_file():
        raise _unknown(name, _names(workspace))
    return parse_rubric(read_text(workspace.root / source), source=source)


def _line(workspace: Workspace, name: str) -> RubricLine:
    pin = workspace.params.rubrics.get(name)
    judge = judge_name(pin.judge) if pin else None
    try:
        rubric = _read(workspace, name)
    except GitloopError as error:
        told = error.message.splitlines()[0]
        return RubricLine(name, None, judge, None, (), None, None, told)
    return RubricLine(
        rubric=name,
        version=rubric.version,
        judge=judge,
        scale=rubric.scale,
        requires=rubric.requires,
        floor=rubric.floor,
        sha256=rubric.sha256,
        description=rubric.description,
    )


def _faults(workspace: Workspace, name: str) -> list[str]:
    """What is wrong with one rubric; a fault of its file hides the others."""
    try:
        rubric = _read(workspace, name)
    except GitloopError as error:
        return [error.message]
    found = _unknown_kinds(rubric, name)
    if name in workspace.params.rubrics:
        try:
            open_judge(workspace, name)
        except ConfigError as error:
            found.append(error.message)
    elif rubric.name != name:
        found.append(f"rubrics/{name}.yaml is named {rubric.name}")
    silent = silent_change(workspace, rubric)
    return [*found, silent] if silent else found


def _unknown_kinds(rubric: Rubric, name: str) -> list[str]:
    """Forms for judges that are not installed: a slip of the pen, or a plug-in that is missing."""
    known = names_of("judges")
    found = []
    for kind in sorted(set(rubric.scorer) - set(known)):
        like = nearest(kind, known)
        told = f"rubrics/{name}.yaml: scorer.{kind}: no judge of that name is installed"
        found.append(told + (f"; did you mean {like}?" if like else ""))
    return found
