"""Auto: the declared space whole if it fits, else GEPA, then TPE, always with a random control.

TPE draws on top of the best text that GEPA has found so far: so lines, values and examples are
chosen for that text, and what both find adds up.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

from gitloop.arguments import Argument
from gitloop.optimizers.asking import Rows
from gitloop.optimizers.bayesian import BayesianOptimizer, Ground
from gitloop.optimizers.gepa import GepaOptimizer
from gitloop.optimizers.parameters import checked
from gitloop.optimizers.random import RandomOptimizer
from gitloop.protocols import Reply, Search, Task, Wish
from gitloop.records import Ask, Candidate, Question, Space

CONTROL, TAUGHT, DRAWN = "random", "gepa", "bayesian"
_DRAWN_DECLARED, _DRAWN_EXAMPLES = 0.85, 0.3
"""Share of TPE, of what the control leaves: of lines and values, or of examples alone."""

_MOST_IDLE = 30
"""Wishes without anything new after which an arm is given up: the others go on without it."""

_PARAMETERS = {
    "control": Argument(
        "number", "share of the rows for the random control", default=0.1, low=0.05, high=0.5
    ),
}


class AutoOptimizer:
    """Chooses by what the prompt declares, what the budget covers, and whether there is a teacher.

    A larger budget keeps the prefix, but for the one that first covers the declared space.
    """

    id: ClassVar[str] = "auto"
    version: ClassVar[str] = "3"
    needs_teacher: ClassVar[bool] = False

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._control = float(checked(parameters, _PARAMETERS)["control"])

    def search(self, task: Task) -> Search:
        """The declared space first if it fits; then what a teacher or TPE can make of it."""
        n_rows = task.space.size * len(task.val_ids)
        if task.space.size == 1 or n_rows > (1 - self._control) * task.budget:
            yield from self._all_beside(task)
            return
        declared = replace(task, space=replace(task.space, demos=0), has_teacher=False)
        guided = {DRAWN: BayesianOptimizer({}).search(declared)}
        best = yield from self._beside(declared, guided, Ground(task.incumbent))
        rest = replace(task, incumbent=best, space=Space({}, (), task.space.demos))
        yield from self._all_beside(rest)

    def _all_beside(self, task: Task) -> Generator[Wish, Reply, Candidate]:
        ground = Ground(task.incumbent)
        return (yield from self._beside(task, self._guided(task, ground), ground))

    def _guided(self, task: Task, ground: Ground) -> dict[str, Search]:
        guided: dict[str, Search] = {}
        if task.has_teacher and task.train:
            guided[TAUGHT] = GepaOptimizer({}).search(task)
        if task.space.size > 1 or task.space.demos:
            guided[DRAWN] = BayesianOptimizer({}).search_on(task, ground)
        return guided

    def _shares(self, task: Task, guided: Mapping[str, Search]) -> dict[str, float]:
        """What each search has of the rows: where lines or values are declared, TPE has more."""
        drawn = _DRAWN_DECLARED if task.space.size > 1 else _DRAWN_EXAMPLES
        parts = {TAUGHT: 1 - drawn, DRAWN: drawn}
        whole = sum(parts[name] for name in guided)
        return {name: (1 - self._control) * parts[name] / whole for name in guided}

    def _beside(
        self, task: Task, guided: Mapping[str, Search], ground: Ground
    ) -> Generator[Wish, Reply, Candidate]:
        """The searches and the control side by side: the one furthest behind its share goes on.

        Returns:
            The best candidate that was put to the whole validation split.
        """
        shares = self._shares(task, guided)
        arms = [_Arm(name, search, shares[name]) for name, search in guided.items()]
        arms.append(_Arm(CONTROL, RandomOptimizer({}).search(task), self._control))
        best = Ground(task.incumbent)
        try:
            while arms:
                arm = min(arms, key=lambda arm: len(arm.asked) / arm.share)
                wish = arm.start()
                if wish is None or arm.n_idle >= _MOST_IDLE:
                    arms.remove(arm)
                    continue
                reply: Reply = yield wish
                if isinstance(wish, Ask) and wish.split == "val" and wish.row_ids is None:
                    best.offer(wish.candidate, cast("Rows", reply))
                    if arm.name == TAUGHT:
                        ground.offer(wish.candidate, cast("Rows", reply))
                arm.go_on(wish, reply, task.val_ids)
        finally:
            for arm in arms:
                arm.search.close()
        return best.candidate


@dataclass(slots=True)
class _Arm:
    """One of several searches.

    Attributes:
        name: What its asks are marked with.
        search: The search.
        share: Of the rows, in (0, 1].
        asked: (candidate, row) of what it asked about: what is known already is free.
        n_idle: Wishes in a row that brought nothing new.
    """

    name: str
    search: Search
    share: float
    asked: set[tuple[str, str]] = field(default_factory=set)
    n_idle: int = 0
    _pending: Wish | None = None
    _is_started: bool = False

    def start(self) -> Wish | None:
        """The arm's open wish, or None when it has none any more."""
        if not self._is_started:
            self._is_started = True
            self._pending = next(self.search, None)
        wish = self._pending
        return wish if wish is None or isinstance(wish, Question) else replace(wish, arm=self.name)

    def go_on(self, wish: Wish, reply: Reply, val_ids: Sequence[str]) -> None:
        """Send the reply, and keep the next wish."""
        n_before = len(self.asked)
        if isinstance(wish, Ask):
            ids = val_ids if wish.row_ids is None else wish.row_ids
            self.asked |= {(wish.candidate.id, row_id) for row_id in ids}
        self.n_idle = 0 if len(self.asked) > n_before else self.n_idle + 1
        try:
            self._pending = self.search.send(reply)
        except StopIteration:
            self._pending = None
