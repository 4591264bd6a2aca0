"""Auto: the whole space where it is small, else GEPA and TPE, always beside a random control."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from gitloop.arguments import Argument
from gitloop.optimizers.asking import Rows, is_valid, mean
from gitloop.optimizers.bayesian import BayesianOptimizer
from gitloop.optimizers.gepa import GepaOptimizer
from gitloop.optimizers.parameters import checked, count
from gitloop.optimizers.random import RandomOptimizer
from gitloop.protocols import Reply, Search, Task, Wish
from gitloop.records import Ask, Candidate, Question, Space

CONTROL = "random"

_PARAMETERS = {
    "control": Argument(
        "number", "share of the rows for the random control", default=0.15, low=0.05, high=0.5
    ),
    "grid": count("spaces of up to so many candidates are tried whole before anything else", 32, 0),
}


class AutoOptimizer:
    """Chooses by what the prompt declares and whether there is a teacher.

    No choice depends on the budget, so a larger one keeps the prefix.
    """

    id: ClassVar[str] = "auto"
    version: ClassVar[str] = "2"
    needs_teacher: ClassVar[bool] = False

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        own = checked(parameters, _PARAMETERS)
        self._control, self._grid = float(own["control"]), int(own["grid"])

    def search(self, task: Task) -> Search:
        """The declared space first where it is small; then what a teacher or TPE can make of it."""
        declared = replace(task, space=replace(task.space, demos=0), has_teacher=False)
        if not 1 < task.space.size <= self._grid:
            yield from self._beside(task, self._guided(task))
            return
        guided = {"bayesian": BayesianOptimizer({}).search(declared)}
        best = yield from self._beside(declared, guided)
        rest = replace(task, incumbent=best, space=Space({}, (), task.space.demos))
        yield from self._beside(rest, self._guided(rest))

    def _guided(self, task: Task) -> dict[str, Search]:
        guided: dict[str, Search] = {}
        if task.has_teacher:
            guided["gepa"] = GepaOptimizer({}).search(task)
        if task.space.size > 1 or task.space.demos:
            guided["bayesian"] = BayesianOptimizer({}).search(task)
        return guided

    def _beside(
        self, task: Task, guided: Mapping[str, Search]
    ) -> Generator[Wish, Reply, Candidate]:
        """The searches and the control side by side: the one furthest behind its share goes on.

        Returns:
            The best candidate that was put to the whole validation split.
        """
        share = (1 - self._control) / max(1, len(guided))
        arms = [_Arm(name, search, share) for name, search in guided.items()]
        arms.append(_Arm(CONTROL, RandomOptimizer({}).search(task), self._control))
        best, best_mean = task.incumbent, -1.0
        try:
            while arms:
                arm = min(arms, key=lambda arm: arm.n_rows / arm.share)
                wish = arm.start()
                if wish is None:
                    arms.remove(arm)
                    continue
                reply: Reply = yield wish
                if isinstance(wish, Ask) and wish.split == "val" and wish.row_ids is None:
                    rows = cast("Rows", reply)
                    if is_valid(rows) and mean(rows) > best_mean:
                        best, best_mean = wish.candidate, mean(rows)
                arm.go_on(wish, reply, len(task.val_ids))
        finally:
            for arm in arms:
                arm.search.close()
        return best


@dataclass(slots=True)
class _Arm:
    """One of several searches.

    Attributes:
        name: What its asks are marked with.
        search: The search.
        share: Of the rows, in (0, 1].
        n_rows: Rows that it asked about.
    """

    name: str
    search: Search
    share: float
    n_rows: int = 0
    _pending: Wish | None = None
    _is_started: bool = False

    def start(self) -> Wish | None:
        """The arm's open wish, or None when it has none any more."""
        if not self._is_started:
            self._is_started = True
            self._pending = next(self.search, None)
        wish = self._pending
        return wish if wish is None or isinstance(wish, Question) else replace(wish, arm=self.name)

    def go_on(self, wish: Wish, reply: Reply, n_val: int) -> None:
        """Send the reply, and keep the next wish."""
        if isinstance(wish, Ask):
            self.n_rows += n_val if wish.row_ids is None else len(wish.row_ids)
        try:
            self._pending = self.search.send(reply)
        except StopIteration:
            self._pending = None
