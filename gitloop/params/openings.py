"""What an optimizer may change about a prompt, as its front matter or optimize.yaml says."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from pydantic import Field, field_validator, model_validator

from gitloop.params.strict import Strict

OPTIMIZE_FILE = "prompts/optimize.yaml"

Scalar = str | bool | int | float
_MOST_STEPS = 1000


class Ladder(Strict):
    """Numbers from `low` to `high`, a step apart.

    Attributes:
        low: The first.
        high: The last is at most this.
        step: Between two neighbours, > 0; whole numbers stay whole.
    """

    low: int | float
    high: int | float
    step: int | float = Field(default=1, gt=0)

    @model_validator(mode="after")
    def _rises(self) -> Ladder:
        if self.high < self.low:
            raise ValueError(f"high ({self.high}) is below low ({self.low})")
        if (self.high - self.low) / self.step > _MOST_STEPS:
            raise ValueError(f"it has more than {_MOST_STEPS} steps; a larger step makes fewer")
        return self

    @property
    def numbers(self) -> tuple[int | float, ...]:
        """The numbers, the decimals that they are written as."""
        low, high, step = (Decimal(str(value)) for value in (self.low, self.high, self.step))
        found = [low + step * n for n in range(int((high - low) / step) + 1)]
        is_whole = all(isinstance(value, int) for value in (self.low, self.step))
        return tuple(int(value) if is_whole else float(value) for value in found)


class Openings(Strict):
    """A prompt's entry in optimize.yaml: what its front matter may say as well.

    Attributes:
        space: Template variable → the values that an optimizer may choose from.
        parameter_space: Model parameter → the values that an optimizer may choose from.
        parameter_ranges: Model parameter → the numbers that an optimizer may choose from.
        lines: Instructions that an optimizer may add to `instructions`.
        demos: Most examples that an optimizer may put into `{{ demos }}`, out of training rows.
        frozen: Parts of the body or of the instructions that no optimizer may touch, verbatim.
    """

    space: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    parameter_space: dict[str, tuple[Scalar, ...]] = Field(default_factory=dict)
    parameter_ranges: dict[str, Ladder] = Field(default_factory=dict)
    lines: tuple[str, ...] = ()
    demos: int = Field(default=0, ge=0, le=32)
    frozen: tuple[str, ...] = ()

    @field_validator("space", "parameter_space")
    @classmethod
    def _has_choices(cls, space: dict[str, tuple[Scalar, ...]]) -> dict[str, tuple[Scalar, ...]]:
        if empty := [name for name, options in space.items() if not options]:
            raise ValueError(f"{empty[0]} has no value to choose from")
        return space

    @property
    def parameter_values(self) -> dict[str, tuple[Any, ...]]:
        """Model parameter → its values, each once; numbers rise."""
        listed = {name: tuple(dict.fromkeys(own)) for name, own in self.parameter_space.items()}
        ranges = {name: ladder.numbers for name, ladder in self.parameter_ranges.items()}
        found = {**listed, **ranges}
        return {
            name: tuple(sorted(options)) if are_numbers(options) else options
            for name, options in sorted(found.items())
        }


def are_numbers(options: Iterable[Any]) -> bool:
    """Whether all options are numbers, which are near to each other or far apart."""
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in options)


class OptimizeFile(Strict):
    """prompts/optimize.yaml: another home for what an optimizer may change.

    Attributes:
        prompts: Prompt name → what its front matter might say as well; a key stands in one of them.
    """

    prompts: dict[str, Openings] = Field(default_factory=dict)
