"""A diff as Markdown for pull requests: counts first, few samples, no text of users.

Comments are read by more people than the data: only counts, ids, labels and names stand here.
"""

from __future__ import annotations

from gitloop.reports import diff_words as words
from gitloop.reports.diff_words import Json

MARKER = "<!-- gitloop diff -->"
"""The hidden first line by which a bot finds its own comment again."""

MAX_CHARACTERS = 60_000
_SAMPLES = 3
_SHOWN = ("split", "route", "user_cohort")


def render(value: Json) -> str:
    """The `gitloop.diff/v1` document as Markdown of at most 60,000 characters."""
    lines = [MARKER, "## Golden sets", ""]
    if not value["sets"]:
        lines.append("No golden set differs.")
    else:
        lines += ["| set | retired | changed | added | version |", "|---|--:|--:|--:|---|"]
        lines += [_counts(entry) for entry in value["sets"]]
    for entry in value["sets"]:
        section = _section(entry)
        if sum(map(len, [*lines, *section])) + len(lines) + len(section) > MAX_CHARACTERS - 200:
            lines += ["", f"Details of {_text(entry['set'])} are left out: too long to show."]
            continue
        lines += section
    return "\n".join(lines) + "\n"


def _counts(entry: Json) -> str:
    n = entry["counts"]
    return (
        f"| {_text(entry['set'])} | {n['retired']:,} | {n['changed']:,} | {n['added']:,}"
        f" | {_text(words.versions(entry))} |"
    )


def _section(entry: Json) -> list[str]:
    lines = ["", f"### {_text(words.headline(entry))}", ""]
    lines += [f"- ⚠ {_text(line)}" for line in words.warnings(entry)]
    lines += [f"- {_text(line)}" for line in words.columns(entry)]
    lines += _rows(entry, "retired")
    for flip in entry["flips"]:
        shown = ", ".join(f"`{row_id}`" for row_id in flip["row_ids"][:_SAMPLES])
        rest = flip["n"] - min(flip["n"], _SAMPLES)
        lines.append(f"- {_text(words.flip(flip))}: {shown}{f' and {rest} more' if rest else ''}")
    changed: dict[str, int] = {}
    for cell in entry["cells"]:
        changed[cell["column"]] = changed.get(cell["column"], 0) + 1
    lines += [f"- changed cells in {_text(column)}: {n:,}" for column, n in sorted(changed.items())]
    lines += _bullets(words.more(entry["counts"]["cells"], len(entry["cells"]), "changed cell"))
    return lines + _rows(entry, "added")


def _rows(entry: Json, kind: str) -> list[str]:
    n = entry["counts"][kind]
    if not n:
        return []
    shown = entry[kind][:_SAMPLES]
    lines = [f"- **{n:,} {kind}**"]
    for row in shown:
        place = ", ".join(_text(str(row[name])) for name in _SHOWN if row.get(name))
        lines.append(f"  - `{row['row_id']}` {place}")
    if n > len(shown):
        lines.append(f"  - … and {n - len(shown):,} more")
    return lines


def _bullets(lines: list[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def _text(text: str) -> str:
    """The text as inert Markdown: no markup, mention or link."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(
        f"&#{ord(letter)};" if letter in "\\`*_[]|@#~!" else letter for letter in escaped
    )
