"""Two texts against each other, in both orders: the output and the row's reference.

A rubric says so: `scorer: {openai: {shape: pairwise, instructions: "…"}}`. The two orders are two
calls. The score is 1 where the output wins both, 0 where it loses both; a verdict that turns round
with the order says nothing about the texts, and scores 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gitloop.judges.openai.asking import Criterion, mark_of, material, shown
from gitloop.judges.openai.reading import verdict
from gitloop.judges.openai.shape import Messages
from gitloop.records import Case, Judgement

VERDICTS = {"first": 1.0, "second": 0.0, "tie": 0.5}


_QUESTION = """\
Which of the two texts, first or second, meets the criterion better? Their order says nothing."""


@dataclass(frozen=True, slots=True)
class Pairwise(Criterion):
    """Two texts in one of their orders; the form's verdicts are `VERDICTS`.

    Attributes:
        is_swapped: Whether the reference stands first.
    """

    is_swapped: bool

    def messages(self, case: Case) -> Messages:
        """The system's and the user's message for a case."""
        asked = tuple(name for name in self.form.show if name not in ("output", "reference"))
        pair = [str(case.output or ""), str(case.reference or "")]
        first, second = reversed(pair) if self.is_swapped else pair
        given = {**shown(asked, case), "first": first, "second": second}
        mark = mark_of(given, list(given.values()))
        return self.put(("two texts", "first"), mark, material(given, mark), _QUESTION)

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
