"""How a judgement is asked for: what a model is told, and how its answer is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gitloop.records import Case, Judgement

Messages = list[dict[str, str]]
"""Messages in order, each with role and content."""


class Shape(Protocol):
    """One way to put a case to a model."""

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """JSON schema that the answer is to fit, or None for free text."""

    def parameters(self, case: Case) -> Mapping[str, Any]:
        """Further parameters of the request that this way needs."""

    def messages(self, case: Case) -> Messages:
        """What the model is told about a case."""

    def again(self, said: str) -> Messages:
        """What follows an answer that did not parse; nothing where asking again is no use."""

    def read(self, text: str) -> Judgement:
        """The judgement in an answer.

        Raises:
            ValueError: It holds none.
        """
