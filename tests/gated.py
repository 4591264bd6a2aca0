"""A real repository that the gate can run in: golden set, rubric, thresholds, scores, dvc.lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from gitloop.documents import dump
from gitloop.evaluation import judge_name, judge_sha256
from gitloop.params import JudgePin, parse_rubric
from gitloop.schema import Table
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc
from gitloop.storage.golden import digest, digests_of
from gitloop.storage.lineage import Change, PartState, render_record
from gitloop.tables import GOLDEN, OUTPUTS, SCORES
from tests import gate_cases
from tests.repositories import Repository

AT = datetime(2026, 5, 20, tzinfo=UTC)
IGNORED = """\
/golden/*/data/
/loop/score/*.parquet
/loop/gate/report.html
/.gitloop/calls/
__pycache__/
"""
RUBRIC = """\
name: grounded
version: "1"
floor: 0.5
scorer:
  local: {metric: contains}
"""
PARAMS = """\
seed: 0
rubrics:
  grounded: {version: "1"}
golden:
  sets: {support: null}
"""
LOCAL = JudgePin()
SHA = parse_rubric(RUBRIC, source="rubrics/grounded.yaml").sha256
LOCK_TABLES = ("loop/score/outputs.parquet", "loop/score/scores.parquet")


class Gated:
    """A repository with everything in it that `gitloop gate` reads.

    Args:
        repository: A new repository.
        rubric: Text of the one rubric, named grounded.
        judge: Its pin.

    Attributes:
        repository: The Git and DVC repository.
        root: Its work tree.
    """

    def __init__(
        self, repository: Repository, rubric: str = RUBRIC, judge: JudgePin = LOCAL
    ) -> None:
        self.repository = repository
        self.pins = _pins(rubric, judge)
        self.root = repository.root
        self.store = Dvc(repository.root, repository.root / ".git")
        repository.gen(
            {
                ".gitignore": IGNORED,
                "params.yaml": PARAMS.replace(
                    '{version: "1"}', json.dumps({"version": "1", "judge": judge.model_dump()})
                ),
                "rubrics/grounded.yaml": rubric,
                "golden/support/dataset.yaml": "name: support\n",
                "loop/baseline/baseline.json": json.dumps(
                    {"schema": "gitloop.baseline/v1", "runs": []}
                ),
                "loop/calibrate/thresholds.json": thresholds(**self.pins),
            },
            commit="Set up",
        )

    def promote(self, rows: pl.DataFrame, part: str = "2026.05-aaaaaa") -> None:
        """Write the rows as a part of the golden set, with its pointer and a record."""
        data = self.root / f"golden/support/data/{part}.parquet"
        parquet.write(data, GOLDEN, rows)
        stored = self.store.store(data)
        digests = digests_of(rows)
        change = Change(
            kind="promote",
            set_name="support",
            heads=(),
            base_sha256=None,
            row_digests=digests,
            parts=[PartState(part, stored.md5, digest(rows), rows.height)],
            at=AT,
            added=list(digests),
        )
        self.repository.gen(
            {
                f"golden/support/parts/{part}.parquet.dvc": stored.render() + "wdir: ../data\n",
                f"golden/support/log/{change.id}.yaml": render_record(change),
            }
        )

    def score(
        self,
        rows: pl.DataFrame,
        figures: Sequence[float | str | None],
        said: Sequence[str | None] | None = None,
    ) -> None:
        """Write the run's tables and a dvc.lock that names them, as `dvc repro score` would."""
        pins = {name: self.pins[name] for name in ("rubric_sha256", "judge")}
        scored = gate_cases.scores(rows, {"grounded": figures}, **pins)
        tables: list[tuple[str, Table, pl.DataFrame]] = [
            (LOCK_TABLES[0], OUTPUTS, gate_cases.outputs(rows, said)),
            (LOCK_TABLES[1], SCORES, scored),
        ]
        outs = []
        for path, table, frame in tables:
            parquet.write(self.root / path, table, frame)
            pointer = self.store.store(self.root / path)
            outs.append({"path": path, "hash": "md5", "md5": pointer.md5, "size": pointer.size})
        lock = {"schema": "2.0", "stages": {"score": {"cmd": "gitloop score", "outs": outs}}}
        self.repository.gen({"dvc.lock": dump(lock)})

    def commit(self, message: str) -> str:
        """Commit everything, and return the commit's id."""
        return self.repository.commit(message, ".")


def thresholds(**changes: object) -> str:
    """A thresholds.json that calibrates the rubric at 0.5."""
    entry = {
        "status": "calibrated",
        "threshold": 0.5,
        "comparison": ">=",
        "interval": None,
        "reason": "",
        "rubric_version": "1",
        "n": 100,
        "n_positive": 50,
        "confusion": {"tp": 45, "fp": 5, "fn": 5, "tn": 45},
        "cross_fitted_confusion": None,
        "warnings": [],
    }
    entry |= _pins(RUBRIC, LOCAL) | changes
    value = {"schema": "gitloop.thresholds/v1", "params": {}, "rubrics": {"grounded": entry}}
    return json.dumps(value)


def _pins(rubric: str, judge: JudgePin) -> dict[str, str]:
    """What a threshold and a score belong to."""
    parsed = parse_rubric(rubric, source="rubrics/grounded.yaml")
    return {
        "rubric_sha256": parsed.sha256,
        "judge": judge_name(judge),
        "judge_sha256": judge_sha256(parsed, judge),
    }


def gated(root: Path) -> Gated:
    """A new repository in `root`, on the branch main."""
    return Gated(Repository.create(root))
