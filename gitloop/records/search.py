"""What an optimizer searches: candidates, what is asked about them, and the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prompt that might be better: the incumbent's body with these instructions and values.

    Attributes:
        instructions: What fills `{{ instructions }}`, in order.
        values: (template variable, text), sorted by variable.
        body: Another template in place of the incumbent's, or None.
        note: What its author thought, in a line.
        parameters: (model parameter, value) that it sets, sorted by name.
    """

    instructions: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    note: str = ""
    parameters: tuple[tuple[str, Any], ...] = ()

    @property
    def id(self) -> str:
        """12 hex digits of its content; the note does not count."""
        content = [self.instructions, self.values, self.body]
        content += [self.parameters] if self.parameters else []
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
        parameters: Model parameter → its values; numbers rise.
    """

    values: Mapping[str, tuple[str, ...]]
    lines: tuple[str, ...]
    demos: int = 0
    parameters: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of different candidates, examples aside."""
        every = (*self.values.values(), *self.parameters.values())
        return prod(map(len, every), start=1) << len(self.lines)


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
        tokens: Tokens of the target's answer, or None where it does not tell.
        cost_usd: US dollars of the target's answer, or None.
    """

    row_id: str
    status: str
    score: float | None
    reason: str = ""
    output: str = ""
    tokens: int | None = None
    cost_usd: float | None = None
