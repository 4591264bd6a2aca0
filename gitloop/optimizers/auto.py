"""Auto: the whole space where the budget covers it, else GEPA and TPE, beside a random control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from gitloop.arguments import Argument
from gitloop.optimizers.bayesian import BayesianOptimizer, fits
from gitloop.optimizers.gepa import GepaOptimizer
from gitloop.optimizers.parameters import checked
from gitloop.optimizers.random import RandomOptimizer
from gitloop.protocols import Reply, Search, Task, Wish
from gitloop.records import Ask, Question

CONTROL = "random"

_PARAMETERS = {
    "control": Argument(
        "number", "share of the rows for the random control", default=0.15, low=0.05, high=0.5
    ),
}


class AutoOptimizer:
    """Chooses by what the prompt declares and whether there is a teacher."""

    id: ClassVar[str] = "auto"
    version: ClassVar[str] = "1"
    needs_teacher: ClassVar[bool] = False

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._control = float(checked(parameters, _PARAMETERS)["control"])

    def search(self, task: Task) -> Search:
        """Several searches side by side: the one furthest behind its share goes on.

        Which one that is depends on what was asked so far and never on the budget, so a larger
        budget keeps the prefix.
        """
        if fits(task):
            yield from BayesianOptimizer({}).search(task)
            return
        guided: dict[str, Search] = {}
        if task.has_teacher:
            guided["gepa"] = GepaOptimizer({}).search(task)
        if task.space.size > 1 or task.space.demos:
            guided["bayesian"] = BayesianOptimizer({}).search(task)
        share = (1 - self._control) / max(1, len(guided))
        arms = [_Arm(name, search, share) for name, search in guided.items()]
        arms.append(_Arm(CONTROL, RandomOptimizer({}).search(task), self._control))
        try:
            while arms:
                arm = min(arms, key=lambda arm: arm.n_rows / arm.share)
                wish = arm.start()
                if wish is None:
                    arms.remove(arm)
                    continue
                reply: Reply = yield wish
                arm.go_on(wish, reply, len(task.val_ids))
        finally:
            for arm in arms:
                arm.search.close()


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
