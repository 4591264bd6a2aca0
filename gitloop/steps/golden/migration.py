"""A set that was kept in one file becomes a golden set, its Git history the lineage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polars as pl

from gitloop import scaffold
from gitloop.core import promote
from gitloop.core.migrate import Adoption, adopt
from gitloop.errors import ConfigError, DataError, TableError
from gitloop.params.datasets import SET_NAME, DatasetSpec, parse_dataset
from gitloop.protocols import silent
from gitloop.storage.dvc import parse_pointer
from gitloop.storage.git import Commit
from gitloop.storage.golden_commits import Destination, GoldenWriter
from gitloop.storage.golden_history import HistoryWriter
from gitloop.storage.trees import CommitTree
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A commit whose version of the file is not part of the lineage.

    Attributes:
        commit: The commit, shortened.
        subject: First line of its message.
        reason: Why: it cannot be read any more, or its columns or cells were not fit then.
    """

    commit: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class MigrateReport:
    """What was taken over.

    Attributes:
        set: The golden set.
        source: The file.
        branch: Branch that the commit is on.
        commit: The commit.
        versions: The versions made, oldest first, one per commit that changed the rows.
        passed_over: Older commits of the file that made none, oldest first, each with its reason.
        n_rows: Rows of the set.
        masked: Kind of personal data → how often it was replaced in the newest version.
    """

    set: str
    source: str
    branch: str
    commit: str
    versions: tuple[str, ...]
    passed_over: tuple[PassedOver, ...]
    n_rows: int
    masked: dict[str, int]


def migrate(
    directory: Path, source: str, *, set_name: str, columns: Mapping[str, str], onto: str | None
) -> MigrateReport:
    """Turn a Parquet, JSONL or CSV file, tracked by Git or DVC, into a golden set.

    Each commit that changed the file's rows becomes a record with its date and subject, under
    whatever name the file had then; the rows are those of the newest. An older version that cannot
    be read, or was not fit, is passed over and told; the newest must be whole. One commit on a
    branch holds it all; the file itself stays.

    Args:
        directory: A directory in the work tree.
        source: The file, relative to the root.
        set_name: A set that does not exist yet.
        columns: Our column → theirs, as `core.migrate.Adoption` reads it.
        onto: Branch to commit on, or None for a new one.

    Raises:
        ConfigError: The set exists, or its name is none.
        DataError: No commit has the file, or its newest version cannot be read; every fault.
    """
    workspace = Workspace(directory)
    if not re.fullmatch(SET_NAME, set_name):
        raise ConfigError(f"{set_name!r} is no name for a golden set", hint="use: --set refunds")
    writer = GoldenWriter(workspace.git, workspace.dvc)
    parent = writer.parent(onto)
    golden = workspace.golden(set_name, parent)
    if golden.record_paths():
        raise ConfigError(f"the golden set {set_name} exists already", hint="use another name")
    path = f"golden/{set_name}/dataset.yaml"
    text = scaffold.dataset(set_name)
    spec = golden.spec() if golden.exists() else parse_dataset(text, source=path)
    history, masked, passed_over = _history(workspace, source, parent, (set_name, columns, spec))
    files: dict[str, bytes] = {} if golden.exists() else {path: text.encode()}
    files |= history.files()
    branch = onto or f"gitloop/migrate/{set_name}-{history.versions[-1]}"
    message = (
        f"Migrate {source} to the golden set {set_name}\n\n"
        f"{len(history.rows)} rows in {len(history.versions)} versions.\n\n"
        f"Gitloop-Dataset: {set_name}\nGitloop-Version: {history.versions[-1]}\n"
    )
    to = Destination(branch, parent, message, files)
    made = writer.commit_files(to, at=workspace.now())
    return MigrateReport(
        set=set_name,
        source=source,
        branch=branch,
        commit=made,
        versions=tuple(history.versions),
        passed_over=tuple(passed_over),
        n_rows=len(history.rows),
        masked=masked,
    )


def _history(
    workspace: Workspace,
    source: str,
    revision: str,
    how: tuple[str, Mapping[str, str], DatasetSpec],
) -> tuple[HistoryWriter, dict[str, int], list[PassedOver]]:
    """Every version of the file, what was masked in the newest, and the commits passed over."""
    set_name, columns, spec = how
    history = HistoryWriter(workspace.dvc, set_name)
    commits = _commits(workspace, source, revision)
    masked: dict[str, int] = {}
    passed_over = []
    for commit, place in commits:
        adoption = Adoption(set_name, columns, source, commit.author)
        try:
            content = _content(workspace, CommitTree(workspace.git, commit.sha), place)
            if content is None:
                continue  # the commit took the file away
            table = _table(place, content)
            rows, masked = _golden_rows(table, adoption, spec, history.splits)
        except DataError as error:
            if commit.sha == commits[-1][0].sha:
                raise
            told = error.message.splitlines()[-1].strip()
            passed_over.append(PassedOver(commit.sha[:12], commit.subject, told))
            continue
        history.add(rows, at=commit.committed_at, why=f"{source}: {commit.subject}")
    if not history.versions:
        raise DataError(f"no commit has {source}", hint=f"git log -- {source} {source}.dvc")
    return history, masked, passed_over


def _commits(workspace: Workspace, source: str, revision: str) -> list[tuple[Commit, str]]:
    """The commits that have the file, oldest first, each with its path then.

    A file that DVC tracks today may have been in Git itself once: both histories are one.
    """
    git = workspace.git
    every = [*git.followed(revision, source), *git.followed(revision, f"{source}.dvc")]
    found: dict[str, tuple[Commit, str]] = {}
    for commit, path in every:
        found.setdefault(commit.sha, (commit, path.removesuffix(".dvc")))
    line = git.text("rev-list", "--first-parent", "--reverse", revision).splitlines()
    return [found[sha] for sha in line if sha in found]


def _content(workspace: Workspace, tree: CommitTree, source: str) -> bytes | None:
    if tree.has(source):
        return tree.read([source])[0]
    if not tree.has(f"{source}.dvc"):
        return None
    pointer = parse_pointer(tree.read([f"{source}.dvc"])[0], source=f"{source}.dvc")
    if workspace.dvc.object_path(pointer.md5) is None:
        workspace.dvc.fetch_objects([pointer])
    found = workspace.dvc.object_path(pointer.md5)
    return None if found is None else found.read_bytes()


def _table(source: str, content: bytes) -> pl.DataFrame:
    try:
        if source.endswith(".csv"):
            return pl.read_csv(BytesIO(content), infer_schema_length=None)
        if source.endswith((".jsonl", ".ndjson")):
            return pl.read_ndjson(BytesIO(content), infer_schema_length=None)
        return pl.read_parquet(BytesIO(content))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{source} cannot be read: {str(error).splitlines()[0]}",
            hint="it must be Parquet, JSONL or CSV",
        ) from error


def _golden_rows(
    table: pl.DataFrame, how: Adoption, spec: DatasetSpec, taken: Mapping[str, str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    rows, faults = adopt(table, how)
    if faults:
        raise TableError("golden", faults, source=how.source, hint="map columns with --map")
    screened = promote.screen(rows, silent)
    if screened.secrets:
        told = [f"{s.trace_id}, column {s.column}: {s.kind}" for s in screened.secrets[:20]]
        raise TableError("golden", told, source=how.source, hint="take the secrets out first")
    if screened.masked and spec.personal_data == "block":
        told = [f"{m.trace_id}, column {m.column}: {m.kind}" for m in screened.masked[:20]]
        raise TableError("golden", told, source=how.source, hint="dataset.yaml: personal_data")
    masked: dict[str, int] = {}
    for finding in screened.masked:
        masked[finding.kind] = masked.get(finding.kind, 0) + finding.n
    own = dict(rows.filter(pl.col("split") != "").select("group_id", "split").iter_rows())
    split = promote.assign_splits(
        screened.rows,
        own | dict(taken),
        val_rate=spec.val_rate,
        holdout_rate=spec.holdout_rate,
    )
    return split, masked
