"""Judges, rubrics and targets, pinned: what params.yaml says of each."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gitloop.params.strict import Strict


class JudgePin(Strict):
    """The judge of a rubric and its pins.

    Attributes:
        use: Judge kind: local, python, recorded, or a plug-in's name.
        version: Must equal the plug-in's.
        model: Model name, where the kind has one.
        parameters: Sampling parameters, the callable, the table: whatever the kind takes.
        span: Raised where `gitloop judge drift` finds that the judge changed behind its pins:
            scores of one span do not compare with those of another.
    """

    use: str = "local"
    version: str = "1"
    model: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    span: int = Field(default=1, ge=1)


class RubricPin(Strict):
    """A rubric in use.

    Attributes:
        version: Must equal the rubric file's.
        judge: Who scores it.
        threshold: Line that a review decided on, in place of the best of the curve; null lets
            `calibrate` choose.
    """

    version: str
    judge: JudgePin = JudgePin()
    threshold: float | None = Field(default=None, ge=0, le=1)


class Target(Strict):
    """The application under test and its pins.

    Attributes:
        use: Target kind: python, command, recorded, or a plug-in's name.
        version: Version of the application, as its owners name it.
        callable: "module:function", for python. The module is found from the repository's root.
        command: Argument list, for command. One JSON row on stdin, one JSON answer on stdout.
        table: Parquet table of outputs, for recorded.
        prompt: Prompt file.
        parameters: Whatever else the kind takes.
        timeout_s: Seconds for one row.
        deterministic: Whether the same row always gets the same answer.
    """

    use: str = "python"
    version: str = "1"
    callable: str | None = None
    command: tuple[str, ...] = ()
    table: str | None = None
    prompt: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float = Field(default=60.0, gt=0)
    deterministic: bool = True
