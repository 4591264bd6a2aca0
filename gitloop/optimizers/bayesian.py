"""Bayesian search with Optuna: TPE over what a prompt declares, and over its examples.

Nothing is drawn twice, so where the budget covers the declared space every candidate is tried. That
does not depend on the budget: a larger one keeps the prefix.

Where the space is not small, a draw races: it is scored on a few validation rows and on a few more,
and goes on only while it keeps up with the best so far on the same rows. So the rows that tell bad
draws apart from good ones are few, and more draws are made of the same budget.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, ClassVar

from optuna.samplers import TPESampler

from gitloop.optimizers.asking import Rows, dice, is_valid, mean, score
from gitloop.optimizers.drawing import Choices, Drawing, find_examples
from gitloop.optimizers.parameters import checked, count
from gitloop.protocols import Reply, Search, Task, Wish
from gitloop.records import Candidate

WHOLE = 32
"""Spaces of up to so many candidates are tried whole, each of them on the whole split."""
_EXPECTED = 128
"""Draws of which TPE takes the one that it expects most of; Optuna's 24 are few among many bits."""

_PARAMETERS = {
    "startup": count("trials drawn at random before TPE is asked", 5),
    "pool": count("examples to choose from at most", 24),
    "shown": count("training rows from which a teacher infers the form of an example", 8, 0),
    "race": count("validation rows after which a draw must keep up; 0 scores each whole", 10, 0),
}


class Ground:
    """What is drawn on top of: a text, which another search may better meanwhile.

    Args:
        candidate: The text.

    Attributes:
        candidate: The best text so far.
        rows: Its validation scores; () before there are any.
    """

    def __init__(self, candidate: Candidate) -> None:
        self.candidate = candidate
        self.rows: Rows = ()

    def offer(self, candidate: Candidate, rows: Rows) -> None:
        """Take a text over where it is better on the whole validation split."""
        if is_valid(rows) and (not self.rows or mean(rows) > mean(self.rows)):
            self.candidate, self.rows = candidate, rows


class BayesianOptimizer:
    """Draws from the declared space what TPE expects most of."""

    id: ClassVar[str] = "bayesian"
    version: ClassVar[str] = "3"
    needs_teacher: ClassVar[bool] = False

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = checked(parameters, _PARAMETERS)

    def search(self, task: Task) -> Search:
        """Ask for the validation score of one candidate after the other."""
        return self.search_on(task, Ground(task.incumbent))

    def search_on(self, task: Task, ground: Ground) -> Search:
        """The same on top of a text that may change; TPE learns what a draw gains over it."""
        own = self._parameters
        pool, form = yield from find_examples(task, own["pool"], own["shown"])
        choices = Choices(task.incumbent, task.space, pool, form)
        if not choices.is_open:
            return
        drawing = Drawing(choices, task.seed, self.id, self._sampler)
        is_small = not pool and task.space.size <= WHOLE
        race = _Race(task, 0 if is_small else own["race"])
        while (drawn := drawing.next(ground.candidate)) is not None:
            draw, candidate = drawn
            value = yield from race.run(candidate, ground)
            drawing.tell(draw, None if value is None else value - mean(ground.rows))

    def _sampler(self, seed: int) -> TPESampler:
        startup = self._parameters["startup"]
        return TPESampler(
            seed=seed,
            n_startup_trials=startup,
            n_ei_candidates=_EXPECTED,
            multivariate=True,
            constant_liar=False,
        )


class _Race:
    """Scores draws on growing parts of the validation split, the same rows in the same order.

    Args:
        task: Whose rows.
        first: Rows after which a draw must keep up, and again after twice as many.
    """

    def __init__(self, task: Task, first: int) -> None:
        order = list(task.val_ids)
        dice(task.seed, "race").shuffle(order)
        self._parts = [order[:n] for n in (first, 2 * first) if 0 < n < len(order)]
        self._best = Ground(task.incumbent)

    def run(self, candidate: Candidate, ground: Ground) -> Generator[Wish, Reply, float | None]:
        """What the candidate scores, or would by its distance to the best; None where it failed."""
        if ground.rows:
            self._best.offer(ground.candidate, ground.rows)
        best = {row.row_id: row for row in self._best.rows}
        for part in self._parts if best else []:
            rows = yield from score(candidate, "val", part)
            behind = mean([best[row_id] for row_id in part]) - mean(rows)
            if not is_valid(rows):
                return None
            if behind > 0:
                return mean(self._best.rows) - behind
        rows = yield from score(candidate)
        self._best.offer(candidate, rows)
        return mean(rows) if is_valid(rows) else None
