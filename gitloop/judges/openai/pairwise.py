"""Two texts against each other, in both orders: the output and the row's reference.

A rubric says so: `scorer: {openai: {shape: pairwise, instructions: "…"}}`. The two orders are two
calls. The score is 1 where the output wins both, 0 where it loses both; a verdict that turns round
with the order says nothing about the texts, and scores 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitloop.judges.openai.asking import again, mark_of, material, shown, system
from gitloop.judges.openai.reading import Form, schema, verdict
from gitloop.judges.openai.shape import Messages
from gitloop.records import Case, Judgement

VERDICTS = {"first": 1.0, "second": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class Pairwise:
    """Two texts in one of their orders.

    Attributes:
        form: The criterion; its verdicts are `VERDICTS`.
        is_swapped: Whether the reference stands first.
    """

    form: Form
    is_swapped: bool

    @property
    def schema(self) -> Mapping[str, Any]:
        """The schema of an answer."""
        return schema(self.form)

    def parameters(self, case: Case) -> Mapping[str, Any]:  # noqa: ARG002 -- the shape's
        """Nothing."""
        return {}

    def messages(self, case: Case) -> Messages:
        """The system's and the user's message for a case."""
        asked = tuple(name for name in self.form.show if name not in ("output", "reference"))
        pair = [str(case.output or ""), str(case.reference or "")]
        first, second = reversed(pair) if self.is_swapped else pair
        given = {**shown(asked, case), "first": first, "second": second}
        mark = mark_of(given, list(given.values()))
        user = f"""\
Criterion ({self.form.name}):
{self.form.instructions.strip()}

{material(given, mark)}

Which of the two texts, first or second, meets the criterion better? Their order says nothing. \
Answer with one JSON object: {self.form.shape}"""
        return [
            {"role": "system", "content": system("two texts", "first", mark, self.form.shape)},
            {"role": "user", "content": user},
        ]

    def again(self, said: str) -> Messages:
        """The answer, quoted, and the shape once more."""
        return again(said, self.form.shape)

    def read(self, text: str) -> Judgement:
        """1 where the output wins in this order, 0 where it loses."""
        found = verdict(self.form, text)
        if self.is_swapped and found.score is not None:
            return replace(found, score=1.0 - found.score)
        return found


def both_orders(judgements: Sequence[Judgement]) -> Judgement:
    """What the two orders come to, output first and reference first; both are needed."""
    absent = next((one for one in judgements if one.score is None), None)
    if absent is not None:
        return absent
    first, swapped = judgements
    score = ((first.score or 0.0) + (swapped.score or 0.0)) / 2
    if {first.score, swapped.score} == {0.0, 1.0}:
        return Judgement("ok", 0.5, f"the verdict turned with the order: {first.reason}")
    return Judgement("ok", score, first.reason or swapped.reason)
