"""The text that a teacher may rewrite, and the way back from its words to a candidate.

A prompt with an `{{ instructions }}` slot has just its instructions rewritten: they are data that
fills the slot, so braces, code and JSON in them mean nothing to the template. Without the slot the
template itself is rewritten, and the driver checks its placeholders and frozen parts.
"""

from __future__ import annotations

import json
from dataclasses import replace

from gitloop.protocols import Task
from gitloop.records import Candidate, Case, RowScore

SLOT = "instructions"
_FENCE = "```"
_MOST_CHARACTERS = 2000
"""Of each field of an example that a teacher is shown."""


class Editor:
    """Turns candidates into the text that may be rewritten, and rewritten text into candidates.

    Attributes:
        has_slot: Whether the instructions are what is rewritten, rather than the whole template.
    """

    def __init__(self, task: Task) -> None:
        self._prompt = task.prompt
        self.has_slot = SLOT in task.prompt.variables

    def text(self, candidate: Candidate) -> str:
        """What a teacher may rewrite of the candidate."""
        if self.has_slot:
            return "\n".join(f"- {line}" for line in candidate.instructions)
        return self._prompt.body if candidate.body is None else candidate.body

    def candidate(self, text: str, parent: Candidate, note: str = "") -> Candidate:
        """The parent with its text rewritten."""
        if self.has_slot:
            lines = _instructions(text)
            # A rewrite to nothing is a failed one, told apart from a prompt without instructions.
            return replace(parent, instructions=lines or ("",), note=note)
        # Trailing line breaks are lost in the teacher's fences; the file's own are kept.
        end = self._prompt.body[len(self._prompt.body.rstrip("\n")) :]
        return replace(parent, body=text.rstrip("\n") + end, note=note)

    def place(self) -> str:
        """Where the text stands, and what must be kept of it, in words for a teacher."""
        if self.has_slot:
            where = (
                "The instructions fill the slot {{ instructions }} of this prompt, one instruction"
                f" a line, each beginning with a dash:\n\n{quoted(self._prompt.body)}"
            )
            return "\n".join([where, *self.kept()])
        code = ", ".join(sorted(self._prompt.code))
        kept = [f"Keep each of these placeholders, and invent none: {code}."] if code else []
        return "\n".join(["It is a Jinja2 template.", *kept, *self.kept()])

    def kept(self) -> list[str]:
        """The frozen parts that a rewrite could lose, in words for a teacher, one a line."""
        body = self._prompt.body if self.has_slot else ""  # what fills the slot leaves it alone
        frozen = [part for part in self._prompt.head.frozen if part not in body]
        return [f"Keep this part word for word: {part}" for part in frozen]


def fenced(reply: str | None) -> str | None:
    """What a reply holds between its first and its last fence, or None where it has none."""
    if reply is None:
        return None
    start, end = reply.find(_FENCE), reply.rfind(_FENCE)
    if start < 0 or end <= start:
        return None
    inside = reply[start + len(_FENCE) : end]
    return inside.partition("\n")[2].strip("\n") if "\n" in inside else inside.strip()


def lines_after(reply: str | None, word: str) -> list[str]:
    """The texts that follow `word:` at the beginning of a line of the reply."""
    found = []
    for line in (reply or "").splitlines():
        head, colon, rest = line.strip().lstrip("-*# ").partition(":")
        if colon and head.strip("* ").lower() == word.lower() and rest.strip():
            found.append(rest.strip("* "))
    return found


def example(case: Case, row: RowScore) -> dict[str, object]:
    """What a teacher is shown of a training row and of how it went."""
    told = {
        "input": case.input,
        "context": case.context,
        "reference": case.reference,
        "output": row.output,
        "score": row.score,
        "feedback": row.reason,
    }
    return {
        key: value[:_MOST_CHARACTERS] if isinstance(value, str) else value
        for key, value in told.items()
        if value not in (None, "")
    }


def examples(cases: list[tuple[Case, RowScore]]) -> str:
    """The examples, one JSON object a line: text of users stays data between its quotes."""
    return "\n".join(json.dumps(example(case, row), ensure_ascii=False) for case, row in cases)


def quoted(text: str) -> str:
    """The text between fences."""
    return f"{_FENCE}\n{text}\n{_FENCE}"


def _instructions(text: str) -> tuple[str, ...]:
    """One instruction per dash; without any dash, one per line. Lines of code stay together."""
    lines = [line.rstrip() for line in text.split("\n")]
    has_dashes = any(_is_item(line) for line in lines)
    found: list[str] = []
    for line in lines:
        if _is_item(line):
            found.append(line[2:].strip())
        elif has_dashes and found and line.strip():
            found[-1] += f"\n{line}"
        elif line.strip():
            found.append(line.strip())
    return tuple(dict.fromkeys(item for item in found if item))


def _is_item(line: str) -> bool:
    return line.startswith(("- ", "* "))
