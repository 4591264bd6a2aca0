"""Why a candidate must not be tried: what it lost, what it invented, what it copied."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitloop.errors import ConfigError
from gitloop.params import Prompt, parse_prompt
from gitloop.records import Candidate

_COPY = 8
"""So many words in a row that are a row's own make a copy of it."""

_WORD = re.compile(r"\w+")


class CandidateCheck:
    """Tells why a candidate must not be tried.

    Args:
        prompt: The prompt as it is.
        texts: Texts of golden rows, which no prompt may learn by heart.
        max_length_ratio: Longest candidate, in lengths of the prompt as it is.
    """

    def __init__(self, prompt: Prompt, texts: Iterable[str], max_length_ratio: float) -> None:
        self._prompt = prompt
        self._longest = max_length_ratio * len(prompt.text())
        own = _phrases(prompt.text()) | {
            phrase for line in prompt.head.lines for phrase in _phrases(line)
        }
        self._phrases = {phrase for text in texts for phrase in _phrases(text)} - own

    def fault(self, candidate: Candidate) -> str:
        """Why the candidate must not be tried, or "".

        Examples are rows of the training split by their nature, so the values that are chosen for
        the prompt's variables may repeat them.
        """
        if any(not line.strip() for line in candidate.instructions):
            return "an instruction is empty"
        changed = self._prompt.changed(candidate)
        if candidate.body is not None and (fault := self._body_fault(changed)):
            return fault
        if lost := changed.lost(self._prompt.head.frozen):
            return f"it lost a frozen part: {lost[0]!r}"
        if len(changed.text()) > self._longest:
            return f"it has more than the {self._longest:.0f} characters of max_length_ratio"
        said = "\n".join((*candidate.instructions, candidate.body or ""))
        copied = _phrases(said) & self._phrases
        return f"it copies a golden row: {min(copied)!r}" if copied else ""

    def _body_fault(self, changed: Prompt) -> str:
        """What is wrong with a rewritten template: its text may change, its code may not."""
        if not changed.body.strip():
            return "the text is empty"
        try:
            parse_prompt(changed.text(), source="candidate")
        except ConfigError as error:
            return error.message
        now, then = self._prompt, changed
        found = (
            *(f"it lost the placeholder {name}" for name in sorted(now.variables - then.variables)),
            *(
                f"it invented the placeholder {name}"
                for name in sorted(then.variables - now.variables)
            ),
            *(f"it brings in code of its own: {part}" for part in sorted(then.code - now.code)),
            *(f"it lost a part of the template: {part}" for part in sorted(now.code - then.code)),
        )
        return found[0] if found else ""


def _phrases(text: str) -> set[str]:
    words = [word.lower() for word in _WORD.findall(text)]
    return {" ".join(words[i : i + _COPY]) for i in range(len(words) - _COPY + 1)}
