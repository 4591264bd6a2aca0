"""Examples out of training rows that passed: never out of rows that decide anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gitloop.optimizers.batches import Seen
from gitloop.records import Candidate

VARIABLE = "demos"
FORM = "Input: <input>\nOutput: <output>"


@dataclass(frozen=True, slots=True)
class Demo:
    """A training row that may be shown as an example.

    Attributes:
        row_id: The row.
        input: What was asked.
        output: An answer that passed.
    """

    row_id: str
    input: str
    output: str


def passing(seen: Seen) -> list[Demo]:
    """Examples out of the rows that passed, in order."""
    return [
        Demo(case.item_id, case.input, row.output)
        for case, row in seen
        if row.score == 1.0 and row.output
    ]


def with_demos(candidate: Candidate, demos: Sequence[Demo], form: str = FORM) -> Candidate:
    """The candidate with these examples and no others."""
    values = {**dict(candidate.values), VARIABLE: "\n\n".join(_shown(demo, form) for demo in demos)}
    return replace(candidate, values=tuple(sorted(values.items())))


def is_form(text: str | None) -> bool:
    """Whether a text shows both sides of an example, each once."""
    return bool(text) and all((text or "").count(part) == 1 for part in ("<input>", "<output>"))


def _shown(demo: Demo, form: str) -> str:
    before, after = form.split("<input>")
    if "<output>" in before:
        first, second = before.split("<output>")
        return f"{first}{demo.output}{second}{demo.input}{after}"
    first, second = after.split("<output>")
    return f"{before}{demo.input}{first}{demo.output}{second}"
