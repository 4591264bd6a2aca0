"""How people answer under a rubric: the kind of label, and what each answer is worth."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from gitloop.params.strict import Strict

LEVELS = {
    "thumbs": "nominal",
    "categorical": "nominal",
    "numeric": "interval",
    "star": "ordinal",
    "text": "nominal",
}
"""Label type → the level of measurement that it has where the rubric does not say."""

LONGEST_CHOICE = 80
LONGEST_ANSWER = 10_000
VERDICTS = {"pass": 1.0, "fail": 0.0}
"""What a verdict is worth."""


class LabelForm(Strict):
    """How people answer under a rubric.

    Attributes:
        type: thumbs (pass or fail), categorical, numeric, star, or text.
        choices: The categories, for categorical; worst first where they have an order.
        scores: Category → its score in [0, 1]; one that is not named is no verdict ("unsure").
        worst: The number that scores 0, for numeric.
        best: The number that scores 1, for numeric; it may be the smaller one.
        step: Distance of two neighbouring numbers, or null for any number between.
        stars: How many stars there are, for star.
        level: Level of measurement, for `gitloop agree`; null follows the type.
        question: What is asked, in a line; "" asks whether the output passes.
    """

    type: Literal["thumbs", "categorical", "numeric", "star", "text"] = "thumbs"
    choices: tuple[str, ...] = ()
    scores: dict[str, float] = Field(default_factory=dict)
    worst: float = 0.0
    best: float = 1.0
    step: float | None = Field(default=None, gt=0)
    stars: int = Field(default=5, ge=2, le=10)
    level: Literal["nominal", "ordinal", "interval", "ratio"] | None = None
    question: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> LabelForm:
        if (self.type == "categorical") != bool(self.choices):
            raise ValueError("categorical needs choices, and no other type takes them")
        if len(set(self.choices)) != len(self.choices) or len(self.choices) == 1:
            raise ValueError("choices are two or more, each once")
        if any(not choice.strip() or len(choice) > LONGEST_CHOICE for choice in self.choices):
            raise ValueError(f"a choice is a word or a few, at most {LONGEST_CHOICE} characters")
        if unknown := sorted(set(self.scores) - set(self.choices)):
            raise ValueError(f"scores names {', '.join(unknown)}, which is no choice")
        if any(not 0 <= score <= 1 for score in self.scores.values()):
            raise ValueError("a score lies in [0, 1]")
        if not math.isfinite(self.worst - self.best) or self.worst == self.best:
            raise ValueError("worst and best are two different numbers")
        if self.level in {"interval", "ratio"} and self.type not in {"numeric", "star"}:
            raise ValueError(f"only numbers have the level {self.level}")
        return self

    @property
    def measured(self) -> str:
        """The level of measurement: nominal, ordinal, interval or ratio."""
        return self.level or LEVELS[self.type]

    @property
    def gives_verdicts(self) -> bool:
        """Whether some answer says pass or fail; where none does, there is nothing to promote."""
        if self.type == "categorical":
            return bool(self.scores) or bool({"pass", "fail"} & set(self.choices))
        return self.type != "text"

    def grade(self, answer: str) -> tuple[str, float | None]:
        """The label that the answer makes, and its score in [0, 1]; None where it is no verdict.

        Raises:
            ValueError: The form takes no such answer; the text says what it takes.
        """
        said = answer.strip()
        match self.type:
            case "thumbs":
                if said not in VERDICTS:
                    raise ValueError(f"{said!r} is neither pass nor fail")
                return said, VERDICTS[said]
            case "categorical":
                if said not in self.choices:
                    raise ValueError(f"{said!r} is none of {', '.join(self.choices)}")
                return said, (self.scores or VERDICTS).get(said)
            case "star":
                if not said.isdecimal() or not 1 <= int(said) <= self.stars:
                    raise ValueError(f"{said!r} is no number of stars from 1 to {self.stars}")
                return str(int(said)), (int(said) - 1) / (self.stars - 1)
            case "numeric":
                return self._number(said)
        if not said or len(said) > LONGEST_ANSWER:
            raise ValueError(f"an answer in words has 1 to {LONGEST_ANSWER:,} characters")
        return said, None

    def _number(self, said: str) -> tuple[str, float]:
        low, high = sorted((self.worst, self.best))
        try:
            value = float(said.replace(",", "."))
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"{said!r} is no number from {low:g} to {high:g}")
        steps = 0.0 if self.step is None else (value - low) / self.step
        if abs(steps - round(steps)) > 1e-9:
            raise ValueError(f"{said!r} is no step of {self.step:g} from {low:g}")
        return f"{value:.12g}", (value - self.worst) / (self.best - self.worst)
