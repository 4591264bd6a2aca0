"""Ready rubrics: what stands on the shelf, and how one comes into a repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitloop.documents import nearest
from gitloop.errors import ConfigError
from gitloop.params import parse_rubric
from gitloop.scaffold import shelf_names, shelf_text
from gitloop.storage.files import write_text
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ShelfLine:
    """A ready rubric.

    Attributes:
        rubric: Its name.
        scale: binary, continuous or ordinal.
        requires: Fields of a row without which it cannot be judged.
        judges: Kinds of judges that it has a form for.
        metric: The local judge's metric, or None.
        description: One line.
    """

    rubric: str
    scale: str
    requires: tuple[str, ...]
    judges: tuple[str, ...]
    metric: str | None
    description: str


@dataclass(frozen=True, slots=True)
class AddReport:
    """A rubric that was added.

    Attributes:
        path: Its file, relative to the root.
        judges: Kinds of judges that it has a form for, the local one first.
        pin: What params.yaml needs under `rubrics`.
    """

    path: str
    judges: tuple[str, ...]
    pin: str


def list_shelf() -> list[ShelfLine]:
    """Every ready rubric, by name."""
    return [_line(name) for name in shelf_names()]


def add_rubric(directory: Path, name: str) -> AddReport:
    """Copy a ready rubric to `rubrics/<name>.yaml`, from where it is yours.

    Raises:
        ConfigError: There is none of that name, or the repository has a rubric of that name.
    """
    known = shelf_names()
    if name not in known:
        like = nearest(name, known)
        raise ConfigError(
            f"no rubric {name} stands on the shelf" + (f"; did you mean {like}?" if like else ""),
            hint="run: gitloop rubric shelf",
        )
    workspace = Workspace(directory)
    path = f"rubrics/{name}.yaml"
    if (workspace.root / path).exists():
        raise ConfigError(f"{path} exists already", hint=f"run: gitloop rubric show {name}")
    write_text(workspace.root / path, shelf_text(name))
    judges = _line(name).judges
    judge = "{use: local}" if "local" in judges else "{use: openai, model: …}"
    return AddReport(path, judges, f'{name}: {{version: "1", judge: {judge}}}')


def _line(name: str) -> ShelfLine:
    rubric = parse_rubric(shelf_text(name), source=f"{name}.yaml")
    return ShelfLine(
        rubric=name,
        scale=rubric.scale,
        requires=rubric.requires,
        judges=tuple(sorted(rubric.scorer)),
        metric=rubric.scorer.get("local", {}).get("metric"),
        description=rubric.description,
    )
