"""People's labels → the model file of a classifier judge."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gitloop.errors import ToolError
from gitloop.judges.classifier.model import Training, to_json
from gitloop.judges.classifier.training import Lesson, train
from gitloop.steps.judge.lessons import lessons
from gitloop.storage.files import write_json, write_text
from gitloop.workspace import Workspace

FOLDER = "models"


@dataclass(frozen=True, slots=True)
class TrainReport:
    """A classifier that was trained.

    Attributes:
        training: What it was trained on, and how good it is on rows that it had not seen.
        path: Its file, which DVC tracks, relative to the root.
        sha256: Digest of the file, which params.yaml pins.
        n_held_out: Labelled rows left out because calibrate.holdout_rate keeps them back.
        n_golden: Labelled rows left out because a golden set measures on them.
    """

    training: Training
    path: str
    sha256: str
    n_held_out: int
    n_golden: int


def train_judge(directory: Path, name: str) -> TrainReport:
    """Fit a classifier on the labels of a rubric; write `models/<name>.json` and its DVC pointer.

    Raises:
        ConfigError: The rubric is not pinned, or not there.
        DataError: The labels are too few. Nothing was written.
    """
    workspace = Workspace(directory)
    rubric = workspace.rubric(name)
    found = lessons(workspace, rubric)
    known = [
        Lesson(
            row={key: row[key] for key in ("input", "context", "reference", "output")},
            passes=row["verdict"] == "pass",
            group=row["group_id"],
        )
        for row in found.items.iter_rows(named=True)
    ]
    params = workspace.params
    made = train(rubric, known, folds=params.calibrate.folds, seed=params.seed)
    path = f"{FOLDER}/{name}.json"
    write_json(workspace.root / path, to_json(made))
    _track(workspace, path)
    return TrainReport(
        training=made.training,
        path=path,
        sha256=hashlib.sha256((workspace.root / path).read_bytes()).hexdigest(),
        n_held_out=found.n_held_out,
        n_golden=found.n_golden,
    )


def _track(workspace: Workspace, path: str) -> None:
    """Give the file to DVC, and keep it out of Git."""
    file = workspace.root / path
    write_text(file.with_name(f"{file.name}.dvc"), workspace.dvc.store(file).render())
    try:
        workspace.git.run("check-ignore", "-q", "--", path)
    except ToolError:  # git's way to say no
        ignores = file.parent / ".gitignore"
        before = ignores.read_text(encoding="utf-8") if ignores.is_file() else ""
        write_text(ignores, f"{before}/{file.name}\n")
