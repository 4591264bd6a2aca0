"""What plug-ins are: judges, targets, sources, embedders, optimizers and renderers.

A plug-in is a class behind an entry point (`gitloop.judges`, `gitloop.targets`, …); the built-ins
are registered the same way. It states `id` and `version`, which go into every row and key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import polars as pl

from gitloop.params import JudgePin, Prompt, Rubric
from gitloop.params import Target as TargetPin
from gitloop.records import Answer, Case, Judgement

Progress = Callable[[str, int, int], None]
"""progress(what, done, total): tells how far a step has come. Never fails, never uses stdout."""


def silent(what: str, done: int, total: int) -> None:
    """Tell nobody."""


class Judge(Protocol):
    """Scores outputs against one rubric.

    Constructed as `plugin(rubric, pin, root)`; raises `ConfigError` where the rubric's form or the
    pin does not fit. Scores lie in [0, 1], higher is better. A case it cannot take is a `Judgement`
    with a status other than "ok", never a low score.
    """

    id: ClassVar[str]
    version: ClassVar[str]
    is_pure: ClassVar[bool]
    """Whether a request always gets the same answer, at no cost; then no call is recorded."""

    def __init__(self, rubric: Rubric, pin: JudgePin, root: Path) -> None:
        """Get ready to judge this rubric in this repository."""

    def request(self, case: Case) -> dict[str, Any]:
        """Everything that decides the answer, as JSON values. No key, header, host or threshold."""

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One answer per request, in order; a bad request is an answer with a bad status."""

    def read(self, answer: Answer) -> Judgement:
        """The judgement in an answer."""


class Target(Protocol):
    """The application under test: turns a case into an output.

    Constructed as `plugin(pin, prompt, root)`. An answer's value holds `output`.
    """

    id: ClassVar[str]
    version: ClassVar[str]
    is_pure: ClassVar[bool]

    def __init__(self, pin: TargetPin, prompt: Prompt | None, root: Path) -> None:
        """Get ready to run the application with this prompt."""

    def request(self, case: Case) -> dict[str, Any]:
        """Everything that decides the answer, as JSON values."""

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One answer per request, in order."""


class Source(Protocol):
    """Reads traces and feedback from a file of another tool."""

    id: ClassVar[str]
    version: ClassVar[str]

    def accepts(self, path: Path, head: bytes) -> bool:
        """Whether the file looks like this format, judged by its name and first 64 KiB."""

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`; `columns` maps our name → theirs."""

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`."""


class Embedder(Protocol):
    """Turns texts into vectors."""

    id: ClassVar[str]
    version: ClassVar[str]

    def __init__(self, dimensions: int, parameters: Mapping[str, Any]) -> None:
        """Get ready to embed into this many dimensions."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Float32 (n_texts, ≤ dimensions), rows of unit length; the same texts, the same bytes."""


class Optimizer(Protocol):
    """Proposes prompts: a generator over one shared evaluator.

    Constructed as `plugin(parameters)`; see `core/optimize.py` for what it is given.
    """

    id: ClassVar[str]
    version: ClassVar[str]


class Renderer(Protocol):
    """Renders the value of a `--format`."""

    id: ClassVar[str]
    version: ClassVar[str]

    def render(self, value: Mapping[str, Any]) -> str:
        """The value, a JSON-like mapping with a `schema` key, as text."""
