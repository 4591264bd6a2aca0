"""The branch that proposes a prompt: its file with a bumped version, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from gitloop.core.optimize import prompt_file
from gitloop.errors import DataError, StaleError, WorkspaceError
from gitloop.params import Prompt, next_version, parse_prompt
from gitloop.reports.proposal import as_pull_request
from gitloop.steps.optimize.artefacts import SCHEMA
from gitloop.steps.optimize.searched import FOLDER
from gitloop.storage.files import read_json, read_text
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed prompt.

    Attributes:
        branch: The branch that was made.
        commit: Its one commit.
        prompt: The prompt file.
        version: The version that it proposes, e.g. "support@3".
        title: The commit's subject; the pull request's title.
        body: The pull request's body.
        diff: The prompt file's unified diff.
    """

    branch: str
    commit: str
    prompt: str
    version: str
    title: str
    body: str
    diff: str


def propose(directory: Path) -> Proposal:
    """Commit the finalist of the last search on a branch of its own.

    The user's index, work tree and HEAD stay as they are. Nothing is searched again.

    Raises:
        DataError: No search has run, or its outcome is no proposal.
        StaleError: The prompt is not the one that the search started from.
        WorkspaceError: There is no commit to build on, or the branch is there already.
    """
    workspace = Workspace(directory)
    document = _document(workspace)
    source = workspace.params.target.prompt or ""
    prompt = workspace.prompt()
    if prompt is None or prompt.sha256 != document["prompt"]["sha256"]:
        raise StaleError(
            "the prompt has changed since the search", hint="run: dvc repro optimize, then this"
        )
    now, text, version = _proposed_file(workspace, prompt, source, document["finalist"])
    diff = "".join(
        unified_diff(
            now.splitlines(keepends=True),
            text.splitlines(keepends=True),
            f"a/{source}",
            f"b/{source}",
        )
    )
    title = (
        f"Prompt {prompt.head.name} {version}: {document['holdout']['gain']:+.3f} on the holdout"
    )
    body = as_pull_request(document, diff)
    branch = f"gitloop/optimize/{prompt.head.name}-{document['finalist']}"
    parent = workspace.git.head()
    if parent is None:
        raise WorkspaceError(
            "this repository has no commit to build on",
            hint='git add -A && git commit -m "Set up gitloop"',
        )
    if workspace.git.branch_head(branch) is not None:
        raise WorkspaceError(f"branch {branch} is there already", hint=f"git diff HEAD...{branch}")
    commit = workspace.git.commit_on_branch(
        branch,
        {source: text.encode()},
        f"{title}\n\n{body}",
        parent=parent,
        at=workspace.now(),
    )
    name = f"{prompt.head.name}@{version}"
    return Proposal(branch, commit, source, name, title, body, diff)


def _proposed_file(
    workspace: Workspace, prompt: Prompt, source: str, finalist: str
) -> tuple[str, str, str]:
    """The prompt file as it is, as it is proposed, and the version that it then has."""
    path = f"{FOLDER}/candidates/{finalist}.md"
    found = parse_prompt(read_text(workspace.root / path), source=path)
    version = next_version(prompt.head.version)
    now = read_text(workspace.root / source)
    own = parse_prompt(now, source=source)  # without what optimize.yaml opens: that stays there
    changed = {name: getattr(found.head, name) for name in ("parameters", "instructions", "values")}
    head = own.head.model_copy(update={"version": version, **changed})
    return now, prompt_file(now, found.model_copy(update={"head": head})), version


def _document(workspace: Workspace) -> Mapping[str, Any]:
    path = workspace.root / FOLDER / "metrics.json"
    if not path.is_file():
        raise DataError("no search has run yet", hint="run: gitloop optimize")
    document: Mapping[str, Any] = read_json(path)
    if document.get("schema") != SCHEMA:
        raise DataError(f"{FOLDER}/metrics.json is not {SCHEMA}", hint="run: gitloop optimize")
    if document["outcome"] != "proposed":
        raise DataError(
            f"there is nothing to propose: {document['outcome']}, {document['message']}",
            hint=f"see {FOLDER}/report.md",
        )
    return document
