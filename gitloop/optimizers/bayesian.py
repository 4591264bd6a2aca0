"""Bayesian search with Optuna: TPE over what a prompt declares, a grid where the budget covers it.

Each trial has a sampler of its own, seeded by its number, so a search that was stopped and started
again draws what it would have drawn. Lines and examples are inclusion bits: an integer that seeds a
shuffle of examples is a hash, from which TPE can learn nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import optuna
from optuna.samplers import TPESampler
from optuna.trial import Trial as Draw
from optuna.trial import TrialState

from gitloop.optimizers import questions
from gitloop.optimizers.asking import ask_teacher, dice, is_valid, mean, score
from gitloop.optimizers.batches import Batches
from gitloop.optimizers.demos import FORM, Demo, is_form, passing, with_demos
from gitloop.optimizers.editing import Editor, fenced
from gitloop.optimizers.parameters import checked, count
from gitloop.optimizers.spaces import candidate_of, shuffled_grid
from gitloop.protocols import Reply, Search, Task, Wish
from gitloop.records import Candidate, Space

_PARAMETERS = {
    "startup": count("trials drawn at random before TPE is asked", 5),
    "pool": count("examples to choose from at most", 24),
    "shown": count("training rows from which a teacher infers the form of an example", 8),
}

_IN, _OUT = "in", "out"


def fits(task: Task) -> bool:
    """Whether the budget covers every candidate of the declared space."""
    is_finite = task.space.size > 1 and not task.space.demos
    return is_finite and task.space.size * len(task.val_ids) <= task.budget


class BayesianOptimizer:
    """Draws from the declared space what TPE expects most of."""

    id: ClassVar[str] = "bayesian"
    version: ClassVar[str] = "1"
    needs_teacher: ClassVar[bool] = False

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = checked(parameters, _PARAMETERS)

    def search(self, task: Task) -> Search:
        """Ask for the validation score of one candidate after the other."""
        if fits(task):
            chance = dice(task.seed, self.id, "grid")
            for candidate in shuffled_grid(task.incumbent, task.space, chance):
                yield from score(candidate)
            return
        pool, form = yield from self._examples(task)
        drawn = _Drawn(task.incumbent, task.space, pool, form)
        if not drawn.is_open:
            return
        yield from self._sample(task, drawn)

    def _sample(self, task: Task, drawn: _Drawn) -> Search:
        """TPE, trial after trial; what failed is told as failed, never as a low score."""
        startup = self._parameters["startup"]
        study = _study()
        rows = yield from score(task.incumbent)
        number = 0
        while True:
            study.sampler = _sampler(task.seed, number, startup)
            if number == 0:
                study.enqueue_trial(drawn.of_incumbent())
            draw = study.ask()
            candidate = drawn.candidate(draw)
            rows = yield from score(candidate)
            if is_valid(rows):
                study.tell(draw, mean(rows))
            else:
                study.tell(draw, state=TrialState.FAIL)
            number += 1

    def _examples(self, task: Task) -> Generator[Wish, Reply, tuple[list[Demo], str]]:
        """Training rows that pass under the incumbent, and the form in which they are shown."""
        if not task.space.demos or not task.train:
            return [], FORM
        batches = Batches(task, len(task.train), self.id)
        seen = yield from batches.next(task.incumbent)
        pool = passing(seen)[: self._parameters["pool"]]
        if not task.has_teacher or not pool:
            return pool, FORM
        some = seen[: self._parameters["shown"]]
        text = questions.example_form(Editor(task), task.incumbent, some)
        form = fenced((yield from ask_teacher(text)))
        return pool, form if form is not None and is_form(form) else FORM


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A space in the terms of Optuna: choices for values, bits for lines and examples."""

    incumbent: Candidate
    space: Space
    pool: Sequence[Demo]
    form: str

    @property
    def is_open(self) -> bool:
        """Whether there is anything to choose."""
        return self.space.size > 1 or bool(self.pool)

    def of_incumbent(self) -> dict[str, str]:
        """The draw that makes the prompt as it is."""
        chosen = dict(self.incumbent.values)
        values = {
            f"value:{name}": chosen.get(name, options[0])
            for name, options in self.space.values.items()
            if chosen.get(name, options[0]) in options
        }
        lines = {f"line:{n}": _OUT for n in range(len(self.space.lines))}
        return values | lines | {f"demo:{demo.row_id}": _OUT for demo in self.pool}

    def candidate(self, draw: Draw) -> Candidate:
        """The candidate that a draw describes; of too many examples the first ones are kept."""
        values = {
            name: str(draw.suggest_categorical(f"value:{name}", options))
            for name, options in sorted(self.space.values.items())
        }
        bits = sum(
            (draw.suggest_categorical(f"line:{n}", (_OUT, _IN)) == _IN) << n
            for n in range(len(self.space.lines))
        )
        shown = [
            demo
            for demo in self.pool
            if draw.suggest_categorical(f"demo:{demo.row_id}", (_OUT, _IN)) == _IN
        ]
        made = candidate_of(self.incumbent, self.space, values, bits)
        if not self.pool:
            return made
        shown = shown[: self.space.demos]
        return with_demos(made, shown, self.form) if shown else replace(made)


def _study() -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="maximize")


def _sampler(seed: int, number: int, startup: int) -> TPESampler:
    """The sampler of one trial."""
    own = dice(seed, "bayesian", number).getrandbits(31)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "experimental" arguments, whose values we pin
        return TPESampler(
            seed=own, n_startup_trials=startup, multivariate=True, constant_liar=False
        )
