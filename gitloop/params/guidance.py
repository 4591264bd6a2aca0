"""The sections of a rubric's guidance, so that a label can say which one decided it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
_PROSE_LINE = re.compile(r"[^\s#>*+|`\d-]")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the guidance.

    Attributes:
        section_id: What labels call it: its heading in lower case with dashes, or its number.
        title: Its heading, or the beginning of its first sentence.
        text: What it says, each paragraph on one line.
    """

    section_id: str
    title: str
    text: str


def sections(guidance: str) -> tuple[Section, ...]:
    """The guidance in sections: by its Markdown headings, or else by its paragraphs.

    Text before the first heading is a section called "preface". Of headings that are alike the
    second is "<name>-2", and so on.
    """
    lines = guidance.splitlines()
    if not any(_HEADING.match(line) for line in lines):
        paragraphs = [part for part in re.split(r"\n\s*\n", guidance) if part.strip()]
        return tuple(
            Section(str(number), _beginning(part), unbroken(part.strip()))
            for number, part in enumerate(paragraphs, start=1)
        )
    blocks: list[tuple[str, list[str]]] = [("preface", [])]
    for line in lines:
        heading = _HEADING.match(line)
        if heading:
            blocks.append((heading[1], []))
        else:
            blocks[-1][1].append(line)
    found: dict[str, Section] = {}
    for title, body in blocks:
        text = unbroken("\n".join(body).strip())
        if title == "preface" and not text:
            continue
        found_id = _free(_slug(title), found)
        found[found_id] = Section(found_id, title, text)
    return tuple(found.values())


def unbroken(text: str) -> str:
    """The text with each paragraph on one line; headings and the items of lists keep theirs."""
    lines: list[str] = []
    for line in text.splitlines():
        before = lines[-1] if lines else ""
        if before and not before.startswith("#") and _PROSE_LINE.match(line):
            lines[-1] = f"{before.rstrip()} {line}"
        else:
            lines.append(line)
    return "\n".join(lines)


def _slug(title: str) -> str:
    return "-".join(_WORD.findall(title.lower()))[:60] or "section"


def _free(name: str, taken: dict[str, Section]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _beginning(text: str) -> str:
    words = " ".join(text.split())
    first = re.split(r"(?<=[.;:!?])\s", words, maxsplit=1)[0]
    return first if len(first) <= 64 else f"{first[:63].rsplit(' ', 1)[0]} …"
