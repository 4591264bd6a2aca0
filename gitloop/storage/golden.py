"""Golden sets: the union of the parts that pointers name, wherever the bytes are.

DVC leaves a part behind when its pointer goes away with a branch switch. So the pointers decide: a
part is read when a pointer names it and its bytes have that MD5, and no other file is ever read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from gitloop.digests import dataset_digest, row_digest
from gitloop.documents import parse
from gitloop.errors import ConfigError, DataError, TableError
from gitloop.params import DatasetSpec, parse_dataset
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc, Pointer, parse_pointer
from gitloop.storage.files import md5
from gitloop.storage.trees import Tree
from gitloop.tables import GOLDEN

SCHEMA = {column.name: str(column.dtype) for column in GOLDEN.columns}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a golden set.

    Attributes:
        id: Id of the promotion that made it; stem of its files.
        pointer_path: Its `.dvc` file, relative to the root.
        data_path: Its Parquet file, relative to the root.
        pointer: What the `.dvc` file says.
    """

    id: str
    pointer_path: str
    data_path: str
    pointer: Pointer


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """What `log/<id>.yaml` says: one promotion, correction or retirement.

    Attributes:
        id: Version that it made, e.g. "2026.05-3fa2c1"; stem of its file.
        parents: Versions that it was written against; two after a merge, none at the start.
        dataset_sha256: Dataset digest right after it.
        content: The whole record.
    """

    id: str
    parents: tuple[str, ...]
    dataset_sha256: str
    content: Mapping[str, Any]


class GoldenSet:
    """One golden set, as a tree holds it.

    Args:
        tree: Where pointers and records are read from.
        dvc: Where the bytes are.
        root: The repository's root.
        name: The set's name.
    """

    def __init__(self, tree: Tree, dvc: Dvc, root: Path, name: str) -> None:
        self.name = name
        self.path = f"golden/{name}"
        self._tree = tree
        self._dvc = dvc
        self._root = root

    def exists(self) -> bool:
        """Whether the tree holds the set's dataset.yaml."""
        return f"{self.path}/dataset.yaml" in self._tree.files(self.path)

    def spec(self) -> DatasetSpec:
        """The settings in dataset.yaml."""
        source = f"{self.path}/dataset.yaml"
        return parse_dataset(self._tree.read([source])[0].decode(), source=source)

    def parts(self) -> list[Part]:
        """The parts that pointers name, by id.

        Raises:
            DataError: A pointer is broken, or points outside the set's data directory.
        """
        paths = [p for p in self._tree.files(f"{self.path}/parts") if p.endswith(".parquet.dvc")]
        contents = self._tree.read(paths)
        return [self._part(path, content) for path, content in zip(paths, contents, strict=True)]

    def _part(self, path: str, content: bytes) -> Part:
        pointer = parse_pointer(content, source=path)
        folder = PurePosixPath(path).parent / pointer.wdir
        data_path = os.path.normpath(folder / pointer.path)
        expected = f"{self.path}/data/{PurePosixPath(path).name.removesuffix('.dvc')}"
        if data_path != expected:
            raise DataError(
                f"{path} points at {data_path}, not at {expected}", hint=f"git log -p -- {path}"
            )
        return Part(PurePosixPath(path).name.removesuffix(".parquet.dvc"), path, data_path, pointer)

    def records(self) -> list[GoldenRecord]:
        """The records, by id.

        Raises:
            DataError: A record cannot be read.
        """
        paths = [p for p in self._tree.files(f"{self.path}/log") if p.endswith(".yaml")]
        return [
            parse_record(content, source=path)
            for path, content in zip(paths, self._tree.read(paths), strict=True)
        ]

    def heads(self) -> list[GoldenRecord]:
        """The records that no other record was written against: one, or two after a merge."""
        records = self.records()
        parents = {parent for record in records for parent in record.parents}
        return [record for record in records if record.id not in parents]

    def version(self) -> str:
        """The version's name: the head's, or both heads' joined by "+"; "" for an empty set."""
        return "+".join(record.id for record in self.heads())

    def read(self) -> pl.DataFrame:
        """Every row of the set, sorted by row_id.

        Objects that are neither in the work tree nor in the cache are fetched, in one DVC process.

        Raises:
            MissingObjectError: Some bytes are nowhere to be had.
            TableError: A row breaks the schema, or stands in two parts.
        """
        parts = self.parts()
        missing = [part for part in parts if self.locate(part) is None]
        if missing:
            self._dvc.fetch([part.pointer_path for part in missing])
        frames = [self.read_part(part) for part in parts]
        rows = pl.concat(frames) if frames else GOLDEN.empty()
        problems = GOLDEN.problems(rows)
        if problems:
            raise TableError("golden", problems, source=self.path, hint="run: gitloop verify")
        return GOLDEN.order(rows)

    def locate(self, part: Part) -> Path | None:
        """A file with exactly the part's bytes, or None when it has to be fetched."""
        cached = self._dvc.object_path(part.pointer.md5)
        if cached is not None:
            return cached
        path = self._root / part.data_path
        return path if path.is_file() and md5(path) == part.pointer.md5 else None

    def read_part(self, part: Part) -> pl.DataFrame:
        """The rows of one part."""
        path = self.locate(part)
        if path is None:
            raise DataError(
                f"{part.data_path} is not in the cache", hint=f"run: dvc fetch {part.pointer_path}"
            )
        return parquet.read(path, GOLDEN, source=part.data_path)

    def strays(self) -> list[Path]:
        """Parquet files in the work tree's data directory that no pointer names, sorted."""
        named = {self._root / part.data_path for part in self.parts()}
        found = (self._root / self.path / "data").glob("*.parquet")
        return sorted(path for path in found if path not in named)


def digest(rows: pl.DataFrame) -> str:
    """The dataset digest of golden rows: the same for the same rows, whatever holds them."""
    return dataset_digest((row_digest(content(row)) for row in rows.iter_rows(named=True)), SCHEMA)


def content(row: Mapping[str, Any]) -> dict[str, Any]:
    """What counts as a golden row's content: all but the part that holds it."""
    return {name: value for name, value in row.items() if name != "promoted_in"}


def parse_record(text: bytes, *, source: str) -> GoldenRecord:
    """The record in a `log/<id>.yaml`.

    Raises:
        DataError: It is cut off, or lacks what a record must say.
    """
    try:
        value = parse(text.decode(), source=source).value
        parents = tuple(str(parent["version"]) for parent in value["parents"])
        found = GoldenRecord(str(value["version"]), parents, str(value["dataset_sha256"]), value)
    except (ConfigError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise DataError(
            f"{source} is not a promotion record", hint=f"git log -p -- {source}"
        ) from error
    stem = PurePosixPath(source).name.removesuffix(".yaml")
    if found.id != stem:
        raise DataError(f"{source} says it is {found.id}", hint=f"git log -p -- {source}")
    return found
