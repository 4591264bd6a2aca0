"""What plug-ins are: judges, targets, sources, embedders, optimizers and renderers.

A plug-in is a class behind an entry point (`gitloop.judges`, `gitloop.targets`, …); the built-ins
are registered the same way. It states `id` and `version`, which go into every row and key.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import polars as pl

from gitloop.params import JudgePin, Prompt, Rubric
from gitloop.params import Target as TargetPin
from gitloop.records import (
    Answer,
    Ask,
    Candidate,
    Case,
    Failure,
    Judgement,
    Question,
    RowScore,
    Space,
)


class Progress(Protocol):
    """Is told how far a step has come. Never fails, never uses stdout."""

    def __call__(self, what: str, done: int, total: int, usd: float = 0.0, /) -> None:
        """So many of so many are done, and this run has spent so many US dollars so far."""


def silent(what: str, done: int, total: int, usd: float = 0.0, /) -> None:
    """Tell nobody."""


class Judge(Protocol):
    """Scores outputs against one rubric.

    Constructed as `plugin(rubric, pin, root)`; raises `ConfigError` where the rubric's form or the
    pin does not fit. Scores lie in [0, 1], higher is better. A case it cannot take is a `Judgement`
    with a status other than "ok", never a low score. A judge whose calls run side by side may have
    a method `stream(requests)` that yields each answer with its place, as they come; one that is
    shown things in an order, `reordered(rubric)`, the rubric with that order turned around. A judge
    that reads a file of the repository whose digest no pin holds names it in `files`; one whose
    requests cost money has a method `estimate(request)`: tokens read, most tokens written, most
    US dollars.
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


class Panel(Protocol):
    """A judge that asks others, each by its own calls, and says what their judgements come to."""

    members: Sequence[Judge]

    def combine(self, judgements: Sequence[Judgement]) -> Judgement:
        """What the members' judgements of one case come to, in the members' order."""


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
    """Reads traces and feedback from a file of another tool.

    `columns` maps our column → theirs (a column's name, or a span attribute's), or our column →
    "=constant" for rows that have no value of their own. All batches are read before anything is
    written; the last act of an iterator is to raise `TableError` with every fault of the file.
    """

    id: ClassVar[str]
    version: ClassVar[str]
    reads_attributes: ClassVar[bool]
    """Whether it reads spans, whose attributes params.yaml may name, rather than plain columns."""

    def accepts(self, path: Path, head: bytes) -> bool:
        """Whether the file looks like this format, judged by its name and first 64 KiB."""

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`; none where the file holds no trace."""

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`; none where the file holds no event."""


class Embedder(Protocol):
    """Turns texts into vectors on this machine, or finds vectors that were computed before.

    Constructed as `plugin(dimensions=…, root=…, **parameters)`; raises `ConfigError` where they do
    not fit.
    """

    id: ClassVar[str]
    version: ClassVar[str]
    dimensions: int
    """Length of a vector, as params.yaml pins it."""

    def embed(self, texts: Sequence[str], trace_ids: Sequence[str]) -> np.ndarray:
        """Float32 (n_texts, dimensions); the same texts, the same bytes.

        `trace_ids` name the trace that each text stands for.
        """


@runtime_checkable
class RemoteEmbedder(Protocol):
    """Turns texts into vectors by calls to a server, which are recorded like a judge's."""

    id: ClassVar[str]
    version: ClassVar[str]
    dimensions: int

    def request(self, text: str) -> dict[str, Any]:
        """Everything that decides the vector, as JSON values. No key, header or host."""

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """One answer per request, in order."""

    def stream(self, requests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Answer]]:
        """Each answer with its place, as they come."""

    def vectors(self, answers: Sequence[Answer]) -> np.ndarray:
        """The vectors in good answers, float32 (n, d)."""


Wish = Ask | Question | Failure
"""What an optimizer yields: a candidate to score, a question to its teacher, or a failure."""

Reply = Sequence[RowScore] | str | None
"""What it is sent: one score per row asked for, the teacher's words or None where it failed."""

Search = Generator[Wish, Reply, None]
"""An optimizer at work."""


@dataclass(frozen=True, slots=True)
class Task:
    """What an optimizer is given: never a model, a file, a clock, or a row of the holdout.

    Attributes:
        prompt: The prompt file as it is.
        incumbent: The same as a candidate.
        space: What the prompt declares as open to choice.
        seed: Where all chance comes from.
        budget: Rows that may be scored.
        train: The training rows, which may be read and shown.
        val_ids: The ids of the validation rows, which may be scored and never read.
        has_teacher: Whether questions get an answer.
    """

    prompt: Prompt
    incumbent: Candidate
    space: Space
    seed: int
    budget: int
    train: tuple[Case, ...] = ()
    val_ids: tuple[str, ...] = ()
    has_teacher: bool = False


class Optimizer(Protocol):
    """Searches for a better prompt: a generator over one shared evaluator and one teacher.

    It yields wishes and is sent the replies. All its chance comes from the task's seed, so the same
    replies lead to the same wishes. The budget is kept by who drives it: the generator is closed
    when the budget is spent.
    """

    id: ClassVar[str]
    version: ClassVar[str]
    needs_teacher: ClassVar[bool]
    """Whether it cannot work without a teacher."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        """Get ready; raises `ConfigError` for parameters that do not fit."""

    def search(self, task: Task) -> Search:
        """Ask about candidates, the most promising first."""


class Renderer(Protocol):
    """Renders the value of a `--format`."""

    id: ClassVar[str]
    version: ClassVar[str]

    def render(self, value: Mapping[str, Any]) -> str:
        """The value, a JSON-like mapping with a `schema` key, as text."""
