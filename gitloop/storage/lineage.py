"""Promotion records: `golden/<set>/log/<id>.yaml`, the lineage that squash and rebase cannot lose.

A record is written once and never changed. It names content digests, never commits. Records that
name their parents form a graph; its heads are the set's version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import PurePosixPath
from typing import Any

import yaml

from gitloop import __version__
from gitloop.digests import dataset_digest, sha256_of
from gitloop.documents import dump
from gitloop.errors import DataError
from gitloop.records import GoldenRecord, PartState
from gitloop.tables import GOLDEN

SCHEMA = {column.name: str(column.dtype) for column in GOLDEN.columns}
"""The golden table's schema, as it enters every dataset digest."""

__all__ = ["SCHEMA", "Change", "GoldenRecord", "PartState", "heads", "parse_record"]

RECORD_SCHEMA = "gitloop.promotion/v1"
KINDS = ("promote", "edit", "retire", "compact", "migrate", "merge")

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# libyaml reads 500 records in the time in which pure Python reads ten.


@dataclass(frozen=True)
class Change:
    """A change of a golden set that is about to be recorded.

    Attributes:
        kind: One of `KINDS`.
        set_name: The set.
        heads: The records that it is written against.
        base_sha256: Dataset digest that it is written against; None for a new set.
        row_digests: Every row_id of the set after it → row digest.
        parts: The parts that it writes.
        removed_parts: Ids of the parts that it takes away.
        added: row_ids that come in.
        changed: row_ids whose content changes.
        retired: row_ids that go.
        at: When.
        why: What the person says about it, or None.
        details: What is particular to its kind: clusters, traces, annotators, agreement, pins.
    """

    kind: str
    set_name: str
    heads: Sequence[GoldenRecord]
    base_sha256: str | None
    row_digests: Mapping[str, str]
    parts: Sequence[PartState]
    at: datetime
    added: Collection[str] = ()
    changed: Collection[str] = ()
    retired: Collection[str] = ()
    removed_parts: Sequence[str] = ()
    why: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def dataset_sha256(self) -> str:
        """Dataset digest after the change."""
        return dataset_digest(self.row_digests.values(), SCHEMA)

    @property
    def version(self) -> str:
        """The version that it makes: month, and six digits of the dataset digest."""
        return f"{self.at.astimezone(UTC):%Y.%m}-{self.dataset_sha256[:6]}"

    @cached_property
    def id(self) -> str:
        """The record's id: the version, and four digits of all that the change is.

        It does not depend on the parts: their rows name it.
        """
        described = {**_described(self), "rows": _rows(self)}
        return f"{self.version}-{sha256_of(described)[:4]}"


def render_record(change: Change) -> bytes:
    """The record's file: the same change is the same bytes."""
    content = {
        "schema": RECORD_SCHEMA,
        "id": change.id,
        "version": change.version,
        **_described(change),
        "parts": [
            {"id": p.id, "md5": p.md5, "rows_sha256": p.rows_sha256, "n_rows": p.n_rows}
            for p in change.parts
        ],
        "removed_parts": list(change.removed_parts),
        **change.details,
        "rows": _rows(change),
    }
    return dump(content).encode()


def _described(change: Change) -> dict[str, Any]:
    return {
        "set": change.set_name,
        "kind": change.kind,
        "why": change.why,
        "created_at": change.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "tool_version": __version__,
        "parents": [
            {"record": head.id, "version": head.version, "dataset_sha256": head.dataset_sha256}
            for head in change.heads
        ],
        "base_sha256": change.base_sha256,
        "dataset_sha256": change.dataset_sha256,
        "n_rows": len(change.row_digests),
    }


def _rows(change: Change) -> dict[str, Any]:
    return {
        "added": sorted(change.added),
        "changed": {row_id: change.row_digests[row_id] for row_id in sorted(change.changed)},
        "retired": sorted(change.retired),
    }


@lru_cache(maxsize=4096)
def parse_record(text: bytes, *, source: str) -> GoldenRecord:
    """The record in a `log/<id>.yaml`.

    Raises:
        DataError: It is cut off, holds conflict markers, or lacks what a record must say.
    """
    hint = f"git log -p -- {source}"
    if b"<<<<<<<" in text:
        raise DataError(f"{source} holds an unresolved conflict", hint="run: gitloop conflicts")
    try:
        value = yaml.load(text.decode(), Loader=_Loader)  # noqa: S506 -- a safe loader
        parents = tuple(str(parent["record"]) for parent in value["parents"])
        found = GoldenRecord(str(value["id"]), parents, str(value["dataset_sha256"]), value)
        _ = (found.version, found.added, found.changed, found.retired, found.parts)
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{source} is not a promotion record", hint=hint) from error
    stem = PurePosixPath(source).name.removesuffix(".yaml")
    if found.id != stem:
        raise DataError(f"{source} says it is {found.id}", hint=hint)
    return found


def version_of(records: Iterable[GoldenRecord]) -> str:
    """The version that the records make: the head's, or all heads' joined by "+"; "" for none.

    Heads of one version are one version: they came to the same content by different ways.
    """
    return "+".join(sorted({head.version for head in heads(records)}))


def heads(records: Iterable[GoldenRecord]) -> list[GoldenRecord]:
    """The records that no other record was written against, by id."""
    records = list(records)
    parents = {parent for record in records for parent in record.parents}
    return sorted((r for r in records if r.id not in parents), key=lambda record: record.id)
