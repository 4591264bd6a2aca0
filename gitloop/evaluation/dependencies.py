"""What a stage reads must stand in dvc.yaml, or DVC does not notice that it changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from gitloop.errors import ConfigError
from gitloop.evaluation.judging import BoundJudge
from gitloop.workspace import Workspace


def require_dependencies(workspace: Workspace, command: str, judges: Iterable[BoundJudge]) -> None:
    """Refuse when a judge reads a file that the command's stage in dvc.yaml does not depend on.

    A file whose digest a pin holds need not stand there. Without such a stage nothing is refused.

    Args:
        workspace: The checkout.
        command: The stage's command, e.g. "gitloop score".
        judges: The judges that the stage asks.

    Raises:
        ConfigError: Every such file, with the rubric that reads it.
    """
    read = {
        file: bound.rubric.name for bound in judges for file in getattr(bound.judge, "files", ())
    }
    for name, stage in workspace.pipeline.stages.items():
        if not read or command not in str(stage.cmd):
            continue
        known = {PurePosixPath(dep) for dep in stage.dependencies()}
        absent = [file for file in sorted(read) if not _is_covered(PurePosixPath(file), known)]
        if absent:
            told = " and ".join(f"{file} (the judge of {read[file]} reads it)" for file in absent)
            raise ConfigError(
                f"dvc.yaml: the stage {name} does not depend on {told},"
                " so a change of it would not be scored",
                hint=f"add {' and '.join(absent)} to stages.{name}.deps in dvc.yaml",
            )


def _is_covered(file: PurePosixPath, known: set[PurePosixPath]) -> bool:
    """Whether the file, or a folder that holds it, is a dependency."""
    return not known.isdisjoint([file, *file.parents])
