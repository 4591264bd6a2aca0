"""Preference sets: `preferences/<set>/`, exports of pairs that have versions like golden sets.

    README.md            Git  the dataset card
    log/<id>.yaml        Git  the record: what was exported, from what, and after which version
    data/<file>.dvc      Git  DVC pointers of the exported files
    data/<file>          DVC  the files

A record is written once, names content digests and its parents, and never a commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from gitloop import __version__
from gitloop.digests import dataset_digest, sha256_of
from gitloop.documents import dump
from gitloop.errors import DataError
from gitloop.records import GoldenRecord
from gitloop.storage.dvc import Dvc
from gitloop.storage.files import replacing, write_text
from gitloop.storage.lineage import heads
from gitloop.storage.parts import track
from gitloop.tables import PAIRS

FOLDER = "preferences"
RECORD_SCHEMA = "gitloop.preferences/v1"
_SCHEMA = {column.name: str(column.dtype) for column in PAIRS.columns}
_IGNORED = "/*\n!/.gitignore\n!/*.dvc\n"


@dataclass(frozen=True, slots=True)
class Exported:
    """A version of a preference set.

    Attributes:
        id: The record's id.
        version: Month, and six digits of the dataset digest.
        parents: The versions that it was written after.
        dataset_sha256: Digest of its pairs.
        is_new: Whether anything differs from its parent; if not, nothing was written.
        files: What was written, relative to the root, sorted.
    """

    id: str
    version: str
    parents: tuple[str, ...]
    dataset_sha256: str
    is_new: bool
    files: tuple[str, ...]


def pairs_digests(pairs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """pair_id → digest of the pair as it is exported."""
    return {pair["pair_id"]: sha256_of(dict(pair)) for pair in pairs}


def read_records(root: Path, name: str) -> list[GoldenRecord]:
    """The records of a preference set, by id; none where it was never exported.

    Raises:
        DataError: A record is no record.
    """
    found = []
    for path in sorted((root / FOLDER / name / "log").glob("*.yaml")):
        source = f"{FOLDER}/{name}/log/{path.name}"
        try:
            value = yaml.safe_load(path.read_bytes().decode())
            parents = tuple(str(parent["record"]) for parent in value["parents"])
            record = GoldenRecord(str(value["id"]), parents, str(value["dataset_sha256"]), value)
            _ = (record.version, value["pairs"])
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise DataError(
                f"{source} is not a record of a preference set", hint=f"git log -p -- {source}"
            ) from error
        if record.id != path.stem:
            raise DataError(f"{source} says it is {record.id}", hint=f"git log -p -- {source}")
        found.append(record)
    return found


@dataclass(frozen=True, slots=True)
class Export:
    """What is about to be exported.

    Attributes:
        name: The preference set.
        digests: pair_id → digest of the pair as it is exported.
        data: File name → bytes, of what DVC keeps.
        card: The dataset card without its version; a function of the version.
        companions: File name → text, of what Git keeps beside the card.
        details: What the record says besides: splits, layouts, inputs, golden sets, agreement.
        at: When.
    """

    name: str
    digests: Mapping[str, str]
    data: Mapping[str, bytes]
    card: Callable[[str], str]
    companions: Mapping[str, str]
    details: Mapping[str, Any]
    at: datetime


def write_export(root: Path, dvc: Dvc, export: Export) -> Exported:
    """Write files, pointers, card and record; nothing where nothing differs from the parent.

    The record comes last: a run that is killed before leaves files that no record names, and the
    next run writes them again.
    """
    records = read_records(root, export.name)
    tips = heads(records)
    before = {key: sha for tip in tips for key, sha in tip.content["pairs"].items()}
    dataset_sha256 = dataset_digest(export.digests.values(), _SCHEMA)
    folder = f"{FOLDER}/{export.name}"
    same = [tip for tip in tips if tip.content.get("content_sha256") == _content(export)]
    if same and len(tips) == 1:
        tip = same[0]
        return Exported(tip.id, tip.version, tip.parents, tip.dataset_sha256, False, ())
    version = f"{export.at.astimezone(UTC):%Y.%m}-{dataset_sha256[:6]}"
    record = {
        "version": version,
        "set": export.name,
        "created_at": export.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "tool_version": __version__,
        "parents": [
            {"record": tip.id, "version": tip.version, "dataset_sha256": tip.dataset_sha256}
            for tip in tips
        ],
        "dataset_sha256": dataset_sha256,
        "content_sha256": _content(export),
        "n_pairs": len(export.digests),
        **export.details,
        "changes": _changes(before, export.digests),
        "pairs": dict(sorted(export.digests.items())),
    }
    record_id = f"{version}-{sha256_of(record)[:4]}"
    written = [
        *_write_data(root, dvc, f"{folder}/data", export.data),
        *_write_texts(root, folder, {"README.md": export.card(version), **export.companions}),
        f"{folder}/log/{record_id}.yaml",
    ]
    text = dump({"schema": RECORD_SCHEMA, "id": record_id, **record})
    write_text(root / written[-1], text)
    parents = tuple(tip.version for tip in tips)
    return Exported(record_id, version, parents, dataset_sha256, True, tuple(sorted(written)))


def _content(export: Export) -> str:
    """Digest of everything that an export would write but times and parents."""
    data = {name: hashlib.sha256(content).hexdigest() for name, content in export.data.items()}
    return sha256_of([dict(export.digests), data, dict(export.companions), dict(export.details)])


def _write_data(root: Path, dvc: Dvc, folder: str, data: Mapping[str, bytes]) -> list[str]:
    """Write what DVC keeps; pointers of files that are no more go."""
    write_text(root / folder / ".gitignore", _IGNORED)
    written = [f"{folder}/.gitignore"]
    for name, content in sorted(data.items()):
        with replacing(root / folder / name) as temporary:
            temporary.write_bytes(content)
        track(root, dvc, f"{folder}/{name}")
        written.append(f"{folder}/{name}.dvc")
    for pointer in (root / folder).glob("*.dvc"):
        if pointer.name.removesuffix(".dvc") not in data:
            pointer.unlink()
            pointer.with_suffix("").unlink(missing_ok=True)
    return written


def _write_texts(root: Path, folder: str, texts: Mapping[str, str]) -> list[str]:
    for name, text in sorted(texts.items()):
        write_text(root / folder / name, text)
    return [f"{folder}/{name}" for name in sorted(texts)]


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, Any]:
    """Which pairs came, changed and went since the parents."""
    return {
        "added": sorted(set(now) - set(before)),
        "changed": sorted(key for key in set(now) & set(before) if now[key] != before[key]),
        "removed": sorted(set(before) - set(now)),
    }
