"""The recorded judge: scores that another tool, or people, gave and a table holds.

    judge:
      use: recorded
      parameters: {table: data/judge.parquet, where: {judge: gpt-4o}, scale: {min: 1, max: 5}}

The table (Parquet or JSON lines) has the columns item_id or trace_id, and score; where it has them,
rubric, replicate, status and reason count too. With a column output, a score counts for that output
alone: one table then holds the scores of several applications' answers to the same row. A row
without a recorded score is missing, not 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from gitloop.arguments import Argument, check
from gitloop.errors import ConfigError, DataError
from gitloop.params import JudgePin, Rubric
from gitloop.records import Answer, Case, Judgement
from gitloop.tables import STATUSES

_PARAMETERS = {
    "table": Argument("text", "Parquet or JSON lines file, relative to the repository's root"),
    "where": Argument("mapping", "column → value: which of the table's rows count", default={}),
    "scale": Argument("mapping", "min and max of the recorded scores", default={}),
}
_SCALE = {
    "min": Argument("number", "the recorded score that is worst", default=0.0),
    "max": Argument("number", "the recorded score that is best", default=1.0),
}
_IDS = ("item_id", "trace_id")


class RecordedJudge:
    """Scores by look-up in a table."""

    id: ClassVar[str] = "recorded"
    version: ClassVar[str] = "1"
    returns: ClassVar[str] = "0 to 1, by its scale"
    takes: ClassVar[Mapping[str, Argument]] = _PARAMETERS
    is_pure: ClassVar[bool] = True

    def __init__(self, rubric: Rubric, pin: JudgePin, root: Path) -> None:
        key = f"params.yaml: rubrics.{rubric.name}.judge.parameters"
        parameters = check(pin.parameters, _PARAMETERS, where=key)
        scale = check(parameters["scale"], _SCALE, where=f"{key}.scale")
        if scale["min"] == scale["max"]:
            raise ConfigError(f"{key}.scale: min and max are equal", hint="edit params.yaml")
        self._worst, self._best = float(scale["min"]), float(scale["max"])
        self._scores = _read(root / parameters["table"], parameters, rubric.name)
        self.files = [parameters["table"]]
        self._tells_outputs = any(output is not None for _, _, output in self._scores)

    def request(self, case: Case) -> dict[str, Any]:
        """Which row of the table is asked for."""
        output = case.output if self._tells_outputs else None
        return {"item_id": case.item_id, "replicate": case.replicate, "output": output}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The recorded judgement of each request."""
        keys = [(asked["item_id"], asked["replicate"], asked["output"]) for asked in requests]
        return [Answer("ok", asdict(self._judgement(key))) for key in keys]

    def read(self, answer: Answer) -> Judgement:
        """The judgement in an answer."""
        return Judgement(**answer.value)

    def _judgement(self, key: Key) -> Judgement:
        row = self._scores.get(key)
        if row is None:
            of_what = " for this output" if self._tells_outputs else ""
            return Judgement("missing", None, f"no score was recorded{of_what}")
        status, recorded, reason = row
        if status != "ok":
            return Judgement(status, None, reason or f"recorded as {status}")
        if not isinstance(recorded, int | float) or math.isnan(recorded):
            return Judgement("unparsed", None, f"the recorded score is {recorded!r}, not a number")
        score = (recorded - self._worst) / (self._best - self._worst)
        if not 0 <= score <= 1:
            told = f"the recorded score is {recorded:g}, outside {self._worst:g} … {self._best:g}"
            return Judgement("error", None, told)
        return Judgement("ok", round(score, 6), reason)


Key = tuple[str, int, str | None]
"""item_id, replicate, and the output that was scored where the table tells it."""

Recorded = dict[Key, tuple[str, Any, str]]
"""Key → status, score as recorded, reason."""


def _read(path: Path, parameters: Mapping[str, Any], rubric: str) -> Recorded:
    """The table's rows that `where` and the rubric let through.

    Raises:
        DataError: The file is not there, is no such table, or has two scores for one key.
    """
    source = parameters["table"]
    rows = read_rows(path, source)
    columns = set().union(*rows) if rows else set()
    named = next((name for name in _IDS if name in columns), _IDS[0])
    absent = {named, "score", *parameters["where"]} - columns
    if rows and absent:
        raise DataError(
            f"{source} has no column {' and no column '.join(sorted(absent))}",
            hint=f"it has {', '.join(sorted(columns))}",
        )
    where = dict(parameters["where"])
    if "rubric" in columns:
        where.setdefault("rubric", rubric)
    found: Recorded = {}
    for row in rows:
        if any(row.get(name) != value for name, value in where.items()):
            continue
        key = (str(row[named]), int(row.get("replicate") or 0), row.get("output"))
        if key in found:
            raise DataError(
                f"{source} has two scores for {key[0]}, replicate {key[1]}",
                hint=f"narrow rubrics.{rubric}.judge.parameters.where",
            )
        status = str(row.get("status") or "ok")
        reason = row.get("reason") or row.get("rationale") or ""
        found[key] = (status if status in STATUSES else "error", row.get("score"), str(reason))
    return found


def read_rows(path: Path, source: str) -> list[dict[str, Any]]:
    """The rows of a Parquet or JSON lines file.

    Raises:
        DataError: The file is not there, or is neither.
    """
    if not path.is_file():
        raise DataError(f"{source} does not exist", hint="run: dvc pull, or edit params.yaml")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path, hive_partitioning=False).to_dicts()
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(
            f"{source} is not a readable table: {str(error).splitlines()[0]}"
        ) from error
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{source} holds a line that is no JSON object")
    return rows
