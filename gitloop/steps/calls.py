"""The call store, looked at and tidied: what it holds, what it cost, what differs, what may go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core import calls as core
from gitloop.core.calls import CallsDiff, CallTotals
from gitloop.errors import DataError, MissingObjectError
from gitloop.storage.calls.shards import parse_shard, rewrite, shard_files
from gitloop.storage.files import write_text
from gitloop.storage.runs import LOCK, bring, lock_outs, read_object
from gitloop.tables import CALLS
from gitloop.workspace import Workspace

_TABLE = "calls.parquet"


@dataclass(frozen=True, slots=True)
class StoreTotals:
    """What the shards of this clone hold.

    Attributes:
        path: The folder, relative to the root.
        n_bytes: Bytes of the shards.
        n_superseded: Lines that a later answer, or an equal line, stands in for.
        n_torn: Lines that hold no whole answer of this format.
        totals: Of the answers in force.
    """

    path: str
    n_bytes: int
    n_superseded: int
    n_torn: int
    totals: CallTotals


@dataclass(frozen=True, slots=True)
class StatsReport:
    """What was recorded.

    Attributes:
        store: This clone's store.
        tables: Path of each stage's table of calls → what it comes to.
    """

    store: StoreTotals
    tables: dict[str, CallTotals]


@dataclass(frozen=True, slots=True)
class GcReport:
    """What was, or would be, thrown away.

    Attributes:
        n_kept: Answers that stay.
        n_torn: Torn lines.
        n_superseded: Lines that a later answer, or an equal line, stands in for.
        n_unused: Answers that no commit's table of calls holds; 0 unless they were asked for.
        n_bytes: Bytes that are freed.
        is_done: Whether it was done.
    """

    n_kept: int
    n_torn: int
    n_superseded: int
    n_unused: int
    n_bytes: int
    is_done: bool


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported.

    Attributes:
        n: Calls.
        n_bare: Those of which only the answer is known, not the request.
        path: The file, or None.
        text: The lines, where no file was asked for.
    """

    n: int
    n_bare: int
    path: str | None
    text: str


def stats(directory: Path) -> StatsReport:
    """What the call store and the stages' tables hold, and what that cost."""
    workspace = Workspace(directory)
    responses, n_bytes, n_superseded, n_torn = [], 0, 0, 0
    for path in shard_files(_folder(workspace)):
        content = path.read_bytes()
        shard = parse_shard(content)
        responses += [taken.response for _, taken in sorted(shard.answers.items())]
        n_bytes += len(content)
        n_superseded += shard.n_lines - len(shard.answers)
        n_torn += shard.n_torn
    tables = {
        path: core.totals(table["response"], table["kind"])
        for path, table in _tables(workspace).items()
    }
    place = _folder(workspace).relative_to(workspace.root).as_posix()
    store = StoreTotals(place, n_bytes, n_superseded, n_torn, core.totals(responses))
    return StatsReport(store, tables)


def gc(directory: Path, *, unused: bool = False, dry_run: bool = False) -> GcReport:
    """Throw away torn and superseded lines; with `unused`, also answers that no commit used.

    Args:
        directory: A directory in the repository.
        unused: Whether answers go that stand in no table of calls, neither of the work tree nor of
            any commit of any branch whose table this clone has.
        dry_run: Whether it is only counted.
    """
    workspace = Workspace(directory)
    used = _used(workspace) if unused else None
    n_kept = n_torn = n_superseded = n_unused = n_bytes = 0
    for path in shard_files(_folder(workspace)):
        content = path.read_bytes()
        shard = parse_shard(content)
        kept = shard.answers.keys() if used is None else shard.answers.keys() & used
        gone = len(shard.answers) - len(kept)
        n_kept += len(kept)
        n_torn += shard.n_torn
        n_superseded += shard.n_lines - len(shard.answers)
        n_unused += gone
        if not dry_run and (gone or shard.n_torn or shard.n_lines > len(shard.answers)):
            rewrite(path, {*shard.answers} - {*kept})
            n_bytes += len(content) - path.stat().st_size
    return GcReport(n_kept, n_torn, n_superseded, n_unused, n_bytes, not dry_run)


def export(directory: Path, path: str | None = None) -> ExportReport:
    """Every recorded call as JSON lines: call_id, kind, request and response, by call_id.

    Calls of this clone's store that stand in no table have no kind and no request: the store keeps
    their digest alone.
    """
    workspace = Workspace(directory)
    lines: dict[str, str] = {}
    for found in shard_files(_folder(workspace)):
        for key, taken in parse_shard(found.read_bytes()).answers.items():
            lines[key] = _line(key, None, None, taken.response)
    bare = set(lines)
    for table in _tables(workspace).values():
        for key, kind, request, response in table.select(CALLS.schema.names()).iter_rows():
            lines[key] = _line(key, kind, request, response)
            bare.discard(key)
    text = "".join(f"{lines[key]}\n" for key in sorted(lines))
    if path is not None:
        write_text(Path(path) if Path(path).is_absolute() else Path.cwd() / path, text)
    return ExportReport(len(lines), len(bare), path, "" if path else text)


def diff(directory: Path, before: str, after: str | None, *, stage: str = "score") -> CallsDiff:
    """How a stage's recorded calls differ between two commits.

    Args:
        directory: A directory in the repository.
        before: A commit, branch or tag.
        after: Another, or None for the work tree.
        stage: The stage.

    Raises:
        DataError: One of them has no table of calls for the stage, or its bytes are not to be had.
        ToolError: There is no such commit.
    """
    workspace = Workspace(directory)
    path = f"loop/{stage}/{_TABLE}"
    first = _table_at(workspace, before, path)
    if after is None:
        if not (workspace.root / path).is_file():
            raise DataError(f"{path} does not exist", hint=f"run: dvc repro {stage}")
        return core.diff(first, workspace.read(path, CALLS))
    return core.diff(first, _table_at(workspace, after, path))


def _folder(workspace: Workspace) -> Path:
    return workspace.root / ".gitloop" / "calls"


def _tables(workspace: Workspace) -> dict[str, pl.DataFrame]:
    """Path → table of calls of each stage that has one in the work tree."""
    found = sorted(workspace.root.glob(f"loop/*/{_TABLE}"))
    paths = [path.relative_to(workspace.root).as_posix() for path in found]
    return {path: workspace.read(path, CALLS) for path in paths}


def _table_at(workspace: Workspace, revision: str, path: str) -> pl.DataFrame:
    """The table of calls that a commit's dvc.lock names."""
    sha = workspace.git.resolve(revision)
    blob = workspace.git.files(sha, LOCK).get(LOCK)
    outs = lock_outs(workspace.dvc, workspace.git.blobs([blob])[0]) if blob else {}
    if path not in outs:
        raise DataError(f"{revision} has no {path} in its dvc.lock", hint="name a scored commit")
    bring(workspace.root, workspace.dvc, [outs[path]])
    return read_object(workspace.dvc, outs[path], CALLS, source=f"{path} of {revision}")


def _used(workspace: Workspace) -> set[str]:
    """The keys in the tables of the work tree and of every commit whose table is in the cache."""
    used: set[str] = set()
    for table in _tables(workspace).values():
        used.update(table["call_id"])
    for digest in sorted(_recorded(workspace)):
        try:
            table = read_object(workspace.dvc, digest, CALLS, source=f"calls {digest}")
        except MissingObjectError:  # not on this machine: nothing here was recorded for it
            continue
        used.update(table["call_id"])
    return used


def _recorded(workspace: Workspace) -> Iterator[str]:
    """The MD5s of the tables of calls that any commit's dvc.lock names."""
    seen: set[str] = set()
    if workspace.git.head() is None:
        return
    for sha in workspace.git.text("log", "--all", "--format=%H", "--", LOCK).split():
        blob = workspace.git.files(sha, LOCK).get(LOCK)
        if blob is None or blob in seen:
            continue
        seen.add(blob)
        outs = lock_outs(workspace.dvc, workspace.git.blobs([blob])[0])
        yield from {md5 for path, md5 in outs.items() if path.endswith(f"/{_TABLE}")}


def _line(key: str, kind: str | None, request: str | None, response: str) -> str:
    value = {
        "call_id": key,
        "kind": kind,
        "request": None if request is None else json.loads(request),
        "response": json.loads(response),
    }
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
