"""The litellm judge: the openai judge's questions, through litellm, to whatever it reaches.

    judge: {use: litellm, model: bedrock/anthropic.claude-3-haiku-20240307-v1:0}

It reads the same form of a rubric, `scorer.openai`, and needs the extra `gitloop[litellm]`. Keys
are found where litellm looks for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from gitloop.judges.openai import OpenaiJudge
from gitloop.llm import Chats, Settings, open_litellm


class LitellmJudge(OpenaiJudge):
    """Scores by a language model that litellm reaches; needs the extra gitloop[litellm]."""

    id: ClassVar[str] = "litellm"
    version: ClassVar[str] = "1"

    def _open(self, known: Settings, variable: str, root: Path) -> Chats:  # noqa: ARG002 -- litellm has its own keys
        return Chats(lambda: open_litellm(known))
