"""MetaPrompt: a teacher that sees how training rows went, and what it tried before.

After LangChain's promptim (rounds of diagnosis, hypothesis and rewrite that restart from the best)
with the score history of OPRO (arXiv 2309.03409). The last rewrite is always scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gitloop.optimizers import questions
from gitloop.optimizers.asking import ask_teacher, fail, is_valid, mean, score
from gitloop.optimizers.batches import Batches
from gitloop.optimizers.editing import Editor, fenced, lines_after
from gitloop.optimizers.parameters import checked, count
from gitloop.protocols import Search, Task

_PARAMETERS = {
    "batch": count("training rows that the teacher sees per round", 10),
    "memory": count("earlier attempts that the teacher is told of", 5, 0),
}


class MetaPromptOptimizer:
    """Rewrites the best prompt so far, and keeps a rewrite that validates better."""

    id: ClassVar[str] = "metaprompt"
    version: ClassVar[str] = "1"
    needs_teacher: ClassVar[bool] = True

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = checked(parameters, _PARAMETERS)

    def search(self, task: Task) -> Search:
        """Round after round: a batch under the best prompt, a rewrite, its validation score."""
        editor = Editor(task)
        batches = Batches(task, self._parameters["batch"], self.id)
        best = task.incumbent
        best_mean = mean((yield from score(best)))
        attempts: list[str] = []
        while True:
            seen = yield from batches.next(best)
            memory = self._parameters["memory"]
            told = attempts[-memory:] if memory else []
            reply = yield from ask_teacher(questions.rewrite(editor, best, seen, told))
            text = fenced(reply)
            thought = (lines_after(reply, "Hypothesis") or ["no hypothesis"])[0]
            if text is None:
                yield from fail(best, "the teacher wrote no text between fences")
                continue
            tried = editor.candidate(text, best, thought)
            rows = yield from score(tried)
            found = mean(rows)
            is_better = is_valid(rows) and found > best_mean
            verdict = "kept" if is_better else "dropped"
            attempts.append(f"{thought}: {best_mean:.3f} → {found:.3f}, {verdict}")
            if is_better:
                best, best_mean = tried, found
