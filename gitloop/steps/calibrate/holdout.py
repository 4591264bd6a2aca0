"""The pinned human holdout: how the judges do on it, and whether anything learned from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core import calibrate as core
from gitloop.core.calibrate import Leak
from gitloop.errors import ConfigError
from gitloop.judges.classifier.model import row_digest
from gitloop.records import HoldoutCheck
from gitloop.steps.calibrate.inputs import FOLDER, fit_policy, gather, read_traces, some_labels
from gitloop.storage.files import read_json, read_text
from gitloop.tables import GOLDEN, SCORES
from gitloop.workspace import Workspace

TEXTS = ("prompts/*.md", "rubrics/*.yaml")
"""Files that may hold examples."""


@dataclass(frozen=True, slots=True)
class RubricHoldout:
    """One rubric's pinned holdout.

    Attributes:
        rubric: The rubric.
        n_labelled: Items with a verdict.
        n_held_out: Those of them that are pinned.
        check: Judge against people there, or None without a threshold or a pinned item.
        reason: Why there is no check; "" when there is one.
    """

    rubric: str
    n_labelled: int
    n_held_out: int
    check: HoldoutCheck | None
    reason: str


@dataclass(frozen=True, slots=True)
class HoldoutReport:
    """What `gitloop calibrate --holdout` found.

    Attributes:
        rate: Share of groups that are pinned.
        rubrics: By name.
        leaks: Pinned rows that something may have learned from.
    """

    rate: float
    rubrics: tuple[RubricHoldout, ...]
    leaks: tuple[Leak, ...]


def holdout(directory: Path) -> HoldoutReport:
    """How the judges do on the pinned holdout, and who has seen its rows. No judge is called.

    Looked at are the train and validation rows of the golden sets, prompts and rubrics (examples
    in them), the examples of `gitloop judge examples`, and the training sets of classifiers.

    Args:
        directory: A directory in the repository.

    Raises:
        ConfigError: Nothing is pinned.
        DataError: There are no labels, or nothing is calibrated yet.
    """
    workspace = Workspace(directory)
    rate = workspace.params.calibrate.holdout_rate
    if not rate:
        raise ConfigError(
            "no label is pinned: calibrate.holdout_rate is 0",
            hint="set calibrate.holdout_rate: 0.2 in params.yaml, then: dvc repro calibrate",
        )
    scores = workspace.read(f"{FOLDER}/scores.parquet", SCORES)
    gathered = gather(workspace, some_labels(workspace).labels, read_traces(workspace))
    found = []
    for evidence in gathered:
        calibrated = core.fit(evidence, scores, fit_policy(workspace))
        pinned = evidence.items.filter("is_held_out").height
        reason = calibrated.reason or ("" if calibrated.holdout else "no pinned item has a score")
        found.append(
            RubricHoldout(
                rubric=evidence.rubric,
                n_labelled=evidence.items.height,
                n_held_out=pinned,
                check=calibrated.holdout,
                reason=reason,
            )
        )
    held = pl.concat([one.items.filter("is_held_out") for one in gathered]).unique("trace_id")
    return HoldoutReport(rate, tuple(found), tuple(_leaks(workspace, held.sort("trace_id"), rate)))


def _leaks(workspace: Workspace, held: pl.DataFrame, rate: float) -> list[Leak]:
    names = sorted(workspace.params.golden.sets)
    golden = pl.concat([GOLDEN.empty(), *(workspace.golden(name).read() for name in names)])
    files = [path for pattern in TEXTS for path in sorted(workspace.root.glob(pattern))]
    texts = {str(path.relative_to(workspace.root)): read_text(path) for path in files}
    return [
        *core.golden_leaks(golden, rate),
        *core.quoted_leaks(held, texts),
        *core.trained_leaks(held, _taught(workspace.root, held)),
    ]


def _taught(root: Path, held: pl.DataFrame) -> dict[str, list[str]]:
    """File → trace ids of the held-out rows that a classifier or a list of examples holds."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.glob("models/*.json")):
        value = read_json(path)
        seen = set(value.get("seen", ())) if isinstance(value, dict) else set[str]()
        rows = held.select("trace_id", "input", "context").iter_rows(named=True)
        found[f"models/{path.name}"] = [row["trace_id"] for row in rows if row_digest(row) in seen]
    for path in sorted(root.glob("rubrics/examples/*.jsonl")):
        name = f"rubrics/examples/{path.name}"
        found[name] = re.findall(r'"item_id": *"([^"\\]+)"', read_text(path))
    return found
