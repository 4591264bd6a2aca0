"""Where people overruled a judge → examples that a language model is shown."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core.corrections import corrections
from gitloop.errors import DataError, StaleError
from gitloop.records import Threshold, parse_thresholds
from gitloop.steps.judge.lessons import lessons
from gitloop.storage.files import read_json, write_text
from gitloop.tables import SCORES
from gitloop.workspace import Workspace

FOLDER = "rubrics/examples"
_SCORES = "loop/calibrate/scores.parquet"
_THRESHOLDS = "loop/calibrate/thresholds.json"


@dataclass(frozen=True, slots=True)
class ExamplesReport:
    """The examples that were collected.

    Attributes:
        path: Their file, relative to the root; Git tracks it.
        sha256: Its digest, which params.yaml pins.
        n: Examples in it.
        n_pass: Those that people pass.
        n_corrections: Rows on which people and the judge differ; the file may hold fewer.
        n_held_out: Labelled rows left out because calibrate.holdout_rate keeps them back.
        n_golden: Labelled rows left out because a golden set measures on them.
    """

    path: str
    sha256: str
    n: int
    n_pass: int
    n_corrections: int
    n_held_out: int
    n_golden: int


def collect_examples(directory: Path, name: str, *, most: int = 50) -> ExamplesReport:
    """Write the worst corrections of a rubric's judge to `rubrics/examples/<name>.jsonl`.

    Args:
        directory: A directory in the repository.
        name: The rubric.
        most: Most examples, those where the judge was furthest off first.

    Raises:
        ConfigError: The rubric is not pinned, or not there.
        StaleError: The judge's scores are of another text of the rubric.
        DataError: There are no scores or labels, or the judge and people agree everywhere.
    """
    workspace = Workspace(directory)
    rubric = workspace.rubric(name)
    found = lessons(workspace, rubric)
    if not (workspace.root / _SCORES).is_file():
        raise DataError(f"{_SCORES} does not exist", hint="run: dvc repro calibrate")
    scores = workspace.read(_SCORES, SCORES).filter(pl.col("rubric") == name)
    if scores.filter(pl.col("rubric_sha256") != rubric.sha256).height:
        raise StaleError(
            f"{name} changed after the judge's scores were made", hint="run: dvc repro calibrate"
        )
    known: dict[str, Threshold] = {}
    if (workspace.root / _THRESHOLDS).is_file():
        known = parse_thresholds(read_json(workspace.root / _THRESHOLDS))
    calibrated = known[name].threshold if name in known else None
    line = rubric.threshold if calibrated is None else calibrated
    overruled = corrections(found.items, scores, line)
    if overruled.is_empty():
        raise DataError(
            f"the judge of {name} and people agree on all {found.items.height} rows",
            hint="label more rows, or let the judge be as it is",
        )
    chosen = overruled.head(most).sort("trace_id")
    path = f"{FOLDER}/{name}.jsonl"
    text = "".join(_line(row) + "\n" for row in chosen.iter_rows(named=True))
    write_text(workspace.root / path, text)
    return ExamplesReport(
        path=path,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        n=chosen.height,
        n_pass=chosen.filter(pl.col("verdict") == "pass").height,
        n_corrections=overruled.height,
        n_held_out=found.n_held_out,
        n_golden=found.n_golden,
    )


def _line(row: dict[str, object]) -> str:
    fields = ("input", "context", "reference", "output")
    kept = {name: row[name] for name in fields if row[name] is not None}
    value = {"item_id": row["trace_id"], "expected": row["verdict"], **kept}
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
