"""Clusters → briefs: load, find the evidence, let the agent read if there is one, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.cluster.names import contrast_terms
from gitloop.core.triage import (
    DIMENSIONS,
    Casebook,
    Evidence,
    brief,
    build_casebook,
    evidence_of,
    unverified,
)
from gitloop.digests import sha256_of
from gitloop.documents import nearest
from gitloop.errors import ConfigError
from gitloop.evaluation import call_store, settle_refresh
from gitloop.protocols import Progress, silent
from gitloop.steps.triage.agent import Investigation, Staff
from gitloop.steps.triage.models import Asked, require_price
from gitloop.storage.briefs import brief_path, read_brief, write_brief
from gitloop.storage.calls import CallStore
from gitloop.storage.parts import read_parts
from gitloop.tables import CLUSTERS, JOINED, MEMBERS, TRACES
from gitloop.workspace import Workspace

_MOST_TRACES = 200
"""Traces of a cluster, and passing ones, that a casebook holds."""
_CANDIDATES = 40


@dataclass(frozen=True, slots=True)
class BriefLine:
    """One cluster's brief, as the terminal shows it.

    Attributes:
        cluster_id: The cluster.
        name: Its name, the agent's where it stands.
        severity: critical, high, medium or low.
        n_failures: Its failures.
        state: "written", "unchanged", or "edited": a person's, left alone.
        method: What made it.
        immediate_fix: What to do at once, or None.
        n_made: Claims that the agent made.
        n_struck: Those that do not stand.
        n_unquoted: Quotes of an edited brief that do not stand in their span.
        path: Its file.
    """

    cluster_id: str
    name: str
    severity: str
    n_failures: int
    state: str
    method: str
    immediate_fix: str | None
    n_made: int
    n_struck: int
    n_unquoted: int
    path: str


@dataclass(frozen=True, slots=True)
class TriageReport:
    """What was triaged.

    Attributes:
        briefs: By falling weight of the clusters.
        cost_usd: US dollars of all calls that these briefs rest on, where known.
    """

    briefs: tuple[BriefLine, ...]
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Which briefs are written again.

    Attributes:
        unchanged: Also those whose inputs did not change.
        edited: Also those that a person edited.
    """

    unchanged: bool = False
    edited: bool = False


@dataclass(frozen=True, slots=True)
class _Data:
    clusters: pl.DataFrame
    members: pl.DataFrame
    events: pl.DataFrame
    traces: pl.DataFrame


def triage(
    directory: Path,
    wanted: Sequence[str] = (),
    rewrite: Rewrite | None = None,
    *,
    extractive: bool = False,
    progress: Progress = silent,
) -> TriageReport:
    """Write a brief per cluster to loop/cluster/briefs/.

    Args:
        directory: A directory of the checkout.
        wanted: Cluster ids or their beginnings; () for all clusters.
        rewrite: Which briefs are written although they are there.
        extractive: Whether no model is asked, whatever params.yaml says.
        progress: Is told how many clusters are done.

    Raises:
        ConfigError: No cluster has that name, or a model is misconfigured.
        DataError: An input is missing or broken.
        ApiError: A server failed. Briefs of clusters before are written, and answers are kept.
        CallTimeoutError: The same, and it was too slow.
        StaleError: Mode replay, and an answer was never recorded.
    """
    workspace = Workspace(directory)
    data = _Data(
        clusters=workspace.read("loop/cluster/clusters.parquet", CLUSTERS),
        members=workspace.read("loop/cluster/members.parquet", MEMBERS),
        events=workspace.read("loop/join/joined.parquet", JOINED),
        traces=read_parts(workspace.root, workspace.dvc, "data/traces", TRACES),
    )
    store = call_store(workspace, "")
    staff = None if extractive else _staff(workspace, store)
    chosen = _chosen(wanted, data.clusters)
    lines, usd = [], 0.0
    for done, cluster in enumerate(chosen):
        progress("triage", done, len(chosen))
        casebook = _casebook(data, cluster)
        value, state = _one(workspace, data, cluster, casebook, (staff, rewrite or Rewrite()))
        usd += (value.get("spent") or {}).get("cost_usd") or 0.0
        lines.append(_line(value, state, len(unverified(value, casebook.holds))))
    progress("triage", len(chosen), len(chosen))
    settle_refresh(workspace, "loop/triage", store)
    return TriageReport(tuple(lines), round(usd, 9))


def _chosen(wanted: Sequence[str], clusters: pl.DataFrame) -> list[dict[str, Any]]:
    rows = clusters.sort("weight", "cluster_id", descending=[True, False]).to_dicts()
    ids = [row["cluster_id"] for row in rows]
    chosen = set(ids) if not wanted else set()
    for name in wanted:
        found = [one for one in ids if one == name or one.startswith(name)]
        if len(found) != 1:
            like = nearest(name, ids)
            raise ConfigError(
                f"{len(found) or 'no'} clusters are named {name}"
                + (f"; did you mean {like}?" if like else ""),
                hint="run: gitloop cluster, which lists them",
            )
        chosen.add(found[0])
    return [row for row in rows if row["cluster_id"] in chosen]


def _staff(workspace: Workspace, store: CallStore) -> Staff | None:
    pins = workspace.params.triage
    if pins.agent is None:
        return None
    agent = Asked("agent", pins.agent, store)
    reader = Asked("reader", pins.reader, store) if pins.reader else None
    verifier = Asked("verifier", pins.verifier or pins.agent, store)
    models = [agent, verifier, *([reader] if reader else [])]
    require_price(models, pins.max_usd)
    return Staff(agent, reader, verifier)


def _one(
    workspace: Workspace,
    data: _Data,
    cluster: dict[str, Any],
    casebook: Casebook,
    how: tuple[Staff | None, Rewrite],
) -> tuple[dict[str, Any], str]:
    """A cluster's brief, and whether it was written."""
    staff, rewrite = how
    evidence = _evidence(data, cluster, casebook)
    pins = workspace.params.triage.model_dump(mode="json") if staff else None
    inputs = sha256_of(
        {
            "members": data.members.filter(pl.col("cluster_id") == cluster["cluster_id"])[
                "trace_id"
            ].to_list(),
            "spans": {
                trace_id: [[span.span_id, span.text] for span in spans]
                for trace_id, spans in casebook.spans.items()
            },
            "models": pins,
            "share": evidence.weight_share,
            "n_traces": evidence.n_traces,
        }
    )
    there = read_brief(workspace.root, cluster["cluster_id"])
    if there is not None:
        value, is_edited = there
        if is_edited and not rewrite.edited:
            return value, "edited"
        if not is_edited and value.get("inputs_sha256") == inputs and not rewrite.unchanged:
            return value, "unchanged"
    findings = None
    if staff is not None:
        limits = workspace.params.triage
        findings = Investigation(staff, limits, casebook, evidence).run()
    value = brief(evidence, findings, inputs)
    write_brief(workspace.root, value)
    return value, "written"


def _casebook(data: _Data, cluster: dict[str, Any]) -> Casebook:
    """The cluster's traces, representatives first, and passing traces of the same routes."""
    own = data.members.filter(pl.col("cluster_id") == cluster["cluster_id"]).sort(
        "probability", "trace_id", descending=[True, False]
    )
    first = list(cluster["representatives"])
    failing = [*first, *(t for t in own["trace_id"].to_list() if t not in set(first))]
    passing = (
        data.traces.filter(
            pl.col("route").is_in(list(cluster["routes"]))
            & ~pl.col("trace_id").is_in(data.members["trace_id"].implode())
            & (pl.col("status") == "ok")
        )
        .sort("trace_id")["trace_id"]
        .to_list()
    )
    return build_casebook(data.traces, data.events, failing[:_MOST_TRACES], passing[:_MOST_TRACES])


def _evidence(data: _Data, cluster: dict[str, Any], casebook: Casebook) -> Evidence:
    failing, passing = (
        [
            "\n".join(span.text for span in casebook.spans[trace_id] if ":" not in span.span_id)
            for trace_id in trace_ids
        ]
        for trace_ids in (casebook.failing, casebook.passing)
    )
    terms = contrast_terms(failing, passing, _CANDIDATES) if passing else []
    return evidence_of(
        cluster, data.members, data.traces.select("trace_id", *DIMENSIONS), casebook, terms
    )


def _line(value: dict[str, Any], state: str, n_unquoted: int) -> BriefLine:
    """The line of a brief; what a person took out of it is shown as absent."""
    claims = value.get("claims") or {}
    severity = value.get("severity")
    fix = value.get("immediate_fix")
    return BriefLine(
        cluster_id=str(value["cluster_id"]),
        name=str(value.get("name") or ""),
        severity=str(severity.get("level")) if isinstance(severity, dict) else "",
        n_failures=int(value.get("n_failures") or 0),
        state=state,
        method=str((value.get("made_by") or {}).get("method") or ""),
        immediate_fix=str(fix) if fix else None,
        n_made=int(claims.get("n_made") or 0),
        n_struck=int(claims.get("n_struck") or 0),
        n_unquoted=n_unquoted,
        path=brief_path(str(value["cluster_id"])),
    )
