"""What the gate decides on: frames, pins and the policy, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from gitloop.params import Gate
from gitloop.records import Threshold


@dataclass(frozen=True, slots=True)
class GateRubric:
    """One rubric as it is pinned now.

    Attributes:
        name: The rubric.
        version: Version of its file.
        sha256: Digest of its file's content.
        judge: Judge kind, version and model that params.yaml pins, as in the scores table.
        judge_sha256: Digest of the rubric's content and the judge's whole pin.
        scale: "binary", "continuous" or "ordinal".
        floor: Least pass rate, or None.
        noise_floor: Smallest difference in pass rate that means anything.
        threshold: The file's own threshold, for rubrics without a calibrated one.
        calibrated: What thresholds.json says of it, or None.
    """

    name: str
    version: str
    sha256: str
    judge: str
    judge_sha256: str
    scale: str
    floor: float | None
    noise_floor: float
    threshold: float
    calibrated: Threshold | None


@dataclass(frozen=True, slots=True)
class BaselineRun:
    """One scored commit of the main line.

    Attributes:
        scores: Its scores, fitting `tables.SCORES`.
        outputs: Its outputs, fitting `tables.OUTPUTS`, or None where nobody kept them.
        changed_rows: row_ids whose reference was another one then: their scores do not compare.
    """

    scores: pl.DataFrame
    outputs: pl.DataFrame | None = None
    changed_rows: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GateInputs:
    """Everything that the verdict depends on.

    Attributes:
        golden: Rows of all golden sets, fitting `tables.GOLDEN`.
        outputs: This run's outputs, fitting `tables.OUTPUTS`.
        scores: This run's scores, fitting `tables.SCORES`.
        rubrics: Rubric → its pins now.
        policy: `params.gate`.
        max_error_rate: Share of failed calls above which there is no verdict, [0, 1].
        baseline: Scored commits, oldest first.
        seed: Of the permutations that are drawn where none can be enumerated.
    """

    golden: pl.DataFrame
    outputs: pl.DataFrame
    scores: pl.DataFrame
    rubrics: Mapping[str, GateRubric]
    policy: Gate
    max_error_rate: float
    baseline: tuple[BaselineRun, ...] = field(default=())
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Lines:
    """Where scores pass.

    Attributes:
        rubrics: Rubric → (threshold, comparison), for the rubrics that have one.
        rows: Columns row_id, rubric, threshold: rows on routes that have a threshold of their own.
    """

    rubrics: Mapping[str, tuple[float, str]]
    rows: pl.DataFrame
