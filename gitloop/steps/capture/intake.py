"""Rows on their way into the tracked parts of one table: sorted out, staged, and published.

Nothing is visible before `publish`: until then parts lie in a hidden directory. A part is published
by renaming it, then its object goes to DVC's cache, then its pointer is written; a run that is
killed in between leaves files that nobody reads, and the next run makes the same ones again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from gitloop.core.capture import (
    fingerprints,
    nothing_known,
    sort_out,
    without_known,
)
from gitloop.errors import DataError
from gitloop.schema import Table
from gitloop.steps.capture.stores import Stores
from gitloop.steps.capture.tracking import keep_out_of_git
from gitloop.storage import parquet, spool
from gitloop.storage.dvc import parse_pointer
from gitloop.storage.files import md5
from gitloop.storage.parts import FOLDERS, iterate_parts, part_name, track
from gitloop.tables import CONFLICTS
from gitloop.workspace import Workspace

_CONFLICTS = "data/conflicts"

_BYTES_PER_PART = 64 << 20
_BYTES_OF_FIRST_PART = 16 << 20  # each is twice as large as the last: staging begins early
_UNDATED = "undated"
_MOST_PACKED = 2  # parts that are packed at once
_ROOM, _ROOM_END = ".capture.", ".tmp"


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the rows.

    Attributes:
        n_new: Rows that were not there.
        n_repeated: Rows that were there already and are skipped.
        n_conflicts: Rows that contradict a row of the same id; kept apart.
        parts: The parts written, relative to the root.
        conflict_parts: The parts that hold the conflicts, relative to the root.
    """

    n_new: int
    n_repeated: int
    n_conflicts: int
    parts: tuple[str, ...] = ()
    conflict_parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Staged:
    """A part that nobody sees yet.

    Attributes:
        file: Where it lies.
        path: Where it will lie, relative to the root.
        md5: Of its bytes.
    """

    file: Path
    path: str
    md5: str


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """The right to bring rows in, held by one process at a time; what a killed one left is removed.

    Raises:
        DataError: Another process seals or imports just now.
    """
    with spool.sealing(workspace.root / spool.FOLDERS["feedback"]):
        for left in (workspace.root / "data").glob(f"{_ROOM}*{_ROOM_END}"):
            shutil.rmtree(left, ignore_errors=True)
        yield


class Intake:
    """The rows that one command brings into one table.

    Args:
        workspace: The repository.
        table: `tables.TRACES` or `tables.FEEDBACK`.
        stores: Where each part goes as well, before it goes to the repository itself.
    """

    def __init__(self, workspace: Workspace, table: Table, stores: Stores | None = None) -> None:
        self._workspace = workspace
        self._table = table
        self._stores = stores
        self._folder = FOLDERS[table.name]
        self._known: pl.DataFrame | None = None
        self._waiting: list[pl.DataFrame] = []
        self._staged: list[_Staged] = []
        self._conflicts: list[pl.DataFrame] = []
        self._n_new = self._n_repeated = self._n_conflicts = 0
        self._n_bytes = 0.0
        self._bytes_of_part = _BYTES_OF_FIRST_PART
        self._room: Path | None = None
        # polars sorts and packs without the GIL while the next rows are read: rows are sorted out
        # in their order, parts packed two at a time.
        self._stager = ThreadPoolExecutor(1)
        self._staging: Future[None] | None = None
        self._packer = ThreadPoolExecutor(_MOST_PACKED)
        self._packing: deque[Future[_Staged]] = deque()
        self._n_staged = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind that was not published."""
        self._stager.shutdown()
        self._packer.shutdown()
        if self._room is not None:
            shutil.rmtree(self._room, ignore_errors=True)

    def add(self, frames: Iterable[pl.DataFrame]) -> int:
        """Take rows in, earlier ones first; returns how many."""
        n = 0
        for frame in frames:
            n += frame.height
            self._waiting.append(frame)
            self._n_bytes += frame.estimated_size()
            if self._n_bytes > self._bytes_of_part:
                self._begin_staging()
                self._bytes_of_part = min(2 * self._bytes_of_part, _BYTES_PER_PART)
        return n

    def publish(self) -> Tally:
        """Make everything that was taken in part of the repository."""
        self._begin_staging()
        self._end_staging()
        self._stage_conflicts()
        self._collect(0)
        if self._stores is not None:
            for staged in self._staged:
                if not staged.path.startswith(_CONFLICTS):
                    self._stores.put(staged.file, Path(staged.path).name)
        for folder, path in {
            Path(staged.path).parent: staged.path for staged in self._staged
        }.items():
            (self._workspace.root / folder).mkdir(parents=True, exist_ok=True)
            keep_out_of_git(self._workspace, path)
        parts = [self._publish(staged) for staged in self._staged]
        self._staged = []
        is_conflict = [path.startswith(_CONFLICTS) for path in parts]
        return Tally(
            self._n_new,
            self._n_repeated,
            self._n_conflicts,
            tuple(path for path, kept in zip(parts, is_conflict, strict=True) if not kept),
            tuple(path for path, kept in zip(parts, is_conflict, strict=True) if kept),
        )

    def _begin_staging(self) -> None:
        """Have what waits staged, after what was before."""
        self._end_staging()
        if self._waiting:
            frames, self._waiting, self._n_bytes = self._waiting, [], 0.0
            self._staging = self._stager.submit(self._stage, frames)

    def _end_staging(self) -> None:
        """Wait for the part that is being staged; what went wrong with it is raised here."""
        if self._staging is not None:
            staging, self._staging = self._staging, None
            staging.result()

    def _stage(self, frames: list[pl.DataFrame]) -> None:
        """Sort out the rows and write the new ones to a hidden part."""
        rows = pl.concat(frames)
        if self._known is None:
            self._known = self._fingerprints()
        found = sort_out(rows, self._known, self._table)
        self._known = found.known
        self._n_new += found.new.height
        self._n_repeated += found.n_repeated
        self._n_conflicts += found.conflicts.height
        if found.conflicts.height:
            self._conflicts.append(found.conflicts)
        if found.new.height:
            self._write(self._folder, self._table, found.new)

    def _stage_conflicts(self) -> None:
        if not self._conflicts:
            return
        table = CONFLICTS[self._table.name]
        folder = f"{_CONFLICTS}/{self._table.name}"
        found = pl.concat(self._conflicts).unique("content_sha256", keep="first")
        workspace = self._workspace
        for known in iterate_parts(workspace.root, workspace.dvc, folder, table):
            found = without_known(found, known)
        if found.height:
            self._write(folder, table, found)

    def _fingerprints(self) -> pl.DataFrame:
        """What the repository holds already, a part at a time."""
        workspace = self._workspace
        parts = iterate_parts(workspace.root, workspace.dvc, self._folder, self._table)
        found = [fingerprints(rows, self._table) for rows in parts]
        return pl.concat(found).unique() if found else nothing_known(self._table)

    def _write(self, folder: str, table: Table, rows: pl.DataFrame) -> None:
        """Have a hidden part packed, when there is a thread for it."""
        if self._room is None:
            (self._workspace.root / "data").mkdir(exist_ok=True)
            made = tempfile.mkdtemp(
                prefix=_ROOM, suffix=_ROOM_END, dir=self._workspace.root / "data"
            )
            self._room = Path(made)
        self._collect(_MOST_PACKED - 1)
        file = self._room / f"{table.name}-{self._n_staged}.parquet"
        self._n_staged += 1
        self._packing.append(self._packer.submit(_pack, file, folder, table, rows))

    def _collect(self, most: int) -> None:
        """Wait until so many parts are being packed at most; what went wrong is raised here."""
        while len(self._packing) > most:
            self._staged.append(self._packing.popleft().result())

    def _publish(self, staged: _Staged) -> str:
        """Move a part to its place and track it; returns its path, relative to the root."""
        root, path = self._workspace.root, staged.path
        pointer = root / f"{path}.dvc"
        if pointer.is_file():
            there = parse_pointer(pointer.read_bytes(), source=f"{path}.dvc")
            if there.md5 != staged.md5:
                raise DataError(
                    f"{path} is another part whose digest begins alike",
                    hint=f"git log -- {path}.dvc",
                )
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        staged.file.replace(root / path)
        track(root, self._workspace.dvc, path, staged.md5)
        return path


def _pack(file: Path, folder: str, table: Table, rows: pl.DataFrame) -> _Staged:
    newest = parquet.write(file, table, rows)["created_at"].max()
    day = f"{newest:%Y-%m-%d}" if isinstance(newest, datetime) else _UNDATED
    digest = md5(file)
    return _Staged(file, f"{folder}/{part_name(day, digest)}", digest)
