"""Which cases the request names, with the verdicts of people, screened for what must stay out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core import promote as core
from gitloop.core.agree import hold_back, standings
from gitloop.documents import parse
from gitloop.errors import ConfigError, DataError
from gitloop.protocols import Progress
from gitloop.stats.consensus import consensus
from gitloop.storage.briefs import given_names
from gitloop.storage.files import read_text
from gitloop.storage.labels import read_labels
from gitloop.storage.parts import read_parts
from gitloop.tables import CLUSTERS, LABELS, MEMBERS, TRACES
from gitloop.workspace import Workspace

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Collected:
    """The cases that may enter a set, before the set is looked at.

    Attributes:
        rows: Columns as in `core.promote.cases.CASES`, personal data masked.
        left_out: The cases that are unfit, each with its reason.
        masked: Personal data that was replaced.
        exposed: Personal data in names, which cannot be replaced.
        agreement: How often people agreed.
        fixes: cluster_id → immediate fix, for each chosen cluster.
        names: cluster_id → name, for those that a brief gives one.
    """

    rows: pl.DataFrame
    left_out: tuple[core.LeftOut, ...]
    masked: tuple[core.Finding, ...]
    exposed: tuple[core.Finding, ...]
    agreement: core.Agreement
    fixes: dict[str, str | None]
    names: dict[str, str]


def collect(
    workspace: Workspace,
    wanted: tuple[str, ...],
    *,
    skip: tuple[str, ...],
    progress: Progress,
) -> Collected:
    """The cases of the wanted clusters.

    Args:
        workspace: The opened checkout.
        wanted: Cluster ids or their beginnings; () for all clusters.
        skip: trace_ids to leave out.
        progress: Told how far the screening has come.

    Raises:
        ConfigError: No cluster has that name.
        DataError: A secret was found, or an input is broken.
    """
    params = workspace.params
    clusters = workspace.read("loop/cluster/clusters.parquet", CLUSTERS)
    chosen = _chosen(wanted, clusters)
    members = workspace.read("loop/cluster/members.parquet", MEMBERS).filter(
        pl.col("cluster_id").is_in(chosen)
    )
    rubrics = {name: workspace.rubric(name) for name in params.rubrics}
    in_use = [name for name, rubric in rubrics.items() if rubric.label.gives_verdicts]
    known = read_labels(workspace.root).filter(pl.col("rubric").is_in(in_use))
    labels = known.filter(pl.col("trace_id").is_in(members["trace_id"].implode()))
    # Two people who were told different things did not agree; calibrate and label hold it so too.
    is_current = pl.col("guidance_version") == params.labels.guidance_version
    outdated = _guidance_by_trace(labels.filter(~is_current))
    labels = labels.filter(is_current)
    verdicts = consensus(
        labels,
        params.labels.n_annotators,
        params.labels.min_agreement,
        {name: rubric.pass_from for name, rubric in rubrics.items()},
    )
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    verdicts = _held_back(workspace, verdicts, known.filter(is_current), traces)
    cases = core.build_cases(members, verdicts, traces, outdated)
    is_unwanted = pl.col("source_trace_id").is_in(list(skip))
    skipped = cases.rows.filter(is_unwanted)["source_trace_id"].to_list()
    screened = core.screen(cases.rows.filter(~is_unwanted), progress)
    _refuse_secrets(screened.secrets)
    return Collected(
        rows=screened.rows,
        left_out=(
            *cases.left_out,
            *(core.LeftOut(trace_id, "skipped on request") for trace_id in skipped),
        ),
        masked=screened.masked,
        exposed=screened.exposed,
        agreement=core.agreement(verdicts),
        fixes={cluster_id: _immediate_fix(workspace.root, cluster_id) for cluster_id in chosen},
        names=_names(workspace.root, chosen),
    )


def _held_back(
    workspace: Workspace, verdicts: pl.DataFrame, labels: pl.DataFrame, traces: pl.DataFrame
) -> pl.DataFrame:
    """The verdicts that the floor of params.yaml lets pass; the others say which stratum is low.

    The agreement is that of everything labelled, not just of the clusters that are promoted now.
    """
    floor = workspace.params.labels.floor
    if floor is None:
        return verdicts
    named, strata = labels, dict[str, str | None]()
    if floor.by is not None:
        if floor.by not in LABELS.schema:
            named = labels.join(traces.select("trace_id", floor.by), on="trace_id", how="left")
        strata = dict(named.select("trace_id", floor.by).iter_rows())
    forms = {name: workspace.rubric(name).label for name in workspace.params.rubrics}
    found = standings(named, floor, seed=workspace.params.seed, forms=forms)
    return hold_back(verdicts, strata, found)


def _guidance_by_trace(labels: pl.DataFrame) -> dict[str, list[str]]:
    """trace_id → the versions of the guidance under which it was labelled, sorted."""
    found: dict[str, list[str]] = {}
    pairs = labels.select("trace_id", "guidance_version").unique().sort(pl.all())
    for trace_id, version in pairs.iter_rows():
        found.setdefault(trace_id, []).append(version)
    return found


def _chosen(wanted: tuple[str, ...], clusters: pl.DataFrame) -> list[str]:
    if not wanted:
        return clusters["cluster_id"].to_list()
    chosen, unknown = core.choose(wanted, clusters)
    if unknown:
        raise ConfigError(
            f"no cluster, or more than one, is named {', '.join(unknown)}",
            hint="run: gitloop status, or read loop/cluster/metrics.json",
        )
    return chosen


def _refuse_secrets(secrets: Iterable[core.Finding]) -> None:
    found = list(secrets)
    if not found:
        return
    lines = [f"  trace {f.trace_id}, column {f.column}: {f.kind}" for f in found[:_MOST_NAMED]]
    more = [f"  … and {len(found) - _MOST_NAMED} more"] if len(found) > _MOST_NAMED else []
    traces = list(dict.fromkeys(finding.trace_id for finding in found))
    skips = " ".join(f"--skip {trace_id}" for trace_id in traces[:3])
    raise DataError(
        "secrets stand in these cases, and Git would keep them for ever:\n"
        + "\n".join(lines + more),
        hint=f"revoke them; to promote the rest: {skips}{' …' if len(traces) > 3 else ''}",
    )


def _names(root: Path, chosen: Iterable[str]) -> dict[str, str]:
    """cluster_id → the name in its brief, masked; one that holds a secret is left out."""
    plain = [name for name in chosen if re.fullmatch(r"[A-Za-z0-9_-]+", name)]
    found = given_names(root, plain)
    return {name: core.mask(text)[0] for name, text in found.items() if not core.find_secrets(text)}


def _immediate_fix(root: Path, cluster_id: str) -> str | None:
    """What the cluster's brief says to do at once, or None where nobody wrote one.

    Raises:
        DataError: A secret stands in it.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", cluster_id):
        return None  # the id comes out of a table and must not become a path elsewhere
    source = f"loop/cluster/briefs/{cluster_id}.yaml"
    path = root / source
    if not path.is_file() or not path.resolve().is_relative_to(root.resolve()):
        return None  # a link out of the repository is not followed
    value = parse(read_text(root / source), source=source).value
    fix = value.get("immediate_fix") if isinstance(value, Mapping) else None
    if not fix:
        return None
    if kinds := core.find_secrets(str(fix)):
        raise DataError(
            "a secret stands where Git would keep it for ever: "
            f"the immediate fix of cluster {cluster_id}: {', '.join(kinds)}",
            hint=f"revoke it, and edit {source}",
        )
    # A brief that no person edited may quote a user; what users write is not repeated.
    rests_on = value.get("immediate_fix_rests_on")
    quote = rests_on.get("quote") if isinstance(rests_on, Mapping) else None
    if quote and str(quote) in str(fix):
        return f"a user's own correction, quoted in {source}"
    return core.mask(str(fix))[0]
