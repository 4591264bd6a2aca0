"""What calibration reads: labels, traces, and the cases that judges are shown."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from gitloop.core import calibrate as core
from gitloop.core.calibrate import Evidence, FitPolicy, LabelRules
from gitloop.errors import ConfigError, DataError
from gitloop.records import Case
from gitloop.storage.labels import LabelScan, scan_labels
from gitloop.storage.parts import read_parts
from gitloop.tables import TRACES
from gitloop.workspace import Workspace

FOLDER = "loop/calibrate"


def read_traces(workspace: Workspace) -> pl.DataFrame:
    """Every trace, fitting `tables.TRACES`."""
    return read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)


def some_labels(workspace: Workspace) -> LabelScan:
    """The labels in force.

    Raises:
        DataError: There are none, or a label file is faulty.
    """
    scan = scan_labels(workspace.root)
    if scan.labels.is_empty():
        raise DataError("there are no labels to calibrate on", hint="run: gitloop label")
    return scan


def gather(
    workspace: Workspace, labels: pl.DataFrame, traces: pl.DataFrame, rubrics: Iterable[str] = ()
) -> list[Evidence]:
    """What people said under each of the rubrics, or under all that params.yaml pins, by name.

    Raises:
        ConfigError: No rubric is pinned, or one that is asked for is not.
    """
    params = workspace.params
    unknown = sorted(set(rubrics) - set(params.rubrics))
    if unknown or not params.rubrics:
        raise ConfigError(
            f"params.yaml pins no rubric {', '.join(unknown)}".rstrip(),
            hint="edit params.yaml: rubrics",
        )
    rules = LabelRules(
        params.labels.guidance_version, params.labels.min_agreement, params.calibrate.holdout_rate
    )
    names = sorted(set(rubrics) or params.rubrics)
    return [core.gather(labels, traces, workspace.rubric(name), rules) for name in names]


def fit_policy(workspace: Workspace) -> FitPolicy:
    """How params.yaml wants thresholds to be found."""
    params = workspace.params
    pins = {name: pin.threshold for name, pin in params.rubrics.items()}
    pinned = {name: line for name, line in pins.items() if line is not None}
    return FitPolicy(params.calibrate, params.seed, pinned=pinned)


def cases(rows: pl.DataFrame) -> list[Case]:
    """What judges are shown: recorded outputs, and references where people wrote one.

    Args:
        rows: Columns trace_id, input, context, output, route, user_cohort, and maybe reference.
    """
    return [
        Case(
            item_id=row["trace_id"],
            input=row["input"],
            context=row["context"],
            reference=row.get("reference"),
            output=row["output"],
            route=row["route"],
            user_cohort=row["user_cohort"],
        )
        for row in rows.iter_rows(named=True)
    ]
