"""Briefs as files in Git: what a person changed in one is theirs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gitloop.digests import sha256
from gitloop.documents import dump, parse
from gitloop.errors import ConfigError, DataError
from gitloop.storage.files import read_text, write_text

FOLDER = "loop/cluster/briefs"
_SEAL = "written_sha256"
_HEAD = "# Written by gitloop triage. Edit it freely: what a person changed is not written over.\n"


def brief_path(cluster_id: str) -> str:
    """The file of a cluster's brief, relative to the root."""
    return f"{FOLDER}/{cluster_id}.yaml"


def write_brief(root: Path, value: dict[str, Any]) -> None:
    """Write a brief with the seal by which an edit is seen."""
    text = dump(value)
    sealed = f"{_HEAD}{text}{_SEAL}: {sha256(text)}\n"
    write_text(root / brief_path(value["cluster_id"]), sealed)


def read_brief(root: Path, cluster_id: str) -> tuple[dict[str, Any], bool] | None:
    """A brief and whether a person edited it, or None where there is none.

    Raises:
        DataError: The file is no brief any more; its line is named.
    """
    source = brief_path(cluster_id)
    if not (root / source).is_file():
        return None
    text = read_text(root / source)
    try:
        value = parse(text, source=source).value
    except ConfigError as error:
        raise DataError(
            f"a brief cannot be read: {error.message}", hint=f"mend {source}, or delete it"
        ) from error
    if not isinstance(value, dict) or value.get("cluster_id") != cluster_id:
        raise DataError(
            f"{source} is not the brief of {cluster_id}", hint=f"mend {source}, or delete it"
        )
    seal = value.pop(_SEAL, None)
    is_edited = text != f"{_HEAD}{dump(value)}{_SEAL}: {seal}\n" or sha256(dump(value)) != seal
    return value, is_edited


def given_names(root: Path, cluster_ids: Iterable[str]) -> dict[str, str]:
    """cluster_id → the name that a model or a person gave it in its brief; {} without any.

    A brief that nobody but the extractor wrote repeats keywords, and is passed over; so is one that
    cannot be read, which `gitloop triage` tells.
    """
    found = {}
    for cluster_id in cluster_ids:
        try:
            there = read_brief(root, cluster_id)
        except DataError:
            continue
        if there is None:
            continue
        value, is_edited = there
        method = str((value.get("made_by") or {}).get("method"))
        name = " ".join(str(value.get("name") or "").split())
        if name and (is_edited or not method.startswith("extractive/")):
            found[cluster_id] = name
    return found
