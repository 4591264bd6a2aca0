"""Tables that lie in parts: `data/traces` and `data/feedback`, as their pointers name them.

A part is `<folder>/<date>-<8 hex>.parquet` with its `.dvc` pointer beside it. The pointers decide:
a part is read when a pointer names it and its bytes have that MD5. A Parquet file without a pointer
is a stray (a killed run, a branch switch) and is never read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.errors import DataError, MissingObjectError, TableError
from gitloop.schema import Table
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc, Pointer, parse_pointer
from gitloop.storage.files import md5, write_text

SUFFIX = ".parquet"

FOLDERS = {"traces": "data/traces", "feedback": "data/feedback"}
"""Table → the directory of its parts."""


@dataclass(frozen=True, slots=True)
class TablePart:
    """One part of a table.

    Attributes:
        data_path: Its Parquet file, relative to the root.
        pointer_path: Its `.dvc` file, relative to the root.
        pointer: What the `.dvc` file says.
    """

    data_path: str
    pointer_path: str
    pointer: Pointer


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one folder, read.

    Attributes:
        rows: Every row, sorted by the table's key.
        n_parts: Parts read.
        n_repeated: Rows that stood in a second part word for word and count once.
        strays: Parquet files that no pointer names, relative to the root, sorted.
    """

    rows: pl.DataFrame
    n_parts: int
    n_repeated: int
    strays: tuple[str, ...]


def read_parts(root: Path, dvc: Dvc, folder: str, table: Table) -> pl.DataFrame:
    """Every row of the parts that the folder's pointers name, sorted by key, each once.

    A row that two parts hold word for word counts once: two people may import one file on two
    branches.

    Args:
        root: The repository's root.
        dvc: Where the bytes are; what is missing is fetched in one DVC process.
        folder: Directory relative to the root, e.g. "data/traces"; an absent one is an empty table.
        table: What the parts hold.

    Raises:
        DataError: A pointer is broken.
        MissingObjectError: Some bytes are nowhere to be had.
        TableError: A row breaks the schema, or two parts hold different rows of one key.
    """
    return survey_parts(root, dvc, folder, table).rows


def survey_parts(root: Path, dvc: Dvc, folder: str, table: Table) -> Parts:
    """The rows as `read_parts` gives them, with what there is to say about the parts."""
    frames = list(iterate_parts(root, dvc, folder, table))
    every = pl.concat(frames) if frames else table.empty()
    rows = every.unique() if len(frames) > 1 else every
    problems = table.problems(rows)
    if problems:
        raise TableError(
            table.name, problems, source=folder, hint=f"git log --stat -- {folder}/*.dvc"
        )
    return Parts(
        rows=table.order(rows),
        n_parts=len(frames),
        n_repeated=every.height - rows.height,
        strays=tuple(strays(root, folder)),
    )


def iterate_parts(root: Path, dvc: Dvc, folder: str, table: Table) -> Iterator[pl.DataFrame]:
    """The rows of one part at a time, in order of the parts' names."""
    found = list_parts(root, folder)
    missing = [part for part in found if locate(root, dvc, part) is None]
    if missing:
        dvc.fetch([part.pointer_path for part in missing])
    for part in found:
        path = locate(root, dvc, part)
        if path is None:
            raise MissingObjectError(
                f"{part.data_path} is neither in the cache nor on a remote, though"
                f" {part.pointer_path} names it",
                hint=f"run: dvc remote list, then dvc fetch {part.pointer_path}",
            )
        yield parquet.read(path, table, source=part.data_path)


def list_parts(root: Path, folder: str) -> list[TablePart]:
    """The parts that the folder's pointers name, by name.

    Raises:
        DataError: A pointer is broken, or points at another file than the one beside it.
    """
    found = []
    for path in sorted((root / folder).glob(f"*{SUFFIX}.dvc")):
        pointer_path = f"{folder}/{path.name}"
        pointer = parse_pointer(path.read_bytes(), source=pointer_path)
        expected = path.name.removesuffix(".dvc")
        if pointer.path != expected or pointer.wdir not in ("", "."):
            raise DataError(
                f"{pointer_path} points at {pointer.path}, not at {expected} beside it",
                hint=f"git log -p -- {pointer_path}",
            )
        found.append(TablePart(f"{folder}/{expected}", pointer_path, pointer))
    return found


def locate(root: Path, dvc: Dvc, part: TablePart) -> Path | None:
    """A file with exactly the part's bytes, or None when it has to be fetched."""
    cached = dvc.object_path(part.pointer.md5)
    if cached is not None:
        return cached
    path = root / part.data_path
    return path if path.is_file() and md5(path) == part.pointer.md5 else None


def strays(root: Path, folder: str) -> list[str]:
    """Parquet files in the folder that no pointer names, relative to the root, sorted."""
    return sorted(
        f"{folder}/{path.name}"
        for path in (root / folder).glob(f"*{SUFFIX}")
        if not path.with_name(f"{path.name}.dvc").is_file()
    )


def part_name(day: str, digest: str) -> str:
    """A part's file name: the day of its newest row and the first 8 digits of its digest."""
    return f"{day}-{digest[:8]}{SUFFIX}"


def track(root: Path, dvc: Dvc, path: str, digest: str = "") -> Pointer:
    """Put a file that lies in the work tree into DVC's cache and write its pointer beside it.

    The pointer comes last: a run that is killed before leaves a stray, which nobody reads.

    Args:
        root: The repository's root.
        dvc: Whose cache it is.
        path: The file, relative to the root.
        digest: Its MD5, where the caller has just computed it.
    """
    pointer = dvc.store(root / path, digest)
    write_text(root / f"{path}.dvc", pointer.render())
    sync_folder((root / path).parent)
    return pointer


def sync_folder(folder: Path) -> None:
    """Make the folder's own entries durable: names of files that were made, renamed or removed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
