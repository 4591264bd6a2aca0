"""Which labelled groups are kept back from everything that learns from labels."""

from __future__ import annotations

import hashlib

_DIGITS = 13  # hex digits that fit a float without rounding


def is_held_out(group_id: str, rate: float) -> bool:
    """Return whether a group is in the pinned human holdout.

    It depends on the group's id and the rate alone: a group is held out for life, and a higher
    rate keeps those that a lower one kept. Calibration, few-shot examples and classifiers must
    not see its labels; only the check of judge against people does.

    Args:
        group_id: Unit of splitting.
        rate: Share of groups to hold out, [0, 1].
    """
    digest = hashlib.sha256(f"gitloop.human-holdout|{group_id}".encode()).hexdigest()
    return int(digest[:_DIGITS], 16) < rate * float(16**_DIGITS)
