"""The panel judge: several judges of one rubric, and the majority or the mean of what they say.

    judge:
      use: panel
      parameters:
        aggregate: majority          # or mean
        members:
          - {use: openai, model: gpt-4o-2024-08-06}
          - {use: litellm, model: anthropic/claude-haiku-4-5}
          - {use: classifier, parameters: {model: models/tone.json, sha256: 3f5a…}}

Each member's calls go through the call store as its own: a member that was paid for once is not
paid for again in a panel. A member without a score is a missing voice: below the quorum the panel
has no score either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gitloop.arguments import Argument, check
from gitloop.errors import ConfigError
from gitloop.judges.binding import bind
from gitloop.params import JudgePin, Rubric
from gitloop.protocols import Judge
from gitloop.records import Answer, Case, Judgement

_PARAMETERS = {
    "members": Argument("any", "the judges: use, version, model and parameters of each"),
    "aggregate": Argument(
        "text",
        "majority of the members' verdicts, or mean of their scores",
        default="majority",
        choices=("majority", "mean"),
    ),
    "quorum": Argument(
        "integer", "fewest members with a score; null is all", default=None, low=1, is_nullable=True
    ),
}
_MEMBER = {
    "use": Argument("text", "kind of judge"),
    "version": Argument("text", "its version", default="1"),
    "model": Argument("text", "its model", default=None, is_nullable=True),
    "parameters": Argument("mapping", "its parameters", default={}),
}


class PanelJudge:
    """Several judges of one rubric: the majority of their verdicts, or the mean of their scores."""

    id: ClassVar[str] = "panel"
    version: ClassVar[str] = "1"
    returns: ClassVar[str] = "0, 0.5 (a tie) or 1 by majority, 0 to 1 by mean"
    takes: ClassVar[Mapping[str, Argument]] = _PARAMETERS
    is_pure: bool = False
    """Whether all its members are."""
    form: ClassVar[None] = None
    """A rubric says nothing to the panel itself: each member has its own form."""

    def __init__(self, rubric: Rubric, pin: JudgePin, root: Path) -> None:
        key = f"rubrics.{rubric.name}.judge.parameters"
        where = f"params.yaml: {key}"
        parameters = check(pin.parameters, _PARAMETERS, where=where)
        given = parameters["members"]
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise ConfigError(f"{where}.members is no list of judges", hint="edit params.yaml")
        if len(given) < 2:
            raise ConfigError(f"{where}.members: a panel has two judges or more", hint="add one")
        if (parameters["quorum"] or 0) > len(given):
            raise ConfigError(
                f"{where}.quorum is more than the panel's {len(given)} members",
                hint="edit params.yaml",
            )
        pins = [
            JudgePin(**check(one, _MEMBER, where=f"{where}.members[{i}]"))
            for i, one in enumerate(given)
        ]
        if any(one.use == self.id for one in pins):
            raise ConfigError(f"{where}.members: a panel holds no panel", hint="name its members")
        self._names = [f"{one.use} {one.model}".removesuffix(" None") for one in pins]
        self.members: list[Judge] = [
            bind(rubric, one, root, key=f"{key}.members[{i}]") for i, one in enumerate(pins)
        ]
        self.is_pure = all(member.is_pure for member in self.members)
        self.files = sorted({f for member in self.members for f in getattr(member, "files", ())})
        self._is_mean = parameters["aggregate"] == "mean"
        self._quorum = parameters["quorum"] or len(pins)
        self._threshold = rubric.threshold

    def request(self, case: Case) -> dict[str, Any]:
        """What each member is asked."""
        return {"members": [member.request(case) for member in self.members]}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Nothing: the members are called one by one, each by itself."""
        return [Answer("error", error="a panel is not called itself") for _ in requests]

    def read(self, answer: Answer) -> Judgement:
        """Nothing, for the same reason."""
        return Judgement("error", None, answer.error)

    def combine(self, judgements: Sequence[Judgement]) -> Judgement:
        """What the members' judgements of one row come to; one per member, in their order."""
        told = [
            f"{name}: {'no score' if one.score is None else f'{one.score:g}'}"
            for name, one in zip(self._names, judgements, strict=True)
        ]
        scores = [one.score for one in judgements if one.score is not None]
        if len(scores) < self._quorum:
            first = next(one for one in judgements if one.score is None)
            reason = f"{len(scores)} of {len(told)} members have a score; {first.reason}"
            return Judgement(first.status, None, reason)
        if self._is_mean:
            return Judgement("ok", round(sum(scores) / len(scores), 6), ", ".join(told))
        n_pass = sum(score >= self._threshold for score in scores)
        half = len(scores) / 2
        score = 0.5 if n_pass == half else 1.0 if n_pass > half else 0.0
        return Judgement("ok", score, ", ".join(told))
