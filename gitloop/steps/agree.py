"""How far annotators agree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core import agree as core
from gitloop.core.agree import RubricAgreement, Rulebook, Standing
from gitloop.errors import ConfigError, DataError
from gitloop.params import sections
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
        rubrics: One per rubric and kind of item, and one per stratum of it.
        floor: How strata stand to the floor that params.yaml sets; () without one.
        n_labels: Labels in force, seniors' included.
        n_superseded: Lines that a later line of the same person replaced.
        torn: "file:line" of each half-written last line.
    """

    rubrics: tuple[RubricAgreement, ...]
    floor: tuple[Standing, ...]
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
    rules = _rules(workspace)
    seed = workspace.params.seed
    found = core.agree(with_stratum(workspace, labels, by), seed=seed, by=by, rules=rules)
    return AgreeReport(
        rubrics=tuple(found),
        floor=tuple(_floor(workspace, labels, rules)),
        n_labels=scan.labels.height,
        n_superseded=scan.n_superseded,
        torn=scan.torn,
    )


def with_stratum(workspace: Workspace, labels: pl.DataFrame, by: str | None) -> pl.DataFrame:
    """The labels with the column `by`, which may be one of the trace's."""
    if by is None or by not in OF_TRACE:
        return labels
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    return labels.join(traces.select("trace_id", by), on="trace_id", how="left")


def _rules(workspace: Workspace) -> Rulebook:
    """How people answer, and what they are told, under the rubrics that params.yaml pins."""
    rubrics = {name: workspace.rubric(name) for name in workspace.params.rubrics}
    return Rulebook(
        forms={name: rubric.label for name, rubric in rubrics.items()},
        sections={name: sections(rubric.guidance) for name, rubric in rubrics.items()},
    )


def _floor(workspace: Workspace, labels: pl.DataFrame, rules: Rulebook) -> list[Standing]:
    policy = workspace.params.labels
    if policy.floor is None:
        return []
    current = labels.filter(
        (pl.col("item_kind") == "trace") & (pl.col("guidance_version") == policy.guidance_version)
    )
    named = with_stratum(workspace, current, policy.floor.by)
    return core.standings(named, policy.floor, seed=workspace.params.seed, forms=rules.forms)
