"""Golden sets: the union of the parts that pointers name, wherever the bytes are.

A set is opened as a tree holds it at that moment: its parts are read once, and where each lies is
remembered. After a change it is opened again.

DVC leaves a part behind when its pointer goes away with a branch switch. So the pointers decide: a
part is read when a pointer names it and its bytes have that MD5, and no other file is ever read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.digests import dataset_digest, row_digest
from gitloop.errors import DataError, TableError
from gitloop.params import DatasetSpec, parse_dataset
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc, Pointer, parse_pointer
from gitloop.storage.lineage import SCHEMA, GoldenRecord, heads, parse_record, version_of
from gitloop.storage.trees import Tree
from gitloop.tables import GOLDEN

__all__ = ["SCHEMA", "GoldenRecord", "GoldenSet", "Part", "content", "digest", "parse_record"]

PART = "__part"
"""Column that `GoldenSet.scan` adds: the MD5 of the part that a row stands in."""

_TOGETHER = 500
"""Most parts that are open at one time."""

_BYTES_TOGETHER = 64_000_000

_DIGESTS = "digests-2"
"""Where row digests are remembered, by the MD5 of their part; the number follows their rules."""

_COLUMNS = [column.name for column in GOLDEN.columns]


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


class GoldenSet:
    """One golden set, as a tree holds it.

    Args:
        tree: Where pointers and records are read from.
        dvc: Where the bytes are.
        root: The repository's root.
        name: The set's name.

    Raises:
        DataError: The name leads out of golden/.
    """

    def __init__(self, tree: Tree, dvc: Dvc, root: Path, name: str) -> None:
        if name in ("", ".", "..") or set(name) & set("/\\\0"):
            raise DataError(f"{name!r} is no golden set's name", hint="run: gitloop golden list")
        self.name = name
        self.path = f"golden/{name}"
        self._tree = tree
        self._dvc = dvc
        self._root = root
        self._located: dict[str, Path] = {}

    def exists(self) -> bool:
        """Whether the tree holds the set's dataset.yaml."""
        return self._tree.has(f"{self.path}/dataset.yaml")

    def spec(self) -> DatasetSpec:
        """The settings in dataset.yaml."""
        source = f"{self.path}/dataset.yaml"
        return parse_dataset(self._tree.read([source])[0].decode(), source=source)

    def parts(self) -> list[Part]:
        """The parts that pointers name, by id.

        Raises:
            DataError: A pointer is broken, or points outside the set's data directory.
        """
        return list(self._parts)

    @cached_property
    def _parts(self) -> tuple[Part, ...]:
        paths = self.pointer_paths()
        contents = zip(paths, self._tree.read(paths), strict=True)
        return tuple(self.part(path, content) for path, content in contents)

    def part_named(self, part_id: str) -> Part:
        """The part with this id.

        Raises:
            DataError: There is none, or its pointer is broken.
        """
        return self.part_at(f"{self.path}/parts/{part_id}.parquet.dvc")

    def part_at(self, path: str) -> Part:
        """The part whose pointer is this file.

        Raises:
            DataError: There is none, or its pointer is broken.
        """
        return self.part(path, self._tree.read([path])[0])

    def pointer_paths(self) -> list[str]:
        """The `.dvc` files of the parts, sorted."""
        return [p for p in self._tree.files(f"{self.path}/parts") if p.endswith(".parquet.dvc")]

    def part(self, path: str, content: bytes) -> Part:
        """The part that the `.dvc` file `path` with this content names.

        Raises:
            DataError: The pointer is broken, or points outside the set's data directory.
        """
        pointer = parse_pointer(content, source=path)
        folder, _, name = path.rpartition("/")
        data_path = os.path.normpath(os.path.join(folder, pointer.wdir, pointer.path))  # noqa: PTH118
        expected = f"{self.path}/data/{name.removesuffix('.dvc')}"
        if data_path != expected:
            raise DataError(
                f"{path} points at {data_path}, not at {expected}", hint=f"git log -p -- {path}"
            )
        return Part(name.removesuffix(".parquet.dvc"), path, data_path, pointer)

    def records(self) -> list[GoldenRecord]:
        """The records, by id.

        Raises:
            DataError: A record cannot be read.
        """
        paths = self.record_paths()
        return [
            parse_record(content, source=path)
            for path, content in zip(paths, self._tree.read(paths), strict=True)
        ]

    def record_paths(self) -> list[str]:
        """The records' files, sorted."""
        return [p for p in self._tree.files(f"{self.path}/log") if p.endswith(".yaml")]

    def heads(self) -> list[GoldenRecord]:
        """The records that no other record was written against: one, or two after a merge."""
        return heads(self.records())

    def version(self) -> str:
        """The version's name: the head's, or both heads' joined by "+"; "" for an empty set."""
        return version_of(self.records())

    def read(self) -> pl.DataFrame:
        """Every row of the set, sorted by row_id.

        Objects that are neither in the work tree nor in the cache are fetched, in one DVC process.

        Raises:
            MissingObjectError: Some bytes are nowhere to be had.
            TableError: A row breaks the schema, or stands in two parts.
        """
        parts = self.parts()
        self.fetch(parts)
        if not parts:
            return GOLDEN.empty()
        if all(self._memory(part).is_file() for part in parts):
            # Their rows were checked when their digests were remembered: only keys are new.
            rows = self.read_parts(parts)
            problems = [] if rows["row_id"].is_unique().all() else GOLDEN.problems(rows)
        else:
            rows = pl.concat([self.read_part(part) for part in parts])
            problems = GOLDEN.problems(rows)
        if problems:
            raise TableError("golden", problems, source=self.path, hint="run: gitloop verify")
        return rows.select(_COLUMNS).sort("row_id")

    def read_parts(self, parts: Sequence[Part]) -> pl.DataFrame:
        """The rows of several parts, at once where their columns are alike; nothing is checked."""
        try:
            return self.scan(parts).drop(PART)
        except DataError:
            return pl.concat([self.read_part(part) for part in parts])

    def fetch(self, parts: list[Part]) -> None:
        """Bring what is missing of the parts into the cache, in one DVC process.

        Raises:
            MissingObjectError: Some bytes are nowhere to be had.
        """
        missing = [part for part in parts if self.locate(part) is None]
        if missing:
            self._dvc.fetch_objects([part.pointer for part in missing])

    def row_digests(self, part: Part) -> dict[str, str]:
        """row_id → row digest of one part, remembered by the part's MD5.

        Raises:
            TableError: A row stands in the part twice.
        """
        found = _recall(self._memory(part))
        if found is None:
            found = digests_of(self.read_part(part))
            remember_digests(self._dvc, part.pointer.md5, found)
        return found

    def remember(self, parts: Sequence[Part]) -> None:
        """Work out the row digests of parts that are not remembered yet, many parts at a time.

        A part with a fault is passed over: `row_digests` tells it.
        """
        for group in _groups([part for part in parts if not self._memory(part).is_file()]):
            try:
                rows = self.scan(group)
            except DataError:
                continue
            if GOLDEN.problems(rows.drop(PART)):
                continue
            digests = digests_of(rows.drop(PART))
            held: dict[str, dict[str, str]] = {}
            for row_id, md5 in rows.select("row_id", PART).iter_rows():
                held.setdefault(md5, {})[row_id] = digests[row_id]
            for md5, own in held.items():
                remember_digests(self._dvc, md5, own)

    def scan(self, parts: Sequence[Part], columns: Sequence[str] = ()) -> pl.DataFrame:
        """The rows of the parts as they are, with the MD5 of the part that each stands in, `PART`.

        Polars opens hundreds of small files in the time in which it opens fifty one by one.

        Args:
            parts: Parts whose bytes are at hand.
            columns: The columns wanted; () for all.

        Raises:
            DataError: A part cannot be read, or they differ in schema.
        """
        md5s = {str(self._at_hand(part)): part.pointer.md5 for part in parts}
        paths = list(md5s)
        wanted = [PART, *columns] if columns else [pl.all()]
        frames = []
        for start in range(0, len(paths), _TOGETHER):
            some = paths[start : start + _TOGETHER]
            try:
                found = pl.scan_parquet(some, hive_partitioning=False, include_file_paths=PART)
                # Every further step goes over each chunk, and here each file is one.
                frames.append(found.select(wanted).collect().rechunk())
            except (pl.exceptions.PolarsError, OSError) as error:
                raise DataError(f"{self.path}: a part is not a readable Parquet file") from error
        return pl.concat(frames).with_columns(pl.col(PART).replace_strict(md5s))

    def _at_hand(self, part: Part) -> Path:
        """The file with the part's bytes.

        Raises:
            DataError: There is none here.
        """
        path = self.locate(part)
        if path is None:
            raise DataError(
                f"{part.data_path} is not in the cache", hint=f"run: dvc fetch {part.pointer_path}"
            )
        return path

    def _memory(self, part: Part) -> Path:
        return _memory_of(self._dvc, part.pointer.md5)

    def sha256(self) -> str:
        """The dataset digest: it depends on the rows alone, not on parts, writer or history."""
        parts = self.parts()
        self.fetch(parts)
        self.remember(parts)
        rows = (sha for part in parts for sha in self.row_digests(part).values())
        return dataset_digest(rows, SCHEMA)

    def locate(self, part: Part) -> Path | None:
        """A file with exactly the part's bytes, or None when it has to be fetched.

        Raises:
            DataError: The cached object has other bytes than its name says.
        """
        digest = part.pointer.md5
        if digest in self._located:
            return self._located[digest]
        cached = self._dvc.object_path(digest)
        if cached is not None and not self._dvc.is_intact(cached, digest):
            raise DataError(
                f"{part.data_path}: its object in the cache is damaged ({digest})",
                hint=f"delete files/md5/{digest[:2]}/{digest[2:]} in the cache, then: dvc fetch",
            )
        path = self._root / part.data_path
        if cached is None and path.is_file() and self._dvc.is_intact(path, digest):
            cached = path
        if cached is not None:
            self._located[digest] = cached
        return cached

    def read_part(self, part: Part) -> pl.DataFrame:
        """The rows of one part."""
        return parquet.read(self._at_hand(part), GOLDEN, source=part.data_path)

    def read_raw(self, part: Part) -> pl.DataFrame:
        """The rows of one part as they are, whatever their schema.

        Raises:
            DataError: The part cannot be read.
        """
        try:
            return pl.read_parquet(self._at_hand(part), hive_partitioning=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{part.data_path} is not a readable Parquet file") from error

    def n_rows(self, part: Part) -> int:
        """Rows of one part, from the records where they tell, else from its file."""
        known = self._known_sizes.get((part.id, part.pointer.md5))
        if known is not None:
            return known
        path = self.locate(part)
        return 0 if path is None else pl.scan_parquet(path).select(pl.len()).collect().item()

    @cached_property
    def _known_sizes(self) -> dict[tuple[str, str], int]:
        states = (state for record in self.records() for state in record.parts)
        return {(state.id, state.md5): state.n_rows for state in states}

    def strays(self) -> list[Path]:
        """Parquet files in the work tree's data directory that no pointer names, sorted."""
        named = {self._root / part.data_path for part in self.parts()}
        found = (self._root / self.path / "data").glob("*.parquet")
        return sorted(path for path in found if path not in named)


def _groups(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """The parts in runs that are read together: neither too many nor too large."""
    group: list[Part] = []
    size = 0
    for part in parts:
        own = part.pointer.size or _BYTES_TOGETHER
        if group and (len(group) == _TOGETHER or size + own > _BYTES_TOGETHER):
            yield group
            group, size = [], 0
        group.append(part)
        size += own
    if group:
        yield group


def digest(rows: pl.DataFrame) -> str:
    """The dataset digest of golden rows: the same for the same rows, whatever holds them."""
    return dataset_digest(digests_of(rows).values(), SCHEMA)


def digests_of(rows: pl.DataFrame) -> dict[str, str]:
    """row_id → row digest of golden rows."""
    own = rows.drop("promoted_in")
    return {row["row_id"]: row_digest(row) for row in own.iter_rows(named=True)}


def remember_digests(dvc: Dvc, md5: str, digests: Mapping[str, str]) -> None:
    """Keep a part's row digests; its rows must have been checked against the golden table."""
    lines = [f"{row_id} {sha}\n" for row_id, sha in digests.items()]
    text = "".join([*lines, f"{len(lines)} rows\n"])  # the end tells whether it is whole
    memory = _memory_of(dvc, md5)
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(text, encoding="ascii")


def _recall(memory: Path) -> dict[str, str] | None:
    """The row digests in the file; None where there is none, or it is not whole."""
    try:
        *lines, end = memory.read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ValueError):
        return None
    return dict(line.split(" ", 1) for line in lines) if end == f"{len(lines)} rows" else None


def _memory_of(dvc: Dvc, md5: str) -> Path:
    """Where a part's row digests are remembered; no file holds unchecked rows' digests."""
    return Path(f"{dvc.scratch}/{_DIGESTS}/{md5}")


def content(row: Mapping[str, Any]) -> dict[str, Any]:
    """What counts as a golden row's content: all but the part that holds it."""
    return {name: value for name, value in row.items() if name != "promoted_in"}
