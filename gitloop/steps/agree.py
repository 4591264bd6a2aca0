"""How far annotators agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core import agree as core
from gitloop.core.agree import RubricAgreement
from gitloop.errors import ConfigError, DataError
from gitloop.storage.labels import scan_labels
from gitloop.storage.parts import read_parts
from gitloop.tables import TRACES
from gitloop.workspace import Workspace

OF_TRACE = ("route", "user_cohort", "prompt_version")
STRATA = (*OF_TRACE, "cluster_id")


@dataclass(frozen=True, slots=True)
class AgreeReport:
    """What `gitloop agree` found.

    Attributes:
        rubrics: One per rubric, and one per stratum of it.
        n_labels: Labels in force, seniors' included.
        n_superseded: Lines that a later line of the same person replaced.
        torn: "file:line" of each half-written last line.
    """

    rubrics: tuple[RubricAgreement, ...]
    n_labels: int
    n_superseded: int
    torn: tuple[str, ...]


def agree(
    directory: Path,
    *,
    rubrics: tuple[str, ...] = (),
    by: str | None = None,
    guidance_version: str | None = None,
) -> AgreeReport:
    """The agreement of annotators on each rubric.

    Args:
        directory: A directory in the repository.
        rubrics: Only these; () for all that were labelled.
        by: One of `STRATA`, to show each stratum apart.
        guidance_version: Only labels that follow this guidance; None for all.

    Raises:
        DataError: Nobody has labelled yet, or a label file is faulty.
    """
    workspace = Workspace(directory)
    scan = scan_labels(workspace.root)
    labels = scan.labels
    if rubrics:
        unknown = sorted(set(rubrics) - set(labels["rubric"].to_list()))
        if unknown:
            raise ConfigError(f"nobody labelled {', '.join(unknown)}", hint="run: gitloop label")
        labels = labels.filter(pl.col("rubric").is_in(list(rubrics)))
    if guidance_version is not None:
        labels = labels.filter(pl.col("guidance_version") == guidance_version)
    if labels.is_empty():
        raise DataError("there are no labels to compare", hint="run: gitloop label")
    if by in OF_TRACE:
        traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
        labels = labels.join(traces.select("trace_id", by), on="trace_id", how="left")
    found = core.agree(labels, seed=workspace.params.seed, by=by)
    return AgreeReport(tuple(found), scan.labels.height, scan.n_superseded, scan.torn)
