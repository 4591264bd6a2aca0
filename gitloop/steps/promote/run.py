"""The promotion itself: what is new to the set, under which version, committed where."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gitloop import scaffold
from gitloop.core import promote as core
from gitloop.digests import row_id
from gitloop.errors import BranchMovedError, ConfigError, DataError
from gitloop.params import DatasetSpec, parse_dataset
from gitloop.params.datasets import SET_NAME
from gitloop.protocols import Progress, silent
from gitloop.steps.promote.collect import Collected, collect
from gitloop.storage.golden import GoldenSet
from gitloop.storage.golden_commits import NEW, Destination, GoldenWriter, Rewrite
from gitloop.tables import GOLDEN
from gitloop.workspace import Workspace

_ATTEMPTS = 5
"""How often a promotion starts over because somebody else moved its branch."""


@dataclass(frozen=True, slots=True)
class PromoteRequest:
    """What is to be promoted, and where to.

    Attributes:
        clusters: Cluster ids, or beginnings of them; () with `takes_all`.
        set_name: The golden set.
        onto: Branch to commit on, or None for a new one of its own.
        takes_all: Whether every cluster is meant.
        is_dry_run: Whether nothing is to be written.
        skip: trace_ids to leave out.
        keeps_near: Whether near duplicates are promoted too.
    """

    clusters: tuple[str, ...]
    set_name: str
    onto: str | None = None
    takes_all: bool = False
    is_dry_run: bool = False
    skip: tuple[str, ...] = ()
    keeps_near: bool = False


@dataclass(frozen=True, slots=True)
class PromoteReport:
    """What was promoted.

    Attributes:
        set: The golden set.
        version: Version that the rows make.
        record: Id of its record and part.
        parents: Versions that they were added to.
        branch: Branch that the commit is on; None on a dry run.
        commit: The commit; None on a dry run.
        n_promoted: Rows that come in.
        n_before: Rows of the set before.
        row_ids: Their ids, sorted.
        splits: Split → rows.
        clusters: cluster_id → rows.
        left_out: The cases that are not promoted, each with its reason.
        reasons: Reason → cases left out.
        masked: Kind of personal data → how often it was replaced.
        is_in_gate: Whether params.yaml's golden.sets names the set.
        title: The commit's subject; the pull request's title.
        body: The pull request's body.
    """

    set: str
    version: str
    record: str
    parents: tuple[str, ...]
    branch: str | None
    commit: str | None
    n_promoted: int
    n_before: int
    row_ids: tuple[str, ...]
    splits: dict[str, int]
    clusters: dict[str, int]
    left_out: tuple[core.LeftOut, ...]
    reasons: dict[str, int]
    masked: dict[str, int]
    is_in_gate: bool
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class _Base:
    """The set that is added to, as one commit holds it."""

    golden: GoldenSet
    commit: str
    spec: DatasetSpec
    files: Mapping[str, bytes]
    """Files that the set still lacks."""


def promote(
    directory: Path, request: PromoteRequest, *, progress: Progress = silent
) -> PromoteReport:
    """Commit the clusters' labelled, agreed cases as rows of a golden set.

    The user's index, work tree and HEAD stay as they are. Killed at any point, the repository is as
    before: the last act moves a branch.

    Raises:
        ConfigError: An unknown cluster, or a set's name that is none.
        WorkspaceError: There is no commit yet, or the branch to commit on is checked out.
        DataError: Nothing is left to promote, a secret was found, or an input is broken.
    """
    workspace = Workspace(directory)
    _check(request)
    cases = collect(workspace, request.clusters, skip=request.skip, progress=progress)
    for _ in range(_ATTEMPTS):
        try:
            return _promote(workspace, request, cases)
        except BranchMovedError:
            if request.onto is None:
                raise
    raise BranchMovedError(
        f"branch {request.onto} moved {_ATTEMPTS} times meanwhile", hint="run the command again"
    )


def _check(request: PromoteRequest) -> None:
    if not re.fullmatch(SET_NAME, request.set_name):
        raise ConfigError(
            f"{request.set_name!r} is no name for a golden set",
            hint="use lower case letters, digits and dashes: --set refunds",
        )
    if request.takes_all == bool(request.clusters):
        raise ConfigError(
            "name the clusters to promote, or take all of them",
            hint="run: gitloop promote CLUSTER --set NAME, or gitloop promote --all --set NAME",
        )


def _base(workspace: Workspace, request: PromoteRequest) -> _Base:
    commit = GoldenWriter(workspace.git, workspace.dvc).parent(request.onto)
    golden = workspace.golden(request.set_name, commit)
    if golden.exists():
        return _Base(golden, commit, golden.spec(), {})
    source = f"golden/{request.set_name}/dataset.yaml"
    text = scaffold.dataset(request.set_name)
    return _Base(golden, commit, parse_dataset(text, source=source), {source: text.encode()})


def _promote(workspace: Workspace, request: PromoteRequest, cases: Collected) -> PromoteReport:
    base = _base(workspace, request)
    present = base.golden.read()
    rows, left_out = _new_rows(workspace, request, cases, base, present)
    if rows.is_empty():
        raise _nothing_left(left_out)
    promoted = set(rows["source_trace_id"].to_list())
    writer = GoldenWriter(workspace.git, workspace.dvc)
    rewrite = Rewrite(parts={NEW: rows}, added=rows["row_id"].to_list())
    details = _details(workspace, rows, cases, left_out)
    plan = writer.plan(base.golden, rewrite, kind="promote", at=workspace.now(), details=details)
    promotion = core.Promotion(
        set_name=request.set_name,
        version=plan.change.version,
        record=plan.change.id,
        parents=tuple(sorted({head.version for head in plan.change.heads})),
        n_before=present.height,
        rows=rows,
        left_out=tuple(left_out),
        fixes=cases.fixes,
        names=cases.names,
        agreement=cases.agreement,
        masked=tuple(finding for finding in cases.masked if finding.trace_id in promoted),
    )
    branch, commit = None, None
    if not request.is_dry_run:
        branch = writer.branch("promote", plan, request.onto)
        message = core.commit_message(promotion)
        commit = writer.commit(plan, Destination(branch, base.commit, message, base.files))
    return _report(workspace, promotion, base.spec, branch, commit)


def _new_rows(
    workspace: Workspace,
    request: PromoteRequest,
    cases: Collected,
    base: _Base,
    present: pl.DataFrame,
) -> tuple[pl.DataFrame, list[core.LeftOut]]:
    """The cases as golden rows that the set does not have yet, and all that is left out."""
    spec = base.spec
    left_out = [*cases.left_out]
    found = (*cases.exposed, *(cases.masked if spec.personal_data == "block" else ()))
    blocked: dict[str, str] = {}
    for finding in found:
        blocked.setdefault(finding.trace_id, f"{finding.kind} in {finding.column}")
    left_out += [core.LeftOut(*case) for case in _with_reason(blocked, "personal data")]
    rows = cases.rows.filter(~pl.col("source_trace_id").is_in(list(blocked)))
    ids = [
        row_id(input=text, context=context, route=route)
        for text, context, route in rows.select("input", "context", "route").iter_rows()
    ]
    named = rows.with_columns(
        pl.Series("row_id", ids, dtype=pl.String), pl.lit(request.set_name).alias("set")
    )
    named, elsewhere = _not_in_other_sets(workspace, request.set_name, base.commit, named)
    new, repeated = core.drop_duplicates(
        named,
        present,
        threshold=workspace.params.golden.near_duplicate,
        keeps_near=request.keeps_near,
    )
    taken = dict(present.select("group_id", "split").iter_rows())
    split = core.assign_splits(
        new,
        taken,
        val_rate=spec.val_rate,
        holdout_rate=spec.holdout_rate,
        pinned_rate=workspace.params.calibrate.holdout_rate,
    ).with_columns(pl.lit("").alias("promoted_in"))
    every = sorted([*left_out, *elsewhere, *repeated], key=lambda case: case.trace_id)
    return GOLDEN.order(split), every


def _not_in_other_sets(
    workspace: Workspace, set_name: str, commit: str, rows: pl.DataFrame
) -> tuple[pl.DataFrame, list[core.LeftOut]]:
    """The rows that no other set of the gate has: a row counts once."""
    left_out: list[core.LeftOut] = []
    for name in sorted(set(workspace.params.golden.sets) - {set_name}):
        golden = workspace.golden(name, commit)
        parts = golden.parts()
        golden.fetch(parts)
        taken = [found for part in parts for found in golden.row_digests(part)]
        is_taken = pl.col("row_id").is_in(taken)
        left_out += [
            core.LeftOut(trace_id, f"already in the set {name}", f"row {found}")
            for found, trace_id in rows.filter(is_taken)
            .select("row_id", "source_trace_id")
            .iter_rows()
        ]
        rows = rows.filter(~is_taken)
    return rows, left_out


def _with_reason(details: Mapping[str, str], reason: str) -> list[tuple[str, str, str]]:
    return [(trace_id, reason, detail) for trace_id, detail in details.items()]


def _nothing_left(left_out: list[core.LeftOut]) -> DataError:
    counted = Counter(case.reason for case in left_out).most_common()
    lines = [f"  {n} × {reason}{_example(reason, left_out)}" for reason, n in counted]
    told = "\n".join(lines) or "  these clusters have no members"
    return DataError(
        f"none of {len(left_out)} cases can be promoted:\n{told}",
        hint="run: gitloop label, or gitloop promote with other clusters",
    )


def _example(reason: str, left_out: list[core.LeftOut]) -> str:
    detail = next((case.detail for case in left_out if case.reason == reason), "")
    return f" (e.g. {detail})" if detail else ""


def _details(
    workspace: Workspace, rows: pl.DataFrame, cases: Collected, left_out: list[core.LeftOut]
) -> dict[str, Any]:
    """What the record says about where the rows came from."""
    sizes = Counter(rows["cluster_id"].to_list())
    agreed = cases.agreement
    pins = sorted(workspace.params.rubrics.items())
    return {
        "clusters": [
            {"cluster_id": cluster_id, "n_rows": sizes[cluster_id], "immediate_fix": fix}
            for cluster_id, fix in sorted(cases.fixes.items())
        ],
        "source_trace_ids": sorted(rows["source_trace_id"].to_list()),
        "annotators": sorted({name for names in rows["annotators"] for name in names}),
        "guidance_versions": sorted(set(rows["guidance_version"].to_list())),
        "agreement": {
            "n_items": agreed.n_items,
            "n_unanimous": agreed.n_unanimous,
            "rate": None if agreed.rate is None else round(agreed.rate, 6),
            "interval": {
                key: round(value, 6) if isinstance(value, float) else value
                for key, value in asdict(agreed.interval).items()
            },
        },
        "rubrics": [
            {
                "name": name,
                "version": pin.version,
                "judge": f"{pin.judge.use}/{pin.judge.version}",
                "model": pin.judge.model,
            }
            for name, pin in pins
        ],
        "left_out": dict(sorted(Counter(case.reason for case in left_out).items())),
    }


def _report(
    workspace: Workspace,
    promotion: core.Promotion,
    spec: DatasetSpec,
    branch: str | None,
    commit: str | None,
) -> PromoteReport:
    rows, masked = promotion.rows, Counter[str]()
    for finding in promotion.masked:
        masked[finding.kind] += finding.n
    return PromoteReport(
        set=promotion.set_name,
        version=promotion.version,
        record=promotion.record,
        parents=promotion.parents,
        branch=branch,
        commit=commit,
        n_promoted=rows.height,
        n_before=promotion.n_before,
        row_ids=tuple(rows["row_id"].to_list()),
        splits=dict(sorted(Counter(rows["split"].to_list()).items())),
        clusters=dict(sorted(Counter(rows["cluster_id"].to_list()).items())),
        left_out=promotion.left_out,
        reasons=dict(Counter(case.reason for case in promotion.left_out).most_common()),
        masked=dict(sorted(masked.items())),
        is_in_gate=promotion.set_name in workspace.params.golden.sets,
        title=core.commit_message(promotion).splitlines()[0],
        body=core.pull_request(promotion, spec.review_columns),
    )
