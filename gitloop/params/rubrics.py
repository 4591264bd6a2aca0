"""A rubric: what is scored and how. One file `rubrics/<name>.yaml`; name and version."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import Field

from gitloop.documents import parse
from gitloop.params.forms import LabelForm
from gitloop.params.strict import Strict, validate

INPUTS = ("input", "context", "output", "reference")


class Rubric(Strict):
    """What is scored and how (DESIGN.md §4).

    Attributes:
        name: Equal to the file's stem.
        version: Bumped whenever anything below changes.
        description: One line for people.
        scale: What its scores are: 0 or 1, anything between, or an ordered few.
        requires: Fields of the row without which it cannot be judged.
        floor: Lowest acceptable pass rate in [0, 1] on a golden set, or none.
        noise_floor: Smallest difference in pass rate that means anything, [0, 1].
        threshold: Score at which an output passes, until `calibrate` finds a better one.
        pass_from: Least score that counts as a pass where people give ratings instead of verdicts:
            of ratings 1 to 4, normalised to [0, 1], 0.8 lets 4 pass and 3 fail.
        guidance: What annotators are told; its headings, or its paragraphs, are its sections.
        label: How annotators answer.
        scorer: Judge kind → how that kind of judge scores it.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    version: str = Field(min_length=1, max_length=64)
    description: str = ""
    scale: Literal["binary", "continuous", "ordinal"] = "continuous"
    requires: tuple[Literal["input", "context", "output", "reference"], ...] = ("output",)
    floor: float | None = Field(default=None, ge=0, le=1)
    noise_floor: float = Field(default=0.03, ge=0, le=1)
    threshold: float = Field(default=0.5, ge=0, le=1)
    pass_from: float = Field(default=0.5, gt=0, le=1)
    guidance: str = ""
    label: LabelForm = LabelForm()
    scorer: dict[str, dict[str, Any]] = Field(min_length=1)

    @property
    def sha256(self) -> str:
        """Digest of what can change a score: not the description, nor what people do with it."""
        lines = {"floor", "noise_floor", "threshold", "pass_from", "label"}
        content = self.model_dump(exclude={"description", *lines})
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def parse_rubric(text: str, *, source: str) -> Rubric:
    """The rubric in `text`.

    Raises:
        ConfigError: Every fault of the file, each with its line.
    """
    return validate(parse(text, source=source), Rubric)
