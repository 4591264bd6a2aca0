"""Corrections, retirements and compactions: commits that rewrite only the parts they must."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core import golden as core
from gitloop.core import promote
from gitloop.errors import BranchMovedError, ConfigError, DataError
from gitloop.protocols import silent
from gitloop.storage.golden import GoldenSet, digests_of
from gitloop.storage.golden_commits import NEW, Destination, GoldenWriter, Plan, Rewrite
from gitloop.storage.golden_parts import FRAME_BYTES, MAX_BYTES, MAX_ROWS
from gitloop.workspace import Workspace

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What is to be changed, and where to.

    Attributes:
        set_name: The golden set.
        why: What the person says about it; it goes into the record for ever.
        onto: Branch to commit on, or None for a new one of its own.
        is_dry_run: Whether nothing is to be written.
    """

    set_name: str
    why: str
    onto: str | None = None
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What was changed.

    Attributes:
        set: The golden set.
        kind: "edit", "retire" or "compact".
        version: The version that it makes.
        branch: Branch that the commit is on; None on a dry run.
        commit: The commit; None on a dry run.
        row_ids: The rows that were changed or retired.
        n_rows: Rows of the set afterwards.
        rewritten_parts: Parts that were written.
        removed_parts: Parts that went.
    """

    set: str
    kind: str
    version: str
    branch: str | None
    commit: str | None
    row_ids: tuple[str, ...]
    n_rows: int
    rewritten_parts: tuple[str, ...]
    removed_parts: tuple[str, ...]


def edit(
    directory: Path, request: ChangeRequest, row_ids: Sequence[str], assignments: Sequence[str]
) -> ChangeReport:
    """Correct cells of rows; their ids, splits and trails stay.

    Args:
        directory: A directory in the work tree.
        request: The set, why, and where to.
        row_ids: The rows, or clear beginnings of their ids.
        assignments: COLUMN=VALUE, or labels.RUBRIC=VERDICT.

    Raises:
        ConfigError: An assignment is none, with every fault at once; or there is no reason.
        DataError: No such row, nothing would change, or a secret stands in a new text.
    """
    cells, faults = core.read_assignments(assignments)
    if faults or not cells:
        raise ConfigError(
            "\n".join(faults) or "nothing to set", hint="run: gitloop golden edit --help"
        )

    def rewrite(golden: GoldenSet) -> Rewrite:
        holders, wanted = _wanted(golden, row_ids)
        parts = _without_rows(golden, {row_id: holders[row_id][1:] for row_id in wanted})
        changed = {row_id for row_id in wanted if len(holders[row_id]) > 1}
        for part, names in _by_part({row_id: holders[row_id][:1] for row_id in wanted}).items():
            old = parts.get(part, golden.read_part(golden.part_named(part)))
            new = core.edit_rows(old, names, cells)
            before, after = digests_of(old), digests_of(new)
            changed |= {row_id for row_id in names if before[row_id] != after[row_id]}
            parts[part] = _screened(new, names, list(cells))
        if not changed:
            raise DataError("nothing would change", hint="run: gitloop golden show NAME ROW")
        return _rewrite(parts, changed=changed)

    return _change(directory, request, "edit", rewrite)


def retire(directory: Path, request: ChangeRequest, row_ids: Sequence[str]) -> ChangeReport:
    """Take rows out of the set; their history stays.

    Raises:
        DataError: No such row.
    """

    def rewrite(golden: GoldenSet) -> Rewrite:
        holders, wanted = _wanted(golden, row_ids)
        parts = _without_rows(golden, {row_id: holders[row_id] for row_id in wanted})
        return _rewrite(parts, retired=wanted)

    return _change(directory, request, "retire", rewrite)


def compact(directory: Path, request: ChangeRequest) -> ChangeReport:
    """Join small parts; the dataset digest stays the same.

    Raises:
        DataError: There is nothing to join.
    """

    def rewrite(golden: GoldenSet) -> Rewrite:
        parts = {part.id: part for part in golden.parts()}
        golden.fetch(list(parts.values()))
        sizes = [
            core.PartSize(
                name, golden.n_rows(part), max(0, (part.pointer.size or 0) - FRAME_BYTES)
            )
            for name, part in parts.items()
        ]
        groups = core.compaction(sizes, max_rows=MAX_ROWS, max_bytes=MAX_BYTES)
        rest = _without_rows(golden, _repeats(golden))
        if not groups and not rest:
            raise DataError(f"the parts of {golden.name} cannot be joined any further")
        joined, own = {}, set(rest)
        for number, group in enumerate(groups):
            frames = [rest.pop(name) for name in group if name in rest]
            whole = [parts[name] for name in group if name not in own]
            frames += [golden.read_parts(whole)] if whole else []
            joined[f"{NEW}{number:04}"] = pl.concat(frames)
        left = _rewrite(rest)
        return Rewrite(
            parts={**joined, **left.parts},
            removed=[*left.removed, *(name for group in groups for name in group)],
        )

    return _change(directory, request, "compact", rewrite)


def _wanted(golden: GoldenSet, row_ids: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """row_id → the parts that hold it, and the ids that the words name.

    Raises:
        DataError: A word begins no row's id, or more than one.
    """
    holders = _holders(golden)
    found, faults = [], []
    for word in dict.fromkeys(row_ids):
        fits = [word] if word in holders else [name for name in holders if name.startswith(word)]
        found += fits if len(fits) == 1 else []
        if len(fits) != 1:
            faults.append(f"{len(fits) or 'no'} rows of {golden.name} begin with {word!r}")
    if faults or not found:
        raise DataError(
            "\n".join(faults) or "no row is named",
            hint=f"run: gitloop golden export {golden.name} --format jsonl",
        )
    return holders, sorted(set(found))


def _holders(golden: GoldenSet) -> dict[str, list[str]]:
    """row_id → the parts that hold it: one, or more after two promotions of one case."""
    parts = golden.parts()
    golden.fetch(parts)
    golden.remember(parts)
    holders: dict[str, list[str]] = {}
    for part in parts:
        for row_id in golden.row_digests(part):
            holders.setdefault(row_id, []).append(part.id)
    return holders


def _repeats(golden: GoldenSet) -> dict[str, list[str]]:
    """row_id → the parts, after the first, that hold the same row once more.

    Raises:
        DataError: Two parts hold different rows of one id: that is for a person to decide.
    """
    parts = {part.id: part for part in golden.parts()}
    found = {row_id: names for row_id, names in _holders(golden).items() if len(names) > 1}
    for row_id, names in sorted(found.items()):
        if len({golden.row_digests(parts[name])[row_id] for name in names}) > 1:
            raise DataError(
                f"row {row_id} differs between the parts {' and '.join(names)}",
                hint=f"gitloop golden edit {golden.name} {row_id} --set … decides for one",
            )
    return {row_id: names[1:] for row_id, names in found.items()}


def _by_part(rows: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Part → row_ids, from row_id → parts."""
    found: dict[str, list[str]] = {}
    for row_id, names in rows.items():
        for name in names:
            found.setdefault(name, []).append(row_id)
    return found


def _without_rows(golden: GoldenSet, rows: Mapping[str, Sequence[str]]) -> dict[str, pl.DataFrame]:
    """The parts of row_id → parts, without these rows."""
    return {
        part: golden.read_part(golden.part_named(part)).filter(~pl.col("row_id").is_in(names))
        for part, names in _by_part(rows).items()
    }


def _rewrite(
    parts: Mapping[str, pl.DataFrame],
    *,
    changed: Collection[str] = (),
    retired: Collection[str] = (),
) -> Rewrite:
    """The rewrite in which parts that came out empty go."""
    return Rewrite(
        parts={name: rows for name, rows in parts.items() if not rows.is_empty()},
        removed=sorted(name for name, rows in parts.items() if rows.is_empty()),
        changed=sorted(changed),
        retired=sorted(retired),
    )


def _screened(rows: pl.DataFrame, wanted: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    """The rows with personal data masked in the edited texts of the wanted rows.

    Raises:
        DataError: A secret stands in one of them.
    """
    mine = pl.col("row_id").is_in(list(wanted))
    found = promote.screen(rows.filter(mine), silent)
    secrets = [finding for finding in found.secrets if finding.column in columns]
    if secrets:
        told = "\n".join(f"  column {s.column}: {s.kind}" for s in secrets)
        raise DataError(f"secrets stand in the new text, and Git would keep them:\n{told}")
    edited = [name for name in promote.TEXT_COLUMNS if name in columns]
    clean = found.rows.select("row_id", *edited)
    return rows.update(clean, on="row_id", how="left") if edited else rows


def _change(
    directory: Path,
    request: ChangeRequest,
    kind: str,
    rewrite: Callable[[GoldenSet], Rewrite],
) -> ChangeReport:
    workspace = Workspace(directory)
    why = " ".join(request.why.split())
    if not why:
        raise ConfigError("a change needs its reason", hint='add: --why "what was wrong"')
    if promote.find_secrets(why):
        raise DataError("a secret stands in the reason, and Git would keep it for ever")
    writer = GoldenWriter(workspace.git, workspace.dvc)
    for _ in range(_ATTEMPTS):
        parent = writer.parent(request.onto)
        golden = workspace.golden(request.set_name, parent)
        if not golden.exists():
            raise DataError(
                f"there is no golden set {request.set_name}", hint="run: gitloop golden list"
            )
        planned = writer.plan(golden, rewrite(golden), kind=kind, why=why, at=workspace.now())
        if request.is_dry_run:
            return _report(planned, None, None)
        branch = writer.branch(kind, planned, request.onto)
        try:
            to = Destination(branch, parent, _message(planned), {})
            return _report(planned, branch, writer.commit(planned, to))
        except BranchMovedError:
            if request.onto is None:
                raise
    raise BranchMovedError(f"branch {request.onto} moves all the time", hint="run it again")


def _message(planned: Plan) -> str:
    change = planned.change
    n = len(change.changed) + len(change.retired)
    rows = f"{n} row{'' if n == 1 else 's'}"
    subject = {
        "edit": f"Correct {rows} of {change.set_name}",
        "retire": f"Retire {rows} of {change.set_name}",
        "compact": f"Compact {change.set_name}: {len(change.removed_parts)} parts joined",
    }[change.kind]
    lines = [subject, "", change.why or "", "", f"Gitloop-Dataset: {change.set_name}"]
    lines += [f"Gitloop-Version: {change.version}", f"Gitloop-Record: {change.id}"]
    return "\n".join([*lines, *(f"Gitloop-Parent: {head.id}" for head in change.heads)]) + "\n"


def _report(planned: Plan, branch: str | None, commit: str | None) -> ChangeReport:
    change = planned.change
    return ChangeReport(
        set=change.set_name,
        kind=change.kind,
        version=change.version,
        branch=branch,
        commit=commit,
        row_ids=tuple(sorted((*change.changed, *change.retired))),
        n_rows=len(change.row_digests),
        rewritten_parts=tuple(sorted(planned.parts)),
        removed_parts=tuple(sorted(change.removed_parts)),
    )
