"""Judge cards as Markdown, for pull requests and documentation."""

from __future__ import annotations

from gitloop.reports import card_figures as words
from gitloop.reports.card_figures import Json

ROWS = 10
"""Rows of disagreement shown."""


def render(value: Json) -> str:
    """The cards of a gitloop.judge_card/v1 document."""
    return "\n".join(line for card in value["cards"] for line in _card(card)) + "\n"


def _card(card: Json) -> list[str]:
    return [
        f"## {_text(words.headline(card))}",
        "",
        f"{_text(words.basis(card))}.",
        "",
        *(f"> **!** {_text(finding)}" for finding in words.findings(card)),
        *(f"> {_text(line)}" for line in words.trust(card)),
        "",
        "| | | |",
        "|---|---|---|",
        *(f"| {name} | {shown} | {_cell(note)} |" for name, shown, note in words.figures(card)),
        "",
        "| the judge | people pass | people fail |",
        "|---|--:|--:|",
        *(f"| {says} | {good} | {bad} |" for says, good, bad in words.confusion(card)),
        "",
        *_bins(card),
        *_slices(card),
        *_rows(card),
    ]


def _bins(card: Json) -> list[str]:
    filled = [found for found in card["bins"] if found["n"]]
    return [
        "| score | items | people pass |",
        "|---|--:|--:|",
        *(
            f"| {found['low']:.1f} to {found['high']:.1f} | {found['n']}"
            f" | {words.bounded(found['pass_rate'], found['interval'])} |"
            for found in filled
        ),
        "",
    ]


def _slices(card: Json) -> list[str]:
    rows = words.slices(card)
    if not rows:
        return []
    return [
        "| | items | judge / people pass | accuracy | sensitivity / specificity | |",
        "|---|--:|--:|--:|--:|---|",
        *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows),
        "",
    ]


def _rows(card: Json) -> list[str]:
    total = card["n_disagreements"]
    if not total:
        return ["Judge and people agree on every item at this line.", ""]
    shown = card["disagreements"][:ROWS]
    return [
        f"### Where they differ: {total} items, the {len(shown)} widest apart",
        "",
        "| trace | people | score | asked | answered | judge's reason |",
        "|---|---|--:|---|---|---|",
        *(
            f"| `{_cell(row['trace_id'])}` | {row['people']} | {row['score']:.2f}"
            f" | {_cell(row['input'])} | {_cell(row['output'])} | {_cell(row['reason'])} |"
            for row in shown
        ),
        "",
    ]


def _cell(text: str | None) -> str:
    return _text(text or "").replace("|", "\\|")


def _text(text: str) -> str:
    """A user's text as Markdown that shows it and does nothing else."""
    line = " ".join(text.split())
    for mark in "\\`*_[]<>#!~":
        line = line.replace(mark, f"\\{mark}")
    return line if len(line) <= 300 else f"{line[:299]}…"
