"""Join: every event of data/feedback with its trace of data/traces, or apart with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.core.join import join as join_rows
from gitloop.core.join import measure, rates_csv
from gitloop.storage import spool
from gitloop.storage.files import write_json, write_text
from gitloop.storage.labels import read_labels
from gitloop.storage.parts import FOLDERS, survey_parts
from gitloop.tables import DEBUG_ONLY, FEEDBACK, JOINED, TRACES
from gitloop.workspace import Workspace

FOLDER = "loop/join"


@dataclass(frozen=True, slots=True)
class JoinReport:
    """What a join came to.

    Attributes:
        metrics: The content of loop/join/metrics.json.
        n_waiting: Events in the spool that no seal has taken yet; they are not in the join.
        n_requests: Requests of spans that no seal has taken yet.
        strays: Parquet files beside the parts that no pointer names; they were not read.
    """

    metrics: dict[str, Any]
    n_waiting: int
    n_requests: int
    strays: tuple[str, ...]


def join(directory: Path) -> JoinReport:
    """Join feedback with traces and write loop/join: two tables, the figures and a plot.

    Raises:
        ConfigError: A fault in params.yaml or dvc.yaml.
        MissingObjectError: The bytes of a part are nowhere to be had.
        TableError: A part breaks its schema, or two parts contradict each other.
    """
    workspace = Workspace(directory)
    workspace.check_configuration()
    root, dvc = workspace.root, workspace.dvc
    feedback = survey_parts(root, dvc, FOLDERS["feedback"], FEEDBACK)
    traces = survey_parts(root, dvc, FOLDERS["traces"], TRACES)
    found = join_rows(feedback.rows, traces.rows)
    metrics = measure(
        found,
        feedback.rows,
        traces.rows,
        read_labels(root),
        n_repeated=feedback.n_repeated + traces.n_repeated,
    )
    workspace.write(f"{FOLDER}/joined.parquet", JOINED, found.joined)
    workspace.write(f"{FOLDER}/debug_only.parquet", DEBUG_ONLY, found.debug_only)
    write_text(root / FOLDER / "rates.csv", rates_csv(metrics))
    write_json(root / FOLDER / "metrics.json", metrics)
    return JoinReport(
        metrics=metrics,
        n_waiting=spool.count_waiting(root / spool.FOLDERS["feedback"]),
        n_requests=spool.count_waiting(root / spool.FOLDERS["traces"]),
        strays=feedback.strays + traces.strays,
    )
