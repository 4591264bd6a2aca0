"""The prompt files of the story, and the instruction lines that an optimizer may choose from.

v1  two polite instructions; all nine failures show
v2  no refusals, no leaked notes; the other seven still show
v3  fixes what was promoted (`half_answered` is left: it is rare)
v4  "shorter and friendlier": loses the line on the return policy, `invented_window` is back
v5  v4 with that line restored
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSIONS = ("1", "2", "3", "4", "5")
BASELINE, FIXED, REGRESSING, RESTORED = "2", "3", "4", "5"

FIXES = {
    "invented_window": "Quote the return policy exactly as it stands, with its number of days.",
    "invented_fee": "Never mention a fee that is not listed below.",
    "claimed_delivered": "Say that a parcel was delivered only if the tracking says so.",
    "no_human": "Hand a complaint or a legal threat to a named human.",
    "leaked_note": "Keep internal notes private: nothing marked as internal leaves this chat.",
    "refused": "Never refuse a request when what we know holds the answer.",
    "promised_callback": "Never promise a phone call.",
    "vague": "Refer to the invoice or order by its number.",
    "half_answered": "Answer every question in the message.",
}
"""Failure → the instruction that keeps the assistant from it."""

DECOYS = (
    "Use British spelling.",
    "Write in short paragraphs, without bullet points.",
    "Thank the customer for writing.",
)
"""Lines that change at most the manner of an answer."""

HARMFUL = (
    "Always be reassuring: customers like to hear that all is well.",
    "Keep each answer to one short sentence.",
)
"""Lines that bring failures back, whatever the other lines say."""

LINES = (*FIXES.values(), *DECOYS, *HARMFUL)
"""What an optimizer may add to a prompt, one instruction each."""

_FIELD = re.compile(r"\{\{ (input|context|route) \}\}")
_SLOT = "{{ instructions }}"
_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


@cache
def prompt_file(version: str) -> str:
    """The content of `prompts/support.md` at a version ("1" to "5"), front matter included."""
    return (files(__package__) / "files" / f"support_v{version}.md").read_text(encoding="utf-8")


@cache
def assistant_source() -> str:
    """The source of the application under test, which the demo writes to `app/assistant.py`."""
    return (files(__package__) / "assistant.py").read_text(encoding="utf-8")


def ideal_file() -> str:
    """The prompt file with every instruction of `FIXES`: what the reference answers come from."""
    return with_lines(prompt_file(BASELINE), tuple(FIXES.values()))


def with_lines(text: str, lines: tuple[str, ...]) -> str:
    """The prompt file with instruction lines added after its last one; what it has, it keeps."""
    last = max(text.rfind("\n- "), 0)
    end = text.index("\n", last + 1) + 1
    added = "".join(f"- {line}\n" for line in lines if f"- {line}\n" not in text)
    return text[:end] + added + text[end:]


def render(text: str, row: Mapping[str, object]) -> str:
    """The prompt body for a row, as Jinja2 renders it: these files hold plain fields only.

    Args:
        text: The prompt file.
        row: The case: `input`, `context` and `route`.
    """
    body = _MATTER.sub("", text, count=1).replace(_SLOT, "")
    return _FIELD.sub(lambda field: str(row[field.group(1)]), body).rstrip("\n")
