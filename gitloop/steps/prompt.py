"""Look at the prompt: as the application is sent it, and what a change of it changes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from gitloop.errors import ConfigError, DataError
from gitloop.params import Prompt, parse_prompt
from gitloop.records import Case
from gitloop.storage.files import read_text
from gitloop.targets.prompts import rendered
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt as the application is sent it.

    Attributes:
        prompt: Name and version, e.g. "support@2".
        sha256: Digest of all that can change what is sent.
        row_id: The golden row, or None for a text of the user's own.
        text: What is sent.
    """

    prompt: str
    sha256: str
    row_id: str | None
    text: str


@dataclass(frozen=True, slots=True)
class PromptDiff:
    """What a change of the prompt changes.

    Attributes:
        before: Name and version before.
        after: Name and version after.
        is_sent: Whether the application is sent anything else than before.
        added: Instructions that came in.
        removed: Instructions that went.
        variables_added: Placeholders that came in, sorted.
        variables_removed: Placeholders that went, sorted.
        is_bumped: Whether the version changed with the text.
        diff: The file's unified diff.
    """

    before: str
    after: str
    is_sent: bool
    added: tuple[str, ...]
    removed: tuple[str, ...]
    variables_added: tuple[str, ...]
    variables_removed: tuple[str, ...]
    is_bumped: bool
    diff: str


def render_prompt(
    directory: Path, row: str | None, text: str | None = None, candidate: str | None = None
) -> RenderedPrompt:
    """The prompt for a golden row, or for a text.

    Args:
        directory: In the checkout.
        row: A row_id, or the beginning of one; None for the first row of the golden sets.
        text: An input in place of a row's.
        candidate: A prompt file in place of the target's, relative to the root.

    Raises:
        ConfigError: The target has no prompt file, there is a fault in it, or it does not render.
        DataError: No golden row has that id, or more than one begins with it.
    """
    workspace = Workspace(directory)
    prompt = _prompt(workspace, candidate)
    row_id = None if text is not None else _row_id(workspace, row)
    case = Case("", text or "") if row_id is None else _case(workspace, row_id)
    return RenderedPrompt(prompt.version_id, prompt.sha256, row_id, rendered(prompt, case) or "")


def diff_prompts(directory: Path, before: str = "HEAD", after: str | None = None) -> PromptDiff:
    """What changed in the target's prompt between two commits, or since one.

    Args:
        directory: In the checkout.
        before: A revision.
        after: Another, or None for the work tree.

    Raises:
        ConfigError: The target has no prompt file, or there is a fault in one of the two.
        DataError: One of the commits has no such file.
    """
    workspace = Workspace(directory)
    source = _source(workspace)
    texts = [_text(workspace, source, revision) for revision in (before, after)]
    old, new = (
        parse_prompt(text, source=f"{source} at {revision or 'the work tree'}")
        for text, revision in zip(texts, (before, after), strict=True)
    )
    ours, theirs = (text.splitlines(keepends=True) for text in texts)
    return PromptDiff(
        before=old.version_id,
        after=new.version_id,
        is_sent=old.sha256 != new.sha256,
        added=_missing(new, old),
        removed=_missing(old, new),
        variables_added=tuple(sorted(new.variables - old.variables)),
        variables_removed=tuple(sorted(old.variables - new.variables)),
        is_bumped=old.head.version != new.head.version,
        diff="".join(unified_diff(ours, theirs, f"a/{source}", f"b/{source}")),
    )


def _source(workspace: Workspace) -> str:
    source = workspace.params.target.prompt
    if source is None:
        raise ConfigError("the target has no prompt file", hint="edit params.yaml: target.prompt")
    return source


def _prompt(workspace: Workspace, candidate: str | None) -> Prompt:
    """The target's prompt, with what optimize.yaml opens of it, or the one of another file."""
    source = _source(workspace) if candidate is None else candidate
    path = workspace.root / source
    if not path.is_file():
        raise ConfigError(f"{source} does not exist", hint="run: git ls-files prompts")
    own = workspace.prompt() if candidate is None else None
    return own or parse_prompt(read_text(path), source=source)


def _missing(prompt: Prompt, other: Prompt) -> tuple[str, ...]:
    """The instructions of the one that the other has not."""
    return tuple(line for line in prompt.head.instructions if line not in other.head.instructions)


def _text(workspace: Workspace, source: str, revision: str | None) -> str:
    if revision is None:
        return read_text(workspace.root / source)
    commit = workspace.git.resolve(revision)
    blob = workspace.git.files(commit, source).get(source)
    if blob is None:
        raise DataError(f"{revision} has no {source}", hint=f"git log --oneline -- {source}")
    return workspace.git.blobs([blob])[0].decode()


def _row_id(workspace: Workspace, row: str | None) -> str:
    sets = [workspace.golden_in_use(name).read() for name in sorted(workspace.params.golden.sets)]
    ids = sorted({str(row_id) for rows in sets for row_id in rows["row_id"].to_list()})
    found = [row_id for row_id in ids if row_id.startswith(row or "")]
    if not found or (row is not None and len(found) > 1):
        shown = f"begins with {row}" if row else "is there"
        raise DataError(
            f"{'more than one' if found else 'no'} golden row {shown}",
            hint="name more of its id, or give a text: gitloop prompt render --input TEXT",
        )
    return found[0]


def _case(workspace: Workspace, row_id: str) -> Case:
    for name in sorted(workspace.params.golden.sets):
        for row in workspace.golden_in_use(name).read().filter(row_id=row_id).to_dicts():
            fields = ("input", "context", "reference", "route", "user_cohort")
            return Case(row_id, **{field: row[field] for field in fields})
    raise DataError(f"there is no golden row {row_id}")
