"""Preference votes: `labels/pairs/<annotator>.jsonl`, append-only, in Git like every label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.errors import DataError
from gitloop.storage.files import read_text
from gitloop.tables import VOTES

FOLDER = "labels/pairs"
_FIELDS = tuple(column.name for column in VOTES.columns)
_MOST_FAULTS = 20


def read_votes(root: Path) -> pl.DataFrame:
    """Every vote, each person's newest word on a pair; fits `tables.VOTES`.

    Raises:
        DataError: Some lines are no votes; each is named with file and line.
    """
    votes: dict[tuple[str, str], dict[str, Any]] = {}
    faults: list[str] = []
    for path in sorted((root / FOLDER).glob("*.jsonl")):
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            if not line.strip():
                continue
            vote, fault = _vote(line, path.stem)
            if fault:
                faults.append(f"{FOLDER}/{path.name}:{number}: {fault}")
            else:
                votes[vote["pair_id"], vote["annotator"]] = vote
    if faults:
        more = f"\n  and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
        raise DataError(
            f"{len(faults)} lines are no votes:\n  " + "\n  ".join(faults[:_MOST_FAULTS]) + more,
            hint="docs/tables.md: votes",
        )
    rows = pl.DataFrame(list(votes.values()), schema=VOTES.schema | {"created_at": pl.String})
    return VOTES.order(
        rows.with_columns(
            pl.col("created_at").str.to_datetime("%+", time_unit="us", time_zone="UTC")
        )
    )


def _vote(line: str, stem: str) -> tuple[dict[str, Any], str]:
    """The vote in a line, or what is wrong with it."""
    try:
        value = json.loads(line)
    except ValueError as error:
        return {}, f"not JSON: {error}"
    if not isinstance(value, dict):
        return {}, "not a JSON object"
    vote = {name: value.get(name) for name in _FIELDS}
    missing = [name for name in _FIELDS if name != "created_at" and not isinstance(vote[name], str)]
    if missing:
        return {}, f"{', '.join(missing)} must be text"
    if vote["winner"] not in ("a", "b", "tie"):
        return {}, f"winner is {vote['winner']!r}, not a, b or tie"
    if vote["annotator"] != stem:
        return {}, f"annotator is {vote['annotator']!r}, but the file is {stem}.jsonl"
    return vote, ""
