"""Judge cards for a terminal, in 80 columns."""

from __future__ import annotations

import textwrap

from gitloop.reports import card_figures as words
from gitloop.reports.card_figures import Json

ROWS = 5
"""Rows of disagreement shown."""


def render(value: Json) -> str:
    """The cards of a gitloop.judge_card/v1 document."""
    return "\n".join(line for card in value["cards"] for line in _card(card))


def _card(card: Json) -> list[str]:
    lines = [*_wrapped(words.headline(card), ""), *_wrapped(words.basis(card), "  ")]
    for finding in words.findings(card):
        lines += _wrapped(finding, "  ! ", "    ")
    for line in words.trust(card):
        lines += _wrapped(line, "  · ", "    ")
    lines.append("")
    for name, shown, note in words.figures(card):
        lines += _wrapped(f"{name:<24}{shown}" + (f"  {note}" if note else ""), "  ", " " * 26)
    lines += ["", "  the judge      people pass  people fail"]
    lines += [f"  {says:<14} {good:>11}  {bad:>11}" for says, good, bad in words.confusion(card)]
    for name, n, shares, accuracy, both, differs in words.slices(card):
        told = f"{name}: {n} items, judge/people pass {shares}, accuracy {accuracy}, {differs}"
        lines += _wrapped(f"{told} ({both})", "  ", "    ")
    lines += ["", f"  {card['n_disagreements']} items on which they differ"]
    for row in card["disagreements"][:ROWS]:
        lines += _wrapped(
            f"{row['trace_id']}: people {row['people']}, judge {row['score']:.2f}", "  ≠ "
        )
        asked = " ".join(_printable(row["input"]).split())
        answered = " ".join(_printable(row["output"] or "").split())
        lines += [
            f"      {textwrap.shorten(asked, 72)}",
            f"      → {textwrap.shorten(answered, 70)}",
        ]
    return [*lines, ""]


def _wrapped(text: str, first: str, later: str | None = None) -> list[str]:
    after = first if later is None else later
    return textwrap.wrap(_printable(text), 80, initial_indent=first, subsequent_indent=after)


def _printable(text: str) -> str:
    """The text without control characters: a trace must not steer the reader's terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
