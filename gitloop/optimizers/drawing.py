"""A declared space in the terms of Optuna, drawn from without drawing anything twice.

Values are categories, numbers are steps of a ladder, lines and examples are inclusion bits: an
integer that seeds a shuffle of examples is a hash, from which TPE can learn nothing. Each draw has
a sampler of its own, seeded by its number, so a search that was stopped and started again draws
what it would have drawn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import Trial as Draw
from optuna.trial import TrialState

from gitloop.optimizers import questions
from gitloop.optimizers.asking import ask_teacher, dice
from gitloop.optimizers.batches import Batches
from gitloop.optimizers.demos import FORM, Demo, is_form, passing, with_demos
from gitloop.optimizers.editing import Editor, fenced
from gitloop.params import are_numbers
from gitloop.protocols import Reply, Task, Wish
from gitloop.records import Candidate, Space

_IN, _OUT = "in", "out"
_ATTEMPTS = 8
"""Draws of what is known already, after which something new is looked for by other means."""
_STEPS = 64
"""Steps away from what is known already, after which a space counts as used up."""
_SMALL = 4096
"""Spaces up to this size are looked through for what is not drawn yet."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be chosen: the declared space, and the examples that there are.

    Attributes:
        incumbent: The prompt as it is.
        space: What it declares.
        pool: Training rows that may be shown as examples.
        form: The form in which they are shown.
    """

    incumbent: Candidate
    space: Space
    pool: Sequence[Demo] = ()
    form: str = FORM

    @property
    def is_open(self) -> bool:
        """Whether there is anything to choose."""
        return self.space.size > 1 or bool(self.pool)

    def of_incumbent(self) -> dict[str, Any]:
        """The draw that makes the prompt as it is, as far as the space holds it."""
        values, numbers = dict(self.incumbent.values), dict(self.incumbent.parameters)
        found: dict[str, Any] = {}
        for name, options in self.space.values.items():
            if values.get(name, options[0]) in options:
                found[f"value:{name}"] = values.get(name, options[0])
        for name, steps in self.space.parameters.items():
            if numbers.get(name, steps[0]) in steps:
                found[f"parameter:{name}"] = steps.index(numbers.get(name, steps[0]))
        return found | self._bits(0) | {f"demo:{demo.row_id}": _OUT for demo in self.pool}

    def candidate(self, draw: Draw) -> Candidate:
        """The candidate that a draw describes; of too many examples the first ones are kept."""
        space = self.space
        values = {
            name: str(draw.suggest_categorical(f"value:{name}", options))
            for name, options in sorted(space.values.items())
        }
        parameters = {
            name: steps[_step(draw, f"parameter:{name}", steps)]
            for name, steps in sorted(space.parameters.items())
        }
        lines = [
            line
            for n, line in enumerate(space.lines)
            if draw.suggest_categorical(f"line:{n}", (_OUT, _IN)) == _IN
        ]
        shown = [
            demo
            for demo in self.pool
            if draw.suggest_categorical(f"demo:{demo.row_id}", (_OUT, _IN)) == _IN
        ]
        made = replace(
            self.incumbent,
            instructions=tuple(dict.fromkeys((*self.incumbent.instructions, *lines))),
            values=tuple(sorted({**dict(self.incumbent.values), **values}.items())),
            parameters=tuple(sorted({**dict(self.incumbent.parameters), **parameters}.items())),
        )
        return with_demos(made, shown[: space.demos], self.form) if shown else made

    def every(self) -> list[dict[str, Any]]:
        """Every draw of the space, examples aside."""
        named = [(f"value:{name}", options) for name, options in sorted(self.space.values.items())]
        numbers = sorted(self.space.parameters.items())
        ladders = [(f"parameter:{name}", range(len(steps))) for name, steps in numbers]
        names = [name for name, _ in (*named, *ladders)]
        chosen = product(*(options for _, options in (*named, *ladders)))
        return [
            dict(zip(names, one, strict=True)) | self._bits(bits)
            for one in chosen
            for bits in range(1 << len(self.space.lines))
        ]

    def _bits(self, bits: int) -> dict[str, str]:
        lines = range(len(self.space.lines))
        return {f"line:{n}": _IN if bits >> n & 1 else _OUT for n in lines}


class Drawing:
    """One search's draws: nothing twice, as long as there is anything new.

    Args:
        choices: What may be chosen.
        seed: Of all chance.
        name: Keeps the chance of one optimizer apart from another's.
        sampler: Makes the sampler of a draw out of its seed.
    """

    def __init__(
        self, choices: Choices, seed: int, name: str, sampler: Callable[[int], BaseSampler]
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._choices, self._seed, self._name, self._sampler = choices, seed, name, sampler
        self._study = optuna.create_study(direction="maximize")
        self._drawn: set[str] = set()
        self._left: list[dict[str, Any]] | None = None
        self._number = 0

    def next(self, ground: Candidate | None = None) -> tuple[Draw, Candidate] | None:
        """A draw and its candidate, the prompt as it is first; None when all are drawn.

        Args:
            ground: The text that is drawn on top of from now on.
        """
        if ground is not None and ground.id != self._choices.incumbent.id:
            self._choices, self._left = replace(self._choices, incumbent=ground), None
        if not self._number:
            self._study.enqueue_trial(self._choices.of_incumbent())
        for _ in range(_ATTEMPTS):
            draw, candidate = self._draw()
            if candidate.id not in self._drawn:
                self._drawn.add(candidate.id)
                return draw, candidate
            self._study.tell(draw, state=TrialState.FAIL)
        return self._rest() or self._near(draw)

    def tell(self, draw: Draw, value: float | None) -> None:
        """Note what came of a draw; what failed is told as failed, never as a low score."""
        if value is None:
            self._study.tell(draw, state=TrialState.FAIL)
        else:
            self._study.tell(draw, value)

    def _draw(self) -> tuple[Draw, Candidate]:
        own = dice(self._seed, self._name, self._number).getrandbits(31)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "experimental" arguments, whose values we pin
            self._study.sampler = self._sampler(own)
        self._number += 1
        draw = self._study.ask()
        return draw, self._choices.candidate(draw)

    def _rest(self) -> tuple[Draw, Candidate] | None:
        """What was never drawn of a small space, in an order that the seed decides."""
        if self._left is None:
            self._left = self._choices.every() if self._choices.space.size <= _SMALL else []
            dice(self._seed, self._name, "rest").shuffle(self._left)
        while self._left:
            self._study.enqueue_trial(self._left.pop())
            draw, candidate = self._draw()
            if candidate.id not in self._drawn:
                self._drawn.add(candidate.id)
                return draw, candidate
            self._study.tell(draw, state=TrialState.FAIL)
        return None

    def _near(self, draw: Draw) -> tuple[Draw, Candidate] | None:
        """What was never drawn near a draw that was: one choice after the other is made anew."""
        for _ in range(_STEPS):
            params = dict(draw.params)
            chance = dice(self._seed, self._name, "near", self._number)
            name = chance.choice(sorted(params))
            params[name] = chance.choice(_other(draw.distributions[name], params[name]))
            self._study.enqueue_trial(params)
            draw, candidate = self._draw()
            if candidate.id not in self._drawn:
                self._drawn.add(candidate.id)
                return draw, candidate
            self._study.tell(draw, state=TrialState.FAIL)
        return None


def find_examples(
    task: Task, most: int, shown: int
) -> Generator[Wish, Reply, tuple[list[Demo], str]]:
    """Training rows that pass under the incumbent, and their form; `yield from` it.

    Args:
        task: Whose rows.
        most: Examples to choose from at most.
        shown: Rows from which a teacher infers the form; 0 keeps the plain one.
    """
    if not task.space.demos or not task.train:
        return [], FORM
    seen = yield from Batches(task, len(task.train), "examples").next(task.incumbent)
    pool = passing(seen)[:most]
    if not (task.has_teacher and pool and shown):
        return pool, FORM
    text = questions.example_form(Editor(task), task.incumbent, seen[:shown])
    form = fenced((yield from ask_teacher(text)))
    return pool, form if form is not None and is_form(form) else FORM


def _other(options: BaseDistribution, value: Any) -> list[Any]:  # noqa: ANN401 -- of any type
    """The options but this one, or this one where there is no other."""
    every: list[Any] = [value]
    if isinstance(options, CategoricalDistribution):
        every = list(options.choices)
    elif isinstance(options, IntDistribution):
        every = list(range(options.low, options.high + 1))
    return [option for option in every if option != value] or [value]


def _step(draw: Draw, name: str, steps: Sequence[Any]) -> int:
    """Which step of a parameter: numbers are near to each other, names are not."""
    if are_numbers(steps):
        return draw.suggest_int(name, 0, len(steps) - 1)
    return int(draw.suggest_categorical(name, tuple(range(len(steps)))))
