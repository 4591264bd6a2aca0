"""Cases, the answers to them, and what judges make of those."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """What a target answers and a judge scores.

    Attributes:
        item_id: row_id of a golden row, or trace_id of a trace.
        input: What the user asked.
        context: What the application was given, or None.
        reference: What it should say, or None.
        output: What it said; None before the target ran.
        route: The part of the product, or None.
        user_cohort: The kind of user, or None.
        replicate: Which of several runs of the same item, from 0.
    """

    item_id: str
    input: str
    context: str | None = None
    reference: str | None = None
    output: str | None = None
    route: str | None = None
    user_cohort: str | None = None
    replicate: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a call. An error is not an answer to anything but "did it work".

    Attributes:
        status: One of `tables.STATUSES`; `value` counts only when it is "ok".
        value: JSON values.
        error: What went wrong, in a line; "" when nothing did.
        latency_s: Seconds, or None where nobody measured.
        cost_usd: US dollars, or None.
    """

    status: str
    value: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    latency_s: float | None = None
    cost_usd: float | None = None

    @property
    def tokens(self) -> int | None:
        """Tokens in and out, or None where the answer does not tell."""
        found = [self.value.get(name) for name in ("n_input_tokens", "n_output_tokens")]
        told = [count for count in found if isinstance(count, int)]
        return sum(told) if told else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A score, or the reason why there is none.

    Attributes:
        status: One of `tables.STATUSES`.
        score: In [0, 1], higher is better; None unless `status` is "ok".
        reason: Why, in a line.
    """

    status: str
    score: float | None
    reason: str = ""
