"""What must not reach a training file: secrets and personal data, which a model learns by heart.

The scan is that of promotion and is handed in, since verbs do not know each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

SECRET = "a text holds a secret"  # noqa: S105 -- a reason
IN_NAME = "personal data in an id, route or cohort, which cannot be masked"
PERSONAL = "a text holds personal data"

_NAMES = ("route", "user_cohort", "chosen_id", "rejected_id", "trace_id", "group_id")
_TEXTS = ("prompt", "chosen", "rejected", "completion")
_IN_NAMES = {"email", "ip"}
"""Digits in ids are not looked at: one id in ten passes the check of a card's."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scan:
    """How texts are scanned.

    Attributes:
        mask: Text → the text with personal data replaced by its kind, and kind → how often.
        secrets: Text → the kinds of secrets in it.
        blocks: Whether personal data keeps a row out, in place of being masked.
    """

    mask: Callable[[str], tuple[str, Counter[str]]]
    secrets: Callable[[str], Sequence[str]]
    blocks: bool

    def cached(self) -> Scan:
        """The same, each text scanned once: the pairs of one prompt share it."""
        return Scan(cache(self.mask), cache(self.secrets), self.blocks)


@dataclass(frozen=True, slots=True)
class Masked:
    """Rows after the scan.

    Attributes:
        rows: Those that may be exported, their texts masked, in their order; columns as before.
        dropped: id → why it goes.
        found: id → kind of personal data → how often it was masked; rows without any are not there.
    """

    rows: pl.DataFrame
    dropped: dict[str, str]
    found: dict[str, dict[str, int]]

    def counts(self, ids: Iterable[str]) -> dict[str, int]:
        """Kind of personal data → how often it was masked in these rows."""
        kinds: Counter[str] = Counter()
        for one in ids:
            kinds.update(self.found.get(one, {}))
        return dict(sorted(kinds.items()))


def mask_rows(rows: pl.DataFrame, scan: Scan, *, key: str) -> Masked:
    """The rows without secrets, their personal data masked; what cannot be masked keeps a row out.

    Args:
        rows: Fits `tables.PAIRS` or `tables.REWARDS`.
        scan: How texts are scanned.
        key: The column that identifies a row.
    """
    scan = scan.cached()
    kept: list[dict[str, Any]] = []
    dropped: dict[str, str] = {}
    found: dict[str, dict[str, int]] = {}
    for row in rows.iter_rows(named=True):
        masked, kinds = _masked(row, scan)
        reason = _reason(row, scan) or (PERSONAL if scan.blocks and kinds else "")
        if reason:
            dropped[row[key]] = reason
            continue
        kept.append(masked)
        if kinds:
            found[row[key]] = dict(sorted(kinds.items()))
    return Masked(pl.DataFrame(kept, schema=rows.schema), dropped, found)


def _reason(row: Row, scan: Scan) -> str:
    names = [row[name] for name in _NAMES if row.get(name)] + list(row.get("groups") or ())
    texts = [row[name] for name in _TEXTS if name in row]
    texts += [turn["content"] for turn in row.get("history") or ()]
    if any(scan.secrets(text) for text in (*texts, *names)):
        return SECRET
    if any(_IN_NAMES & set(scan.mask(name)[1]) for name in names):
        return IN_NAME
    return ""


def _masked(row: Row, scan: Scan) -> tuple[dict[str, Any], Counter[str]]:
    """The row with personal data masked, and what was found."""
    kinds: Counter[str] = Counter()

    def masked(text: str) -> str:
        told, found = scan.mask(text)
        kinds.update(found)
        return told

    changed: dict[str, Any] = {name: masked(row[name]) for name in _TEXTS if name in row}
    if "history" in row:
        changed["history"] = [
            turn | {"content": masked(turn["content"])} for turn in row["history"] or ()
        ]
    return {**row, **changed}, kinds
