"""The ledger of looks at the holdout: one line per look, in Git, so that alpha is spent only once.

It is no output of the stage: DVC deletes outputs before it runs a stage again, and a ledger that
forgets is none. A look that is taken again, because the stage is run again, stays one look.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from gitloop.core.optimize import spend
from gitloop.digests import canonical_json
from gitloop.errors import DataError
from gitloop.storage.files import read_text, write_text

LEDGER = "loop/optimize/ledger.jsonl"
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


def look_at(root: Path, holdout_sha256: str, pair: str, alpha: float) -> Look:
    """The number and the level of a look, which is written down before it is taken.

    Args:
        root: The checkout.
        holdout_sha256: Digest of the holdout; fresh rows make a fresh holdout.
        pair: What is compared: digests of the incumbent's and the finalist's prompts.
        alpha: The level over all looks at a holdout.

    Raises:
        DataError: The ledger is damaged.
    """
    path = root / LEDGER
    lines = _read(path)
    pairs = [line["pair"] for line in lines if line["holdout_sha256"] == holdout_sha256]
    if pair not in pairs:
        pairs.append(pair)
        entry = {"holdout_sha256": holdout_sha256, "pair": pair, "schema": SCHEMA}
        text = "".join(canonical_json(line) + "\n" for line in [*lines, entry])
        write_text(path, text)
    number = pairs.index(pair) + 1
    return Look(number, spend(alpha, number))


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    lines = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            value = json.loads(line)
            lines.append({key: str(value[key]) for key in ("holdout_sha256", "pair", "schema")})
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{LEDGER}:{number}: not a line of the ledger of looks",
                hint=f"git checkout -- {LEDGER}; after a merge, keep the lines of both sides",
            ) from error
    return lines
