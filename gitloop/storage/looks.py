"""Ledgers of looks at a holdout: one line per look, in Git, so that alpha is spent only once.

A ledger is no output of a stage: DVC deletes outputs before it runs a stage again, and a ledger
that forgets is none. A look that is taken again, because the stage is run again, stays one look.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from gitloop.digests import canonical_json
from gitloop.errors import DataError
from gitloop.stats.multiplicity import spend
from gitloop.storage.files import read_text, write_text

SCHEMA = "gitloop.look/v1"


@dataclass(frozen=True, slots=True)
class Look:
    """A look at a holdout.

    Attributes:
        number: Which look at this holdout it is, from 1.
        alpha: The level that it is held against.
    """

    number: int
    alpha: float


def look_at(root: Path, ledger: str, *, holdout_sha256: str, pair: str, alpha: float) -> Look:
    """The number and the level of a look, which is written down before it is taken.

    Args:
        root: The checkout.
        ledger: The ledger's path in it.
        holdout_sha256: Digest of the holdout; fresh rows make a fresh holdout.
        pair: What is compared: digests of what there is and of what may take its place.
        alpha: The level over all looks at a holdout.

    Raises:
        DataError: The ledger is damaged.
    """
    path = root / ledger
    lines = _read(path, ledger)
    pairs = [line["pair"] for line in lines if line["holdout_sha256"] == holdout_sha256]
    if pair not in pairs:
        pairs.append(pair)
        entry = {"holdout_sha256": holdout_sha256, "pair": pair, "schema": SCHEMA}
        text = "".join(canonical_json(line) + "\n" for line in [*lines, entry])
        write_text(path, text)
    number = pairs.index(pair) + 1
    return Look(number, spend(alpha, number))


def _read(path: Path, ledger: str) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    lines = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            value = json.loads(line)
            lines.append({key: str(value[key]) for key in ("holdout_sha256", "pair", "schema")})
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{ledger}:{number}: not a line of the ledger of looks",
                hint=f"git checkout -- {ledger}; after a merge, keep the lines of both sides",
            ) from error
    return lines
