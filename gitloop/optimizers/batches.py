"""Batches of training rows: epochs in shuffled order, shared by all candidates of a round."""

from __future__ import annotations

from collections.abc import Generator

from gitloop.optimizers.asking import dice, score
from gitloop.protocols import Reply, Task, Wish
from gitloop.records import Candidate, Case, RowScore

Seen = list[tuple[Case, RowScore]]


class Batches:
    """Hands out training rows, every row once before any row twice.

    Args:
        task: Whose rows.
        size: Rows in a batch, at most.
        name: Keeps the chance of one optimizer apart from another's.
    """

    def __init__(self, task: Task, size: int, name: str) -> None:
        self._train = {case.item_id: case for case in task.train}
        self._size = size
        self._seed, self._name = task.seed, name
        self._epoch = 0
        self._left: list[str] = []

    def draw(self) -> tuple[str, ...]:
        """The ids of the next batch; () where there are no training rows."""
        if len(self._left) < min(self._size, len(self._train)):
            order = sorted(self._train)
            dice(self._seed, self._name, "epoch", self._epoch).shuffle(order)
            self._left += [row_id for row_id in order if row_id not in self._left]
            self._epoch += 1
        drawn, self._left = self._left[: self._size], self._left[self._size :]
        return tuple(drawn)

    def run(self, candidate: Candidate, row_ids: tuple[str, ...]) -> Generator[Wish, Reply, Seen]:
        """How the candidate does on these rows; `yield from` it."""
        if not row_ids:
            return []
        rows = yield from score(candidate, "train", row_ids)
        return [(self._train[row.row_id], row) for row in rows]

    def next(self, candidate: Candidate) -> Generator[Wish, Reply, Seen]:
        """How the candidate does on the next batch; `yield from` it."""
        return (yield from self.run(candidate, self.draw()))


def failures(seen: Seen, most: int) -> Seen:
    """The rows that did not pass, the worst first."""
    failed = [(case, row) for case, row in seen if row.score is not None and row.score < 1.0]
    return sorted(failed, key=lambda pair: pair[1].score or 0.0)[:most]
