"""Changes of a golden set become commits: parts in the cache, pointers and a record in Git."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.errors import WorkspaceError
from gitloop.storage.dvc import Dvc
from gitloop.storage.git import GitRepository
from gitloop.storage.golden import GoldenSet, digests_of
from gitloop.storage.golden_parts import WrittenPart, write_parts
from gitloop.storage.lineage import Change, render_record

NEW = "@"
"""First letter of a part id that is still to be named after the record."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of a set's parts.

    Attributes:
        parts: Part id → its rows from now on. Ids that begin with `NEW` are new parts; their rows
            are new to the set where `added` says so.
        removed: Ids of parts that go.
        added: row_ids that come in; their `promoted_in` is filled in.
        changed: row_ids whose content changes.
        retired: row_ids that go.
    """

    parts: Mapping[str, pl.DataFrame]
    removed: Sequence[str] = ()
    added: Collection[str] = ()
    changed: Collection[str] = ()
    retired: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A change that is worked out and not yet written.

    Attributes:
        change: What will be recorded; its `parts` are filled in when they are written.
        parts: Part id → rows.
    """

    change: Change
    parts: Mapping[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a change is committed.

    Attributes:
        branch: A branch that does not exist, or whose tip is `parent`.
        parent: The commit to build on.
        message: The commit message.
        files: Further files to commit: path → content.
    """

    branch: str
    parent: str
    message: str
    files: Mapping[str, bytes] = field(default_factory=dict)


class GoldenWriter:
    """Writes changes of golden sets as commits that touch nobody's work tree.

    Args:
        git: The repository.
        dvc: Its cache.
    """

    def __init__(self, git: GitRepository, dvc: Dvc) -> None:
        self._git = git
        self._dvc = dvc

    def parent(self, onto: str | None) -> str:
        """The commit to build on: the tip of `onto`, or HEAD.

        Raises:
            WorkspaceError: There is no commit yet, or `onto` is checked out somewhere.
        """
        place = self._git.checked_out().get(onto or "")
        if place is not None:
            raise WorkspaceError(
                f"branch {onto} is checked out in {Path(place).name}:"
                " a commit on it would make that work tree look changed",
                hint="leave --onto out, and merge the branch that gitloop makes",
            )
        commit = (self._git.branch_head(onto) if onto else None) or self._git.head()
        if commit is None:
            raise WorkspaceError(
                "this repository has no commit to build on",
                hint='git add -A && git commit -m "Set up gitloop"',
            )
        return commit

    def plan(
        self,
        golden: GoldenSet,
        rewrite: Rewrite,
        *,
        kind: str,
        at: datetime,
        why: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Plan:
        """Work out the version, the names of new parts and what the record will say."""
        digests: dict[str, str] = {}
        gone = {*rewrite.parts, *rewrite.removed}
        kept = [part for part in golden.parts() if part.id not in gone]
        golden.remember(kept)
        for part in kept:
            digests |= golden.row_digests(part)
        for rows in rewrite.parts.values():
            digests |= digests_of(rows)
        change = Change(
            kind=kind,
            set_name=golden.name,
            heads=golden.heads(),
            base_sha256=golden.sha256() if golden.record_paths() else None,
            row_digests=digests,
            parts=(),
            at=at,
            added=rewrite.added,
            changed=rewrite.changed,
            retired=rewrite.retired,
            removed_parts=rewrite.removed,
            why=why,
            details=details or {},
        )
        return Plan(change, _named(rewrite, change.id))

    def branch(self, kind: str, plan: Plan, onto: str | None) -> str:
        """The branch to commit on: `onto`, or a new one named after the record.

        Raises:
            WorkspaceError: That very change is on a branch of its own already.
        """
        if onto is not None:
            return onto
        branch = f"gitloop/{kind}/{plan.change.set_name}-{plan.change.id}"
        if self._git.branch_head(branch) is not None:
            raise WorkspaceError(
                f"branch {branch} has this change already",
                hint=f"git merge {branch}, or git branch -D {branch} to make it again",
            )
        return branch

    def commit(self, plan: Plan, to: Destination) -> str:
        """Commit the change, and return the commit.

        Bytes go into the cache first, the branch moves last: killed in between, the repository is
        as before.

        Raises:
            BranchMovedError: The branch moved meanwhile; nothing happened.
        """
        written: list[WrittenPart] = []
        for part_id, rows in sorted(plan.parts.items()):
            written += write_parts(self._dvc, part_id, rows)
        recorded = replace(plan.change, parts=[part.state for part in written])
        set_name = recorded.set_name
        files: dict[str, bytes | None] = dict(to.files)
        for part_id in recorded.removed_parts:
            files[f"golden/{set_name}/parts/{part_id}.parquet.dvc"] = None
        for part in written:
            files[part.pointer_path(set_name)] = part.pointer.render().encode()
        files[f"golden/{set_name}/log/{recorded.id}.yaml"] = render_record(recorded)
        return self._git.commit_on_branch(
            to.branch, files, to.message, parent=to.parent, at=recorded.at
        )

    def commit_files(self, to: Destination, *, at: datetime) -> str:
        """Commit just the destination's files, and return the commit.

        Raises:
            BranchMovedError: The branch moved meanwhile; nothing happened.
        """
        return self._git.commit_on_branch(
            to.branch, dict(to.files), to.message, parent=to.parent, at=at
        )


def _named(rewrite: Rewrite, record: str) -> dict[str, pl.DataFrame]:
    """The parts under their own names, new rows marked with the record that brings them in."""
    added = set(rewrite.added)
    named, number = {}, 0
    for part_id, rows in sorted(rewrite.parts.items()):
        name = part_id
        if part_id.startswith(NEW):
            name = record if number == 0 else f"{record}.{number}"
            number += 1
        named[name] = _stamped(rows, added, record) if added else rows
    return named


def _stamped(rows: pl.DataFrame, added: set[str], record: str) -> pl.DataFrame:
    """The rows, those that come in marked with the record that brings them."""
    pairs = rows.select("row_id", "promoted_in").iter_rows()
    stamps = [record if row_id in added else before for row_id, before in pairs]
    return rows.with_columns(pl.Series("promoted_in", stamps, dtype=pl.String))
