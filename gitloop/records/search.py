"""What an optimizer searches: candidates, what is asked about them, and the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prompt that might be better: the incumbent's body with these instructions and values.

    Attributes:
        instructions: What fills `{{ instructions }}`, in order.
        values: (template variable, text), sorted by variable.
        body: Another template in place of the incumbent's, or None.
        note: What its author thought, in a line.
    """

    instructions: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    note: str = ""

    @property
    def id(self) -> str:
        """12 hex digits of its content; the note does not count."""
        content = [self.instructions, self.values, self.body]
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def length(self) -> int:
        """Characters that it puts into the prompt."""
        chosen = (*self.instructions, *(text for _, text in self.values), self.body or "")
        return sum(map(len, chosen))


@dataclass(frozen=True, slots=True)
class Space:
    """What a prompt file declares as open to choice.

    Attributes:
        values: Template variable → its values.
        lines: Instructions that may be added, each once.
        demos: Most examples that may be shown; which ones there are is known once rows have passed.
    """

    values: Mapping[str, tuple[str, ...]]
    lines: tuple[str, ...]
    demos: int = 0

    @property
    def size(self) -> int:
        """Number of different candidates, examples aside."""
        return prod((len(options) for options in self.values.values()), start=1) << len(self.lines)


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish to know how a candidate does.

    Attributes:
        candidate: The candidate.
        split: "train" (answers come with outputs and reasons) or "val" (scores alone).
        row_ids: The rows, or None for the whole split.
        arm: Which of several searches asks, e.g. "random" for a control; "" where there is one.
    """

    candidate: Candidate
    split: str = "val"
    row_ids: tuple[str, ...] | None = None
    arm: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the teacher, the model that writes prompts.

    Attributes:
        text: All that the teacher is told.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A candidate that came to nothing, so that it is on record.

    Attributes:
        parent: What was to be improved.
        reason: Why nothing came of it, in a line.
        arm: As in `Ask`.
    """

    parent: Candidate
    reason: str
    arm: str = ""


@dataclass(frozen=True, slots=True)
class RowScore:
    """How a candidate did on a golden row.

    Attributes:
        row_id: The row.
        status: One of `tables.STATUSES`; an error is not a score.
        score: Share of the row's rubrics that pass, [0, 1]; None unless status is "ok".
        reason: What the judges said of the failures; "" on the validation split.
        output: What the target answered; "" on the validation split.
    """

    row_id: str
    status: str
    score: float | None
    reason: str = ""
    output: str = ""
