"""A labelled repository whose judge is a language model on the loopback, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.endpoints import Endpoint, Reply, endpoint, said
from tests.labelled import RUBRIC, label_all, labelled_repository
from tests.repositories import Repository

PARAMS = """\
seed: 7
labels:
  guidance_version: "1"
# the judge
rubrics:
  grounded:
    version: "1"
    judge:
      use: openai
      model: judge-1
      parameters: {{base_url: "{url}"}}
optimize:
  teacher: {{use: openai, parameters: {{model: teacher-1, base_url: "{url}"}}}}
"""

ASKED = RUBRIC.replace(
    "scorer:\n",
    "scorer:\n  openai:\n    instructions: |\n"
    "      Pass when the answer is polite.\n"
    "      Fail when it names an office.\n",
)

REASON = "The answer is polite."

Score = Callable[[str], float]
"""The whole text that the judge is shown → its score."""

Teach = Callable[[str], str]
"""The question → what the teacher says."""


def silent(_question: str) -> str:
    """A teacher with nothing to say."""
    return "I would leave it as it is."


@contextmanager
def judged_repository(
    root: Path, score: list[Score], n: int = 60, teach: Teach = silent
) -> Iterator[Repository]:
    """Sixty labelled traces, every second one invented, and a model that scores as told.

    Args:
        root: Where to make it.
        score: Its last item scores; a test may append another, and the judge has changed.
        n: Traces.
        teach: What the teacher says.
    """

    def respond(payload: dict[str, Any], _nth: int) -> Reply:
        shown = "\n".join(message["content"] for message in payload["messages"])
        if payload["model"] == "teacher-1":
            return said(teach(shown))
        return said(json.dumps({"reason": REASON, "score": score[-1](shown)}))

    with endpoint(respond) as found:
        repository = labelled_repository(root, n, ASKED)
        write_judge(repository, found)
        label_all(repository, n)
        yield repository


def write_judge(repository: Repository, found: Endpoint) -> None:
    """Pin the model as the judge, and commit."""
    files = {"params.yaml": PARAMS.format(url=found.url), "rubrics/grounded.yaml": ASKED}
    repository.gen(files, commit="Ask a model")
