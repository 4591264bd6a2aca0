"""How a diff's counts, flips and cells are worded: one way in every format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def headline(entry: Json) -> str:
    """The set and its counts in one line: "support: 1 retired, 2 changed, 3 added"."""
    counts = entry["counts"]
    kinds = ("retired", "changed", "added")
    told = ", ".join(f"{counts[kind]:,} {kind}" for kind in kinds if counts[kind])
    if not told:
        told = "0 row changes"
    if n := counts["reencoded_parts"]:
        told += f" ({_plural(n, 'part')} re-encoded)"
    return f"{entry['set']}: {told}"


def versions(entry: Json) -> str:
    """Both versions with their row counts: "2026.04-1b2c3d (120 rows) → 2026.05-4e5f6a (132)"."""
    before, after = entry["before"], entry["after"]
    return (
        f"{before['version'] or 'nothing'} ({before['n_rows']:,} rows)"
        f" → {after['version'] or 'nothing'} ({after['n_rows']:,} rows)"
    )


def warnings(entry: Json) -> list[str]:
    """What a reader must know before the rest: keys that stand in more than one row."""
    counts = entry["counts"]
    return [
        f"{_plural(n, 'key')} {'stands' if n == 1 else 'stand'} in more than one row {side}"
        for side in ("before", "after")
        if (n := counts[f"repeated_keys_{side}"])
    ]


def columns(entry: Json) -> list[str]:
    """Schema changes, one line each."""
    lines = []
    for change in entry["columns"]:
        name, old, new = change["column"], change["before"], change["after"]
        if old is None:
            lines.append(f"column {name} ({new}) is new")
        elif new is None:
            lines.append(f"column {name} ({old}) is gone")
        else:
            lines.append(f"column {name}: {old} → {new}")
    return lines


def flip(entry: Json) -> str:
    """One kind of label change: "grounded: fail → pass (15 rows)"."""
    before, after = entry["before"] or "–", entry["after"] or "–"
    return f"{entry['rubric']}: {before} → {after} ({_plural(entry['n'], 'row')})"


def cell(value: Any, width: int) -> str:  # noqa: ANN401 -- any cell
    """The value on one line, at most `width` characters."""
    if value is None:
        return "–"
    if isinstance(value, list):
        value = ", ".join(_item(item) for item in value)
    words = " ".join(str(value).split())
    text = "".join(letter if letter.isprintable() else "·" for letter in words)  # no escape codes
    return text if len(text) <= width else f"{text[: width - 1]}…"


def pair(before: Any, after: Any, width: int) -> tuple[str, str]:  # noqa: ANN401 -- any cells
    """Both values on one line each, cut so that the first difference is to be seen."""
    one, other = (cell(value, 1 << 30) for value in (before, after))
    shared = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    start = max(0, shared - width // 3)
    lead = "…" if start else ""
    return tuple(lead + cell(text[start:], width - len(lead)) for text in (one, other))  # type: ignore[return-value]


def row(entry: Json, width: int) -> str:
    """A row in one line: where it stands, its labels, and how it begins."""
    labels = ", ".join(f"{label['rubric']}: {label['expected']}" for label in entry["labels"] or ())
    place = "/".join(entry[name] for name in ("route", "user_cohort") if entry.get(name))
    return cell(f"{entry['split']}  {place or '–'}  {labels}  {entry['input']}", width)


def more(n_total: int, n_shown: int, noun: str) -> list[str]:
    """How many are not shown, or nothing where all are: "… and 12 more rows"."""
    left = n_total - n_shown
    return [f"… and {_plural(left, f'more {noun}')}"] if left > 0 else []


def _item(item: Any) -> str:  # noqa: ANN401 -- an element of a list cell
    if isinstance(item, dict) and set(item) == {"rubric", "expected"}:
        return f"{item['rubric']}: {item['expected']}"
    return item if isinstance(item, str) else json.dumps(item, sort_keys=True, ensure_ascii=False)


def _plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
