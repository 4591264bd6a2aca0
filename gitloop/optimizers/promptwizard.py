"""PromptWizard: mutate, critique, refine; then examples and a persona (arXiv 2405.18369).

Unlike the reference, every step is scored on rows that all contenders share, and is kept only
where it is better; nothing is accepted unseen, and an unreadable reply loses a step, not the run.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from gitloop.optimizers import questions
from gitloop.optimizers.asking import ask_teacher, dice, fail, is_valid, mean, score
from gitloop.optimizers.batches import Batches, Seen, failures
from gitloop.optimizers.demos import passing, with_demos
from gitloop.optimizers.editing import Editor, fenced, lines_after
from gitloop.optimizers.parameters import checked, count
from gitloop.protocols import Reply, Search, Task, Wish
from gitloop.records import Candidate

_PARAMETERS = {
    "mutations": count("mutations per round", 2, 0),
    "batch": count("training rows that contenders share", 10),
    "errors": count("failed rows that the critique sees", 5),
    "demos": count("examples at most", 4, 0),
}

STYLES = (
    "How can the task be made simpler to solve?",
    "What are the key ideas behind the task, and how can they be stated?",
    "Let us think step by step.",
    "What would an expert take care of here?",
    "What kinds of mistakes are likely, and how can they be ruled out?",
    "How can it be checked that an answer is right?",
    "What must an answer hold, and in which form?",
    "What has to be assumed, and what must not be?",
)
"""Ways of thinking that mutations are written in."""

Tried = Generator[Wish, Reply, Candidate | None]


class PromptWizardOptimizer:
    """Refines the best prompt by critique, and tries examples and a persona beside it."""

    id: ClassVar[str] = "promptwizard"
    version: ClassVar[str] = "1"
    needs_teacher: ClassVar[bool] = True

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = checked(parameters, _PARAMETERS)

    def search(self, task: Task) -> Search:
        """Round after round: refine the wording, then one of persona and examples."""
        wizard = _Wizard(task, self._parameters)
        best = task.incumbent
        best_mean = mean((yield from score(best)))
        number = 0
        while True:
            for step in (wizard.worded, wizard.persona if number % 2 else wizard.shown):
                tried = yield from step(best, number)
                if tried is None:
                    continue
                rows = yield from score(tried)
                if is_valid(rows) and mean(rows) > best_mean:
                    best, best_mean = tried, mean(rows)
            number += 1


class _Wizard:
    """The steps, each of which proposes one candidate or none."""

    def __init__(self, task: Task, parameters: Mapping[str, Any]) -> None:
        self._task, self._parameters = task, parameters
        self._editor = Editor(task)
        self._batches = Batches(task, parameters["batch"], "promptwizard")
        self._persona: str | None = None

    def worded(self, best: Candidate, number: int) -> Tried:
        """The best of mutations and their refinement, where it beats the best so far."""
        drawn = self._batches.draw()
        contenders = [best]
        chance = dice(self._task.seed, "promptwizard", number)
        for style in chance.sample(STYLES, min(self._parameters["mutations"], len(STYLES))):
            question = questions.vary(self._editor, best, style)
            contenders += yield from self._written(best, question, style)
        found = yield from self._ranked(contenders, drawn)
        if not found:
            return None
        leader, seen = found[0]
        refined = yield from self._refined(leader, seen)
        again = yield from self._ranked([*refined, leader], drawn)
        top = again[0][0] if again else leader
        return top if top.id != best.id else None

    def shown(self, best: Candidate, number: int) -> Tried:
        """The best so far with other examples, out of training rows that pass under it."""
        most = min(self._parameters["demos"], self._task.space.demos)
        if not most:
            return None
        seen = yield from self._batches.next(best)
        pool = passing(seen)
        dice(self._task.seed, "promptwizard", "demos", number).shuffle(pool)
        if not pool:
            return None
        return replace(with_demos(best, pool[:most]), note="examples")

    def persona(self, best: Candidate, _number: int) -> Tried:
        """The best so far with an expert's persona in front, in place of the one it had."""
        seen = yield from self._batches.next(best)
        some = failures(seen, self._parameters["errors"])
        reply = yield from ask_teacher(questions.persona(self._editor, best, some))
        said = lines_after(reply, "Persona")
        if not said:
            yield from fail(best, "the teacher described no persona")
            return None
        text = self._editor.text(best)
        kept = text.split("\n")
        if self._persona is not None:
            kept = [line for line in kept if self._persona not in line]
        self._persona = said[0]
        first = f"- {said[0]}" if self._editor.has_slot else said[0]
        return self._editor.candidate("\n".join([first, *kept]), best, "a persona")

    def _refined(self, leader: Candidate, seen: Seen) -> Generator[Wish, Reply, list[Candidate]]:
        failed = failures(seen, self._parameters["errors"])
        if not failed:
            return []
        reply = yield from ask_teacher(questions.critique(self._editor, leader, failed))
        points = lines_after(reply, "Critique")
        if not points:
            yield from fail(leader, "the teacher had no critique")
            return []
        question = questions.mend(self._editor, leader, "\n".join(points), failed)
        return (yield from self._written(leader, question, points[0]))

    def _ranked(
        self, contenders: list[Candidate], drawn: tuple[str, ...]
    ) -> Generator[Wish, Reply, list[tuple[Candidate, Seen]]]:
        """The contenders and how they did on the same rows, the best first; failures left out."""
        found = []
        for contender in contenders:
            seen = yield from self._batches.run(contender, drawn)
            if is_valid([row for _, row in seen]):
                found.append((contender, seen))
        return sorted(found, key=lambda pair: -mean([row for _, row in pair[1]]))

    def _written(
        self, parent: Candidate, question: str, note: str
    ) -> Generator[Wish, Reply, list[Candidate]]:
        text = fenced((yield from ask_teacher(question)))
        if text is None:
            yield from fail(parent, "the teacher wrote no text between fences")
            return []
        return [self._editor.candidate(text, parent, note)]
