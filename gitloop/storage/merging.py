"""Merges of golden parts and of dvc.lock, between Git's blobs and the core's rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePosixPath
from typing import Any

import polars as pl
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gitloop.errors import DataError
from gitloop.storage import parquet
from gitloop.storage.dvc import Dvc, Pointer, parse_pointer
from gitloop.storage.golden_parts import WrittenPart, write_part
from gitloop.storage.trees import Tree
from gitloop.tables import GOLDEN

Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sides:
    """The three versions of one pointer in a merge.

    Attributes:
        path: The pointer, relative to the root.
        base: Its rows in the common ancestor; {} where there was no such part.
        ours: Our rows.
        theirs: Their rows.
    """

    path: str
    base: Rows
    ours: Rows
    theirs: Rows

    @property
    def set_name(self) -> str:
        """The golden set that the part belongs to."""
        return PurePosixPath(self.path).parts[1]

    @property
    def part_id(self) -> str:
        """The part's id."""
        return PurePosixPath(self.path).name.removesuffix(".parquet.dvc")


def read_sides(dvc: Dvc, path: str, base: bytes, ours: bytes, theirs: bytes) -> Sides:
    """The rows of the three pointers; what is missing is fetched in one DVC process.

    Raises:
        DataError: A pointer is broken, or no pointer of a golden part.
        MissingObjectError: Some bytes are nowhere to be had.
    """
    pieces = PurePosixPath(path).parts
    if len(pieces) != 4 or pieces[0] != "golden" or pieces[2] != "parts":
        raise DataError(f"{path} is not the pointer of a golden part")
    pointers = [
        parse_pointer(content, source=f"{path} ({side})") if content.strip() else None
        for side, content in (("base", base), ("ours", ours), ("theirs", theirs))
    ]
    missing = [p for p in pointers if p is not None and dvc.object_path(p.md5) is None]
    if missing:
        dvc.fetch_objects(missing)
    frames = [_rows(dvc, pointer, path) for pointer in pointers]
    return Sides(path, *frames)


def write_merged(dvc: Dvc, sides: Sides, rows: Mapping[str, Mapping[str, Any]]) -> WrittenPart:
    """Put the merged rows into the cache as the part that they belong to.

    Raises:
        TableError: The rows break the schema.
    """
    frame = pl.DataFrame(list(rows.values()), schema=GOLDEN.schema)
    return write_part(dvc, sides.part_id, frame)


def merge_policy(tree: Tree, set_name: str) -> dict[str, str]:
    """The merge policy in the set's dataset.yaml: column → rule; {} where there is none."""
    source = f"golden/{set_name}/dataset.yaml"
    if not tree.has(source):
        return {}
    try:
        value = _yaml().load(tree.read([source])[0].decode()) or {}
    except (YAMLError, UnicodeDecodeError):
        return {}
    return {str(column): str(rule) for column, rule in (value.get("merge") or {}).items()}


def read_lock(content: bytes) -> dict[str, Any]:
    """A dvc.lock as a value, key order kept; {} for an empty file.

    Raises:
        DataError: It is no YAML mapping.
    """
    try:
        value = _yaml().load(content.decode()) if content.strip() else {}
    except (YAMLError, UnicodeDecodeError) as error:
        raise DataError("dvc.lock cannot be read", hint="run: dvc repro") from error
    if not isinstance(value, dict):
        raise DataError("dvc.lock is no mapping", hint="run: dvc repro")
    return value


def render_lock(value: Mapping[str, Any]) -> bytes:
    """The dvc.lock as DVC writes it."""
    out = StringIO()
    _yaml().dump(value, out)
    return out.getvalue().encode()


def _rows(dvc: Dvc, pointer: Pointer | None, path: str) -> Rows:
    if pointer is None:
        return {}
    found = dvc.object_path(pointer.md5)
    if found is None or not dvc.is_intact(found, pointer.md5):
        raise DataError(f"the object {pointer.md5} of {path} is damaged", hint="run: dvc fetch")
    frame = parquet.read(found, GOLDEN, source=path)
    return {row["row_id"]: row for row in frame.iter_rows(named=True)}


def _yaml() -> YAML:
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 1 << 20
    return yaml
