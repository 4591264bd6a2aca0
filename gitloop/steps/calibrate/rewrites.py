"""A rubric's rewrite as one commit on a branch of its own: text, pin and evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import unified_diff

from gitloop.core.calibrate import Comparison, Dispute
from gitloop.digests import sha256
from gitloop.documents import rewritten
from gitloop.errors import ConfigError, WorkspaceError
from gitloop.evaluation import BoundJudge
from gitloop.params import Rubric, next_version, parse_params, parse_rubric
from gitloop.records import as_json
from gitloop.reports.rewrite import as_pull_request
from gitloop.storage.files import read_text
from gitloop.workspace import Workspace

EVIDENCE = "loop/proposals"
WORDS = "instructions"
"""Key of a rubric's form that holds what a judge reads."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One rewrite of a rubric that a model wrote.

    Attributes:
        text: The new criterion, or "" where there was none to try.
        hypothesis: What it says the old one gets wrong, or "".
        fault: Why it was not tried, or "".
    """

    text: str
    hypothesis: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ProposedRubric:
    """What came of one rubric.

    Attributes:
        rubric: The rubric.
        version: Its version.
        judge: Its judge, as in the scores table.
        dispute: Where it and people disagree, the pinned holdout left out.
        outcome: "proposed", "not better", "no rewrite" or "report only".
        message: Why, in one sentence.
        rewrites: What a model wrote, in order.
        comparison: The best of them on labels that were kept back, or None.
        new_version: The version that is proposed, or None.
        branch: Its branch, or None.
        commit: Its one commit, or None.
        diff: Of the rubric's file, or "".
    """

    rubric: str
    version: str
    judge: str
    dispute: Dispute
    outcome: str
    message: str
    rewrites: tuple[Rewrite, ...] = ()
    comparison: Comparison | None = None
    new_version: str | None = None
    branch: str | None = None
    commit: str | None = None
    diff: str = ""


def candidate(rubric: Rubric, kind: str, text: str) -> Rubric:
    """The rubric with another text for its judge, one version later."""
    form = {**rubric.scorer[kind], WORDS: _ended(text)}
    changes = {"version": next_version(rubric.version), "scorer": {**rubric.scorer, kind: form}}
    return rubric.model_copy(update=changes)


def _ended(text: str) -> str:
    return text.strip("\n") + "\n"


def on_branch(
    workspace: Workspace, bound: BoundJudge, report: ProposedRubric, chosen: Rewrite
) -> ProposedRubric:
    """The proposal as one commit on a branch of its own: rubric, pin and evidence."""
    rubric, kind = bound.rubric, bound.pin.use
    new = candidate(rubric, kind, chosen.text)
    source, name = f"rubrics/{rubric.name}.yaml", rubric.name
    parent = _clean_head(workspace, [source, "params.yaml"])
    now, pins = read_text(workspace.root / source), read_text(workspace.root / "params.yaml")
    text = rewritten(now, ("scorer", kind, WORDS), new.scorer[kind][WORDS])
    text = rewritten(text, ("version",), new.version)
    pins = rewritten(pins, ("rubrics", name, "version"), new.version)
    if parse_rubric(text, source=source).sha256 != new.sha256:
        raise ConfigError(
            f"the rewrite cannot be written into {source} without changing more of it",
            hint=f"write scorer.{kind}.{WORDS} as a block of its own: {WORDS}: |",
        )
    expected = {one: pin.version for one, pin in workspace.params.rubrics.items()}
    if {one: pin.version for one, pin in parse_params(pins).rubrics.items()} != {
        **expected,
        name: new.version,
    }:
        raise ConfigError(
            f"params.yaml cannot be given the version of {name} alone",
            hint=f"write rubrics.{name}.version as a value of its own",
        )
    diff = _diff(source, now, text)
    branch = f"gitloop/calibrate/{name}-{new.version}-{sha256(text)[:6]}"
    told = replace(report, new_version=new.version, diff=diff, message="it is on a branch")
    title, body = as_pull_request(as_json(told), chosen.hypothesis)
    if workspace.git.branch_head(branch) is not None:
        message = f"the same rewrite is on branch {branch} already"
        return replace(told, outcome="proposed", message=message, branch=branch)
    files: dict[str, bytes | None] = {
        source: text.encode(),
        "params.yaml": pins.encode(),
        f"{EVIDENCE}/{name}-{new.version}.md": f"# {title}\n\n{body}".encode(),
    }
    message = f"{title}\n\n{body}"
    commit = workspace.git.commit_on_branch(
        branch, files, message, parent=parent, at=workspace.now()
    )
    return replace(
        told,
        outcome="proposed",
        message="nothing is merged: review the branch, merge it, then run dvc repro calibrate",
        branch=branch,
        commit=commit,
    )


def _clean_head(workspace: Workspace, paths: Iterable[str]) -> str:
    """HEAD, if these files are as it holds them."""
    head = workspace.git.head()
    if head is None:
        raise WorkspaceError(
            "this repository has no commit to build on",
            hint='git add -A && git commit -m "Set up gitloop"',
        )
    changed = sorted(set(paths) & set(workspace.git.changes()))
    if changed:
        raise WorkspaceError(
            f"{' and '.join(changed)} differ from HEAD, and the proposal would carry that along",
            hint="commit them first",
        )
    return head


def _diff(source: str, before: str, after: str) -> str:
    lines = unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"a/{source}",
        f"b/{source}",
    )
    return "".join(lines)
