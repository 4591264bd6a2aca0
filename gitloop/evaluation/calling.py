"""Calls to a plug-in: through the store, counted, and refused when too many fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitloop.errors import ApiError, CallTimeoutError
from gitloop.protocols import Judge, Progress, Target
from gitloop.records import Answer
from gitloop.storage.calls import CallStore

BATCH = 32
"""Calls between two reports of progress; a killed run loses at most as many."""

PURE_BATCH = 1024
"""The same for calls that cost nothing."""

FAILED = frozenset({"error", "timeout", "refused", "unparsed"})
"""Statuses of a call that was made and gave nothing; "missing" is a row that cannot be judged."""


def ask(
    kind: str,
    plugin: Judge | Target,
    requests: list[dict[str, Any]],
    store: CallStore,
    progress: Progress,
    what: str = "running the target",
) -> list[Answer]:
    """One answer per request; the calls of a pure plug-in cost nothing and are not recorded."""

    def tell(done: int) -> None:
        progress(what, done, len(requests), store.spent_usd)

    if not plugin.is_pure:
        stream = getattr(plugin, "stream", None)
        return store.ask(kind, requests, plugin.call, batch=BATCH, tell=tell, stream=stream)
    answers: list[Answer] = []
    for start in range(0, len(requests), PURE_BATCH):
        answers += plugin.call(requests[start : start + PURE_BATCH])
        tell(len(answers))
    return answers


def refuse_errors(what: str, told: Sequence[tuple[str, str]], limit: float) -> None:
    """Refuse when more calls failed than the limit, a share in [0, 1], allows."""
    failed = [(status, reason) for status, reason in told if status in FAILED]
    if not failed or len(failed) <= limit * len(told):
        return
    n_late = sum(status == "timeout" for status, _ in failed)
    kind = CallTimeoutError if 2 * n_late > len(failed) else ApiError
    raise kind(
        f"the {what} failed on {len(failed)} of {len(told)} calls,"
        f" more than score.max_error_rate = {limit:g} allows; the first: {failed[0][1]}",
        hint="what was answered is kept: run the command again once the cause is gone",
    )


def storable(text: str) -> str:
    """The text with halves of surrogate pairs, which UTF-8 cannot hold, made visible."""
    return text.encode("utf-8", "replace").decode()
