"""A diff for a terminal: schema, retired rows, label flips, changed cells, added rows."""

from __future__ import annotations

from gitloop.reports import diff_words as words
from gitloop.reports.diff_words import Json

_WIDTH = 80


def render(value: Json) -> str:
    """The `gitloop.diff/v1` document as text, at most 80 columns wide."""
    if not value["sets"]:
        return f"no golden set differs between {value['before']} and {value['after']}"
    lines = [f"{value['before']} → {value['after']}"]
    if value["where"]:
        lines.append("where " + ", ".join(f"{k} = {v}" for k, v in value["where"].items()))
    for entry in value["sets"]:
        lines += ["", *_set(entry)]
    return "\n".join(line.rstrip() for line in lines)


def _set(entry: Json) -> list[str]:
    lines = [words.headline(entry), f"  {words.versions(entry)}"]
    lines += [f"! {line}" for line in words.warnings(entry)]
    lines += [f"~ {line}" for line in words.columns(entry)]
    lines += _rows(entry, "retired", "-")
    for flip in entry["flips"]:
        shown = flip["row_ids"][:3]
        lines.append(f"~ {words.flip(flip)}")
        lines.append(f"    {', '.join(shown)}{' …' if flip['n'] > len(shown) else ''}")
    last = None
    for change in entry["cells"]:
        if change["row_id"] != last:
            lines.append(f"~ {change['row_id']}")
            last = change["row_id"]
        before, after = words.pair(change["before"], change["after"], _WIDTH - 8)
        lines += [f"    {change['column']}", f"      - {before}", f"      + {after}"]
    lines += words.more(entry["counts"]["cells"], len(entry["cells"]), "changed cell")
    return lines + _rows(entry, "added", "+")


def _rows(entry: Json, kind: str, mark: str) -> list[str]:
    rows = entry[kind]
    lines = [f"{mark} {row['row_id']}  {words.row(row, _WIDTH - 20)}" for row in rows]
    return lines + words.more(entry["counts"][kind], len(rows), f"{kind} row")
