"""ProTeGi: reasons of failure as "gradients", edits against them, and a beam (arXiv 2305.03495).

Per round and beam member: a batch of training rows, groups of its errors, reasons for each group,
an edit per reason, paraphrases; then a UCB bandit that spends pulls on the promising ones. Unlike
the reference, every arm is pulled once before any is pulled twice, the bonus counts all pulls, arms
see the same rows in the same order, and all chance is seeded.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from typing import Any, ClassVar

from gitloop.optimizers import questions
from gitloop.optimizers.asking import ask_teacher, dice, fail, is_valid, score
from gitloop.optimizers.batches import Batches, Seen, failures
from gitloop.optimizers.editing import Editor, fenced, lines_after
from gitloop.optimizers.parameters import checked, count
from gitloop.protocols import Reply, Search, Task, Wish
from gitloop.records import Candidate

_PARAMETERS = {
    "beam": count("prompts that survive a round", 2),
    "batch": count("training rows per round in which errors are looked for", 20),
    "groups": count("groups of errors per beam member", 2),
    "errors": count("errors in a group", 4),
    "reasons": count("reasons asked for per group", 2),
    "paraphrases": count("paraphrases per beam member", 1, 0),
    "expansions": count("new prompts per beam member at most", 6),
    "pull": count("training rows per pull of the bandit", 5),
    "pulls": count("pulls of the bandit per prompt, on average", 2),
}

_EXPLORATION = 1.0

Made = Generator[Wish, Reply, list[Candidate]]


class ProTeGiOptimizer:
    """Mends the best prompts against the reasons that a teacher gives for their errors."""

    id: ClassVar[str] = "protegi"
    version: ClassVar[str] = "1"
    needs_teacher: ClassVar[bool] = True

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = checked(parameters, _PARAMETERS)

    def search(self, task: Task) -> Search:
        """Round after round: expand the beam, select by bandit, validate the best."""
        batches = Batches(task, self._parameters["batch"], self.id)
        beam = [task.incumbent]
        number = 0
        while True:
            expansion = _Expansion(task, self._parameters, number)
            drawn = batches.draw()
            arms = {candidate.id: candidate for candidate in beam}
            for candidate in beam:
                seen = yield from batches.run(candidate, drawn)
                for made in (yield from expansion.of(candidate, seen)):
                    arms.setdefault(made.id, made)
            ranked = yield from self._selected(task, batches, list(arms.values()), number)
            beam = ranked[: self._parameters["beam"]] or [task.incumbent]
            yield from score(beam[0])
            number += 1

    def _selected(
        self, task: Task, batches: Batches, arms: Sequence[Candidate], number: int
    ) -> Made:
        """The arms, the best first: UCB1 over the same training rows for all."""
        order = sorted(case.item_id for case in task.train)
        dice(task.seed, self.id, "pulls", number).shuffle(order)
        size = self._parameters["pull"]
        bandit = Bandit(len(arms), most=max(1, len(order) // size))
        for _ in range(len(arms) * self._parameters["pulls"]):
            arm = bandit.next()
            if arm is None:
                break
            start = bandit.pulls[arm] * size
            seen = yield from batches.run(arms[arm], tuple(order[start : start + size]))
            rows = [row for _, row in seen]
            if is_valid(rows):
                bandit.tell(arm, sum(row.score or 0.0 for row in rows) / len(rows))
            else:
                bandit.drop(arm)
        return [arms[arm] for arm in bandit.ranked()]


class _Expansion:
    """New prompts out of one, in one round."""

    def __init__(self, task: Task, parameters: Mapping[str, Any], number: int) -> None:
        self._editor = Editor(task)
        self._parameters = parameters
        self._chance = dice(task.seed, "protegi", "expansion", number)

    def of(self, parent: Candidate, seen: Seen) -> Made:
        """Edits against reasons, then paraphrases; without errors there is nothing to mend."""
        size, made = self._parameters["errors"], []
        failed = failures(seen, len(seen))
        self._chance.shuffle(failed)
        for group in range(self._parameters["groups"]):
            part = failed[group * size : (group + 1) * size]
            if part:
                made += yield from self._mended(parent, part)
        for _ in range(self._parameters["paraphrases"] if failed else 0):
            text = questions.paraphrase(self._editor, parent)
            made += yield from self._written(parent, text, "a paraphrase")
        most = self._parameters["expansions"]
        return made if len(made) <= most else self._chance.sample(made, most)

    def _mended(self, parent: Candidate, failed: Seen) -> Made:
        n = self._parameters["reasons"]
        reply = yield from ask_teacher(questions.reasons(self._editor, parent, failed, n))
        reasons = list(dict.fromkeys(lines_after(reply, "Reason")))[:n]
        if not reasons:
            yield from fail(parent, "the teacher gave no reason")
        made = []
        for reason in reasons:
            text = questions.mend(self._editor, parent, reason, failed)
            made += yield from self._written(parent, text, reason)
        return made

    def _written(self, parent: Candidate, question: str, note: str) -> Made:
        text = fenced((yield from ask_teacher(question)))
        if text is None:
            yield from fail(parent, "the teacher wrote no text between fences")
            return []
        return [self._editor.candidate(text, parent, note)]


class Bandit:
    """UCB1 (Auer et al. 2002): whom to pull next, given the mean of each and all pulls.

    Args:
        n: Arms.
        most: Pulls that one arm can take, because the rows end.

    Attributes:
        pulls: Pulls of each arm.
    """

    def __init__(self, n: int, most: int) -> None:
        self.pulls = [0] * n
        self._sums = [0.0] * n
        self._most = most
        self._dropped: set[int] = set()

    def next(self) -> int | None:
        """The arm to pull, the first among equals, or None when all are used up."""
        open_arms = [
            arm
            for arm, pulls in enumerate(self.pulls)
            if pulls < self._most and arm not in self._dropped
        ]
        return max(open_arms, key=self._bound, default=None)

    def tell(self, arm: int, value: float) -> None:
        """Note what a pull gave, in [0, 1]."""
        self.pulls[arm] += 1
        self._sums[arm] += value

    def drop(self, arm: int) -> None:
        """Leave an arm out for good: it failed."""
        self._dropped.add(arm)

    def ranked(self) -> list[int]:
        """The arms that were pulled and did not fail, the best mean first, more pulls first."""
        alive = [arm for arm, n in enumerate(self.pulls) if n and arm not in self._dropped]
        return sorted(alive, key=lambda arm: (-self._mean(arm), -self.pulls[arm], arm))

    def _mean(self, arm: int) -> float:
        return self._sums[arm] / self.pulls[arm]

    def _bound(self, arm: int) -> float:
        if not self.pulls[arm]:
            return math.inf
        bonus = math.sqrt(math.log(sum(self.pulls)) / self.pulls[arm])
        return self._mean(arm) + _EXPLORATION * bonus
