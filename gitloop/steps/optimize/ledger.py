"""The looks of `gitloop optimize` at its holdouts."""

from __future__ import annotations

from pathlib import Path

from gitloop.storage import looks
from gitloop.storage.looks import Look

LEDGER = "loop/optimize/ledger.jsonl"


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
    return looks.look_at(root, LEDGER, holdout_sha256=holdout_sha256, pair=pair, alpha=alpha)
