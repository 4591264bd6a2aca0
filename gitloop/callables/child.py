"""The child process of `gitloop.callables`: imports one function and answers calls, line by line.

Run as a script, with the standard library alone: `child.py ROOT MODULE FUNCTION`. Each line of
stdin is a JSON list of arguments; each line of stdout is {"status", "value"} or {"status",
"error"}. The first line tells whether the import went well. What the function prints goes to
stderr.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def _serve(root: str, module: str, function: str) -> None:
    # What the function, or anything below it, prints or reads never meets requests and answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def tell(**answer: Any) -> None:  # noqa: ANN401 -- JSON holds anything
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    sys.path.insert(0, root)
    try:
        called = getattr(importlib.import_module(module), function)
    except BaseException as error:  # noqa: BLE001 -- a user's module may raise anything, SystemExit too
        tell(status="error", error=f"{module} cannot be imported: {_words(error)}")
        return
    tell(status="ok")
    for line in requests:
        try:
            answer = json.dumps({"status": "ok", "value": called(*json.loads(line))})
        except Exception as error:  # noqa: BLE001 -- a user's function may raise anything
            tell(status="error", error=_words(error))
        else:
            answers.write(answer + "\n")
            answers.flush()


def _words(error: BaseException) -> str:
    """The exception's kind and words on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


if __name__ == "__main__":
    _serve(*sys.argv[1:4])
