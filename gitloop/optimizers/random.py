"""Random search: the control that every other optimizer has to beat."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from gitloop.optimizers import questions
from gitloop.optimizers.asking import ask_teacher, dice, fail, score
from gitloop.optimizers.editing import Editor, fenced
from gitloop.optimizers.parameters import checked
from gitloop.optimizers.spaces import candidate_of, shuffled_grid
from gitloop.protocols import Search, Task
from gitloop.records import Candidate, Space

_SMALL = 4096
"""Spaces up to this size are walked in shuffled order; larger ones are drawn from."""


class RandomOptimizer:
    """Tries candidates without looking at scores or reasons.

    From a declared space it draws, each candidate at most once. Where nothing is declared, it has
    the teacher vary the prompt as it is, without telling it how any row went.
    """

    id: ClassVar[str] = "random"
    version: ClassVar[str] = "2"
    needs_teacher: ClassVar[bool] = False

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        checked(parameters, {})

    def search(self, task: Task) -> Search:
        """Ask for the validation score of one candidate after the other."""
        if task.space.size > 1:
            return _draw(task)
        return _vary(task)


def _draw(task: Task) -> Search:
    chance = dice(task.seed, "random")
    told = {task.incumbent.id}
    for candidate in _candidates(task.incumbent, task.space, chance):
        if candidate.id not in told:
            told.add(candidate.id)
            yield from score(candidate)


def _vary(task: Task) -> Search:
    editor = Editor(task)
    while task.has_teacher:
        text = fenced((yield from ask_teacher(questions.vary(editor, task.incumbent))))
        if text is None:
            yield from fail(task.incumbent, "the teacher wrote no text between fences")
        else:
            yield from score(editor.candidate(text, task.incumbent, "a variation"))


def _candidates(incumbent: Candidate, space: Space, chance: random.Random) -> Iterator[Candidate]:
    """Candidates of the space, endlessly where it is large."""
    if space.size <= _SMALL:
        yield from shuffled_grid(incumbent, space, chance)
        return
    while True:
        values = {name: chance.choice(space.values[name]) for name in sorted(space.values)}
        yield candidate_of(incumbent, space, values, chance.getrandbits(len(space.lines)))
