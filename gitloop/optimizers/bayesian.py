"""Bayesian search with Optuna: TPE over what a prompt declares, and over its examples.

Nothing is drawn twice, so where the budget covers the declared space every candidate is tried. That
does not depend on the budget: a larger one keeps the prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optuna.samplers import TPESampler

from gitloop.optimizers.asking import score
from gitloop.optimizers.drawing import Choices, Drawing, find_examples
from gitloop.optimizers.parameters import checked, count
from gitloop.protocols import Search, Task

_PARAMETERS = {
    "startup": count("trials drawn at random before TPE is asked", 5),
    "pool": count("examples to choose from at most", 24),
    "shown": count("training rows from which a teacher infers the form of an example", 8, 0),
}


class BayesianOptimizer:
    """Draws from the declared space what TPE expects most of."""

    id: ClassVar[str] = "bayesian"
    version: ClassVar[str] = "2"
    needs_teacher: ClassVar[bool] = False

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = checked(parameters, _PARAMETERS)

    def search(self, task: Task) -> Search:
        """Ask for the validation score of one candidate after the other."""
        own = self._parameters
        pool, form = yield from find_examples(task, self.id, own["pool"], own["shown"])
        choices = Choices(task.incumbent, task.space, pool, form)
        if not choices.is_open:
            return
        drawing = Drawing(choices, task.seed, self.id, self._sampler)
        while (drawn := drawing.next()) is not None:
            draw, candidate = drawn
            drawing.tell(draw, (yield from score(candidate)))

    def _sampler(self, seed: int) -> TPESampler:
        startup = self._parameters["startup"]
        return TPESampler(
            seed=seed, n_startup_trials=startup, multivariate=True, constant_liar=False
        )
