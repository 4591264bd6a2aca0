"""The branch that proposes: the prompt with a bumped version, thresholds, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from gitloop.core.optimize import pin_threshold, prompt_file
from gitloop.digests import sha256
from gitloop.errors import DataError, StaleError, WorkspaceError
from gitloop.params import Prompt, next_version, parse_prompt
from gitloop.records import parse_thresholds
from gitloop.reports.proposal import as_pull_request
from gitloop.steps.optimize.artefacts import SCHEMA
from gitloop.steps.optimize.searched import FOLDER
from gitloop.storage.files import read_json, read_text
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed: a prompt, thresholds, or both.

    Attributes:
        branch: The branch that was made.
        commit: Its one commit.
        files: The files that it changes, sorted.
        changes: What each change is, in a few words, e.g. "support@3".
        title: The commit's subject; the pull request's title.
        body: The pull request's body.
        diff: The unified diff.
    """

    branch: str
    commit: str
    files: tuple[str, ...]
    changes: tuple[str, ...]
    title: str
    body: str
    diff: str


@dataclass(frozen=True, slots=True)
class _Change:
    """A file as it is and as it is proposed."""

    path: str
    now: str
    then: str
    name: str
    title: str

    @property
    def diff(self) -> str:
        """The unified diff."""
        now, then = (text.splitlines(keepends=True) for text in (self.now, self.then))
        return "".join(unified_diff(now, then, f"a/{self.path}", f"b/{self.path}"))


def propose(directory: Path, *, is_again: bool = False) -> Proposal:
    """Commit what the last search found on a branch of its own.

    The user's index, work tree and HEAD stay as they are. Nothing is searched again.

    Args:
        directory: In the checkout.
        is_again: Whether a branch that is there already is left as it is, rather than an error.

    Raises:
        DataError: No search has run, or its outcome is no proposal.
        StaleError: The prompt or a threshold is not the one that the search started from.
        WorkspaceError: There is no commit to build on, it does not hold the file that is changed as
            it is, or the branch is there already.
    """
    workspace = Workspace(directory)
    document = _document(workspace)
    changes = [*_prompt_change(workspace, document), *_threshold_changes(workspace, document)]
    diff = "".join(change.diff for change in changes)
    title = "; ".join(change.title for change in changes)
    body = as_pull_request(document, diff)
    if document["outcome"] == "proposed":
        what = f"{document['prompt']['version'].partition('@')[0]}-{document['finalist']}"
    else:
        what = f"thresholds-{sha256(diff)[:12]}"
    branch = f"gitloop/optimize/{what}"
    parent = workspace.git.head()
    if parent is None:
        raise WorkspaceError(
            "this repository has no commit to build on",
            hint='git add -A && git commit -m "Set up gitloop"',
        )
    files = _committable(workspace, parent, changes)
    commit = workspace.git.branch_head(branch)
    if commit is not None and not is_again:
        raise WorkspaceError(
            f"branch {branch} is there already",
            hint=f"git diff HEAD...{branch}; gitloop optimize --apply --body shows its text",
        )
    if commit is None:
        message = f"{title}\n\n{body}"
        commit = workspace.git.commit_on_branch(
            branch, files, message, parent=parent, at=workspace.now()
        )
    names = tuple(change.name for change in changes)
    return Proposal(branch, commit, tuple(sorted(files)), names, title, body, diff)


def _committable(
    workspace: Workspace, parent: str, changes: Sequence[_Change]
) -> dict[str, bytes | None]:
    """The changed files with the line ends that the commit holds; nothing that it does not hold.

    Raises:
        WorkspaceError: A file has changes that nobody committed: a branch would propose them too.
    """
    found: dict[str, bytes | None] = {}
    for change in changes:
        blob = workspace.git.files(parent, change.path).get(change.path)
        held = "" if blob is None else workspace.git.blobs([blob])[0].decode()
        if held.replace("\r\n", "\n") != change.now:
            raise WorkspaceError(
                f"{change.path} has changes that no commit holds; a branch would propose them too",
                hint=f"git diff HEAD -- {change.path}; commit it, then this",
            )
        end = "\r\n" if "\r\n" in held else "\n"
        found[change.path] = change.then.replace("\n", end).encode()
    return found


def _prompt_change(workspace: Workspace, document: Mapping[str, Any]) -> list[_Change]:
    """The prompt file with the finalist and a bumped version, where there is one."""
    if document["outcome"] != "proposed":
        return []
    source = workspace.params.target.prompt or ""
    prompt = workspace.prompt()
    if prompt is None or prompt.sha256 != document["prompt"]["sha256"]:
        raise StaleError(
            "the prompt has changed since the search", hint="run: dvc repro optimize, then this"
        )
    now, then, version = _proposed_file(workspace, prompt, source, document["finalist"])
    name = prompt.head.name
    title = f"Prompt {name} {version}: {document['holdout']['gain']:+.3f} on the holdout"
    return [_Change(source, now, then, f"{name}@{version}", title)]


def _threshold_changes(workspace: Workspace, document: Mapping[str, Any]) -> list[_Change]:
    """params.yaml with the thresholds that hold on the holdout, where there are any."""
    proposed = [found for found in document["thresholds"] if found["outcome"] == "proposed"]
    if not proposed:
        return []
    in_force = parse_thresholds(read_json(workspace.root / "loop/calibrate/thresholds.json"))
    now = then = _text(workspace, "params.yaml")
    for found in proposed:
        line = in_force.get(found["rubric"])
        if line is None or line.threshold != found["choice"]["incumbent"]:
            raise StaleError(
                f"the threshold of {found['rubric']} has changed since the search",
                hint="run: dvc repro optimize, then this",
            )
        then = pin_threshold(then, found["rubric"], found["choice"]["found"])
    names = [f"{found['rubric']} from {found['choice']['found']:g}" for found in proposed]
    gains = [f"{found['holdout']['gain']:+.3f}" for found in proposed]
    title = f"Threshold {', '.join(names)}: {', '.join(gains)} agreement on the holdout"
    return [_Change("params.yaml", now, then, ", ".join(names), title)]


def _proposed_file(
    workspace: Workspace, prompt: Prompt, source: str, finalist: str
) -> tuple[str, str, str]:
    """The prompt file as it is, as it is proposed, and the version that it then has."""
    path = f"{FOLDER}/candidates/{finalist}.md"
    found = parse_prompt(read_text(workspace.root / path), source=path)
    version = next_version(prompt.head.version)
    now = _text(workspace, source)
    own = parse_prompt(now, source=source)  # without what optimize.yaml opens: that stays there
    changed = {name: getattr(found.head, name) for name in ("parameters", "instructions", "values")}
    head = own.head.model_copy(update={"version": version, **changed})
    return now, prompt_file(now, found.model_copy(update={"head": head})), version


def _text(workspace: Workspace, path: str) -> str:
    return read_text(workspace.root / path).replace("\r\n", "\n")


def _document(workspace: Workspace) -> Mapping[str, Any]:
    path = workspace.root / FOLDER / "metrics.json"
    if not path.is_file():
        raise DataError("no search has run yet", hint="run: gitloop optimize")
    document: Mapping[str, Any] = read_json(path)
    if document.get("schema") != SCHEMA:
        raise DataError(f"{FOLDER}/metrics.json is not {SCHEMA}", hint="run: gitloop optimize")
    outcomes = [document["outcome"], *(found["outcome"] for found in document["thresholds"])]
    if "proposed" not in outcomes:
        raise DataError(
            f"there is nothing to propose: {document['outcome']}, {document['message']}",
            hint=f"see {FOLDER}/report.md",
        )
    return document
