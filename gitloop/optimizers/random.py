"""Random search with Optuna: the control that every other optimizer has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optuna.samplers import RandomSampler

from gitloop.optimizers import questions
from gitloop.optimizers.asking import ask_teacher, fail, score
from gitloop.optimizers.drawing import Choices, Drawing, find_examples
from gitloop.optimizers.editing import Editor, fenced
from gitloop.optimizers.parameters import checked, count
from gitloop.protocols import Search, Task

_PARAMETERS = {"pool": count("examples to choose from at most", 24, 0)}


class RandomOptimizer:
    """Tries candidates without looking at scores or reasons.

    From a declared space it draws, each candidate at most once. Where no values or lines are
    declared, it has the teacher vary the prompt as it is, without telling it how any row went, and
    draws examples beside.
    """

    id: ClassVar[str] = "random"
    version: ClassVar[str] = "3"
    needs_teacher: ClassVar[bool] = False

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._pool = int(checked(parameters, _PARAMETERS)["pool"])

    def search(self, task: Task) -> Search:
        """Ask for the validation score of one candidate after the other."""
        pool, form = yield from find_examples(task, self._pool, 0)
        choices = Choices(task.incumbent, task.space, pool, form)
        drawing = Drawing(choices, task.seed, self.id, RandomSampler)
        if task.space.size > 1 or not task.has_teacher:
            if not choices.is_open:
                return
            while (drawn := drawing.next()) is not None:
                yield from score(drawn[1])
        else:
            yield from _vary(task, choices, drawing)


def _vary(task: Task, choices: Choices, drawing: Drawing) -> Search:
    editor = Editor(task)
    while True:
        drawn = drawing.next() if choices.pool else None
        parent = drawn[1] if drawn else task.incumbent
        text = fenced((yield from ask_teacher(questions.vary(editor, task.incumbent))))
        if text is None:
            yield from fail(task.incumbent, "the teacher wrote no text between fences")
        else:
            yield from score(editor.candidate(text, parent, "a variation"))
