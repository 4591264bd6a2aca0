"""Golden parts on their way into the cache: small files, named after the change that made them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.digests import dataset_digest
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc, Pointer
from gitloop.storage.golden import digests_of, remember_digests
from gitloop.storage.lineage import SCHEMA, PartState
from gitloop.tables import GOLDEN

MAX_ROWS = 50_000
MAX_BYTES = 8_000_000
FRAME_BYTES = 6_000
"""What a golden Parquet file takes beside its rows; joined, parts save it."""


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """A part whose bytes are in the cache and whose pointer is yet to be committed.

    Attributes:
        state: What the record says about it.
        pointer: What its `.dvc` file says.
    """

    state: PartState
    pointer: Pointer

    def pointer_path(self, set_name: str) -> str:
        """Where its `.dvc` file belongs, relative to the root."""
        return f"golden/{set_name}/parts/{self.state.id}.parquet.dvc"


def write_parts(dvc: Dvc, part_id: str, rows: pl.DataFrame) -> list[WrittenPart]:
    """Put the rows into the cache, in as many parts as the size limits ask for.

    Nothing in the work tree is touched. Objects that no commit names are harmless; `dvc gc` takes
    them away.

    Args:
        dvc: Where to.
        part_id: Id of the first part; a second one is `<part_id>.2`, and so on.
        rows: Fits `tables.GOLDEN`.

    Raises:
        TableError: The rows break the schema; nothing was written.
    """
    ordered = parquet.conform(GOLDEN, rows, source=part_id)
    written: list[WrittenPart] = []
    dvc.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dvc.scratch, prefix="parts-") as folder:
        for number, (path, piece) in enumerate(_files(Path(folder), ordered), start=1):
            name = part_id if number == 1 else f"{part_id}.{number}"
            written.append(_written(dvc, name, dvc.store(path), piece))
    return written


def write_part(dvc: Dvc, part_id: str, rows: pl.DataFrame) -> WrittenPart:
    """Put the rows into the cache as one part, whatever its size.

    Raises:
        TableError: The rows break the schema; nothing was written.
    """
    dvc.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dvc.scratch, prefix="parts-") as folder:
        path = Path(folder) / "part.parquet"
        ordered = parquet.write(path, GOLDEN, rows)
        return _written(dvc, part_id, dvc.store(path), ordered)


def _written(dvc: Dvc, name: str, pointer: Pointer, rows: pl.DataFrame) -> WrittenPart:
    digests = digests_of(rows)
    remember_digests(dvc, pointer.md5, digests)
    rows_sha256 = dataset_digest(digests.values(), SCHEMA)
    state = PartState(name, pointer.md5, rows_sha256, rows.height)
    return WrittenPart(state, Pointer(pointer.md5, pointer.size, f"{name}.parquet", "../data"))


def _files(folder: Path, rows: pl.DataFrame) -> Iterable[tuple[Path, pl.DataFrame]]:
    """One file per part, and its rows; one that comes out too large is halved, to one row."""
    waiting = list(rows.iter_slices(MAX_ROWS))[::-1] if rows.height else []
    number = 0
    while waiting:
        piece = waiting.pop()
        path = folder / f"{number}.parquet"
        parquet.write(path, GOLDEN, piece)
        if path.stat().st_size > MAX_BYTES and piece.height > 1:
            middle = piece.height // 2
            waiting += [piece[middle:], piece[:middle]]
            continue
        number += 1
        yield path, piece
