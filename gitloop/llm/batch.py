"""The batch API of OpenAI and those who copy it: a file of requests, answered within a day.

It costs half as much and suits a nightly run. A batch that was submitted is remembered in a file,
so that a run which was interrupted, or gave up waiting, fetches it next time and pays nothing
twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gitloop.llm.limits import Purse
from gitloop.llm.messages import ChatRequest, Completion, payload, read_completion, words_of
from gitloop.llm.settings import Settings
from gitloop.llm.transport import BrokenError, Reply, TooLateError, Transport

_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_BOUNDARY = "gitloop-batch-0f6c1d"
_HOPELESS = ("HTTP 401", "HTTP 403", "HTTP 404")
_LOST_LOOKS = 20
"""Looks at a batch that may fail, one after the other, before a run gives up."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch that was submitted.

    Attributes:
        batch_id: As the server names it.
        asked: The ids of its requests, which digest what was asked.
    """

    batch_id: str
    asked: tuple[str, ...]


class BatchClient:
    """Asks one endpoint by batches.

    Args:
        settings: How it is reached.
        folder: Where batches under way are remembered.
        clock: Seconds, ever rising.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._transport = Transport(settings)
        self._purse = Purse(settings)
        self._folder = folder
        self._clock = clock
        self._sleep = sleep

    def stream(self, requests: Sequence[ChatRequest]) -> Iterator[tuple[int, Completion]]:
        """The place and completion of each request, a batch at a time."""
        self._purse.join_run()
        bodies = [payload(request, "json_schema") for request in requests]
        places = {name: place for place, name in enumerate(_names(bodies))}
        waiting = dict(places)
        batches = self._under_way(set(waiting))
        known = {name for batch, _ in batches for name in batch.asked}
        fresh = {name: bodies[place] for name, place in places.items() if name not in known}
        refused = ""
        if fresh:
            refused = self._afford(len(fresh))
            submitted = refused or self._submit(fresh)
            if isinstance(submitted, str):
                refused = submitted
                for name in fresh:
                    yield waiting.pop(name), Completion("error", error=refused)
            else:
                batches.append(submitted)
        deadline = self._clock() + self._settings.batch_wait_s
        for batch, path in batches:
            for name, completion in self._collect(batch, path, deadline):
                if name in waiting:
                    yield waiting.pop(name), completion
        for place in waiting.values():
            yield place, Completion("error", error="the batch holds no answer to this request")
        self._transport.close()

    def _afford(self, n_calls: int) -> str:
        """Why so many calls are more than the budget allows, or ""."""
        for _ in range(n_calls):
            if spent := self._purse.take():
                return f"{spent}: a batch of {n_calls} calls is more"
        return ""

    def _under_way(self, wanted: set[str]) -> list[tuple[_Batch, Path]]:
        """The batches of earlier runs that hold an answer to what is asked now."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                value = json.loads(path.read_bytes())
                batch = _Batch(value["batch_id"], tuple(value["asked"]))
            except (ValueError, KeyError, TypeError):
                continue
            if wanted.intersection(batch.asked):
                found.append((batch, path))
        return found

    def _submit(self, bodies: dict[str, dict[str, Any]]) -> tuple[_Batch, Path] | str:
        """The batch that was submitted and remembered, or why it was not."""
        lines = [
            json.dumps(
                {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}
            )
            for name, body in sorted(bodies.items())
        ]
        uploaded = self._ask("POST", "/files", _form("\n".join(lines) + "\n"), _FORM_KIND)
        if isinstance(uploaded, str):
            return uploaded
        wanted = {
            "input_file_id": uploaded.get("id"),
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }
        made = self._ask("POST", "/batches", json.dumps(wanted).encode(), "application/json")
        if isinstance(made, str):
            return made
        batch = _Batch(str(made.get("id")), tuple(sorted(bodies)))
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{hashlib.sha256(batch.batch_id.encode()).hexdigest()[:16]}.json"
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps({"batch_id": batch.batch_id, "asked": batch.asked}))
        os.replace(temporary, path)  # noqa: PTH105 -- atomic, and named for it
        return batch, path

    def _collect(
        self, batch: _Batch, path: Path, deadline: float
    ) -> Iterator[tuple[str, Completion]]:
        """The answers of a batch once it has ended; one with failures is forgotten after that."""
        ended = self._wait(batch, deadline)
        if isinstance(ended, Completion):
            if ended.error.startswith("HTTP 404"):
                path.unlink(missing_ok=True)
            yield from ((name, ended) for name in batch.asked)
            return
        answers: dict[str, Completion] = {}
        for key in ("output_file_id", "error_file_id"):
            if ended.get(key):
                content = self._send("GET", f"/files/{ended[key]}/content")
                if isinstance(content, str):
                    yield from ((name, Completion("error", error=content)) for name in batch.asked)
                    return
                answers |= dict(self._answers(content.body))
        lost = Completion(
            "error", error=f"the batch ended as {ended['status']} without this answer"
        )
        found = {name: answers.get(name, lost) for name in batch.asked}
        yield from found.items()
        # A batch with every answer stays known: a run that was killed before it kept them fetches
        # them again for nothing. What failed is asked anew next time.
        if any(completion.status == "error" for completion in found.values()):
            path.unlink(missing_ok=True)

    def _wait(self, batch: _Batch, deadline: float) -> dict[str, Any] | Completion:
        """The batch as it ended, or why there is no waiting for it."""
        n_lost = 0
        while True:
            found = self._ask("GET", f"/batches/{batch.batch_id}")
            if isinstance(found, str):
                n_lost += 1
                if n_lost >= _LOST_LOOKS or found.startswith(_HOPELESS):
                    return Completion("error", error=found)
            elif found.get("status") in _ENDED:
                return found
            else:
                n_lost = 0
            if self._clock() >= deadline:
                limit = self._settings.batch_wait_s
                told = f"the batch was not done within {limit:g} s; run it again to fetch it"
                return Completion("timeout", error=told)
            self._sleep(self._settings.batch_poll_s)

    def _answers(self, content: bytes) -> Iterator[tuple[str, Completion]]:
        """The id and completion of each line of a file of answers."""
        for line in content.splitlines():
            try:
                value = json.loads(line)
                name = str(value["custom_id"])
                response = value.get("response") or {}
                status, body = response.get("status_code"), json.dumps(response.get("body"))
                fault = json.dumps(value.get("error") or response.get("body") or "no answer")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if status != 200:
                told = f"HTTP {status}: {words_of(fault.encode())}"
                yield name, Completion("error", error=told)
                continue
            found, _ = read_completion(body.encode())
            cost = self._purse.pay(found.n_input_tokens, found.n_output_tokens)
            yield name, replace(found, cost_usd=cost)

    def _ask(
        self, method: str, path: str, body: bytes = b"", kind: str = ""
    ) -> dict[str, Any] | str:
        """The JSON object in an answer, or what went wrong."""
        reply = self._send(method, path, body, kind)
        if isinstance(reply, str):
            return reply
        try:
            value = json.loads(reply.body)
        except ValueError:
            value = None
        return value if isinstance(value, dict) else f"it answered {words_of(reply.body)!r}"

    def _send(self, method: str, path: str, body: bytes = b"", kind: str = "") -> Reply | str:
        try:
            reply = self._transport.send(method, path, body, kind)
        except (TooLateError, BrokenError) as error:
            return str(error)
        if reply.status != 200:
            return f"HTTP {reply.status}: {words_of(reply.body)}"
        return reply


def _names(bodies: Sequence[dict[str, Any]]) -> list[str]:
    """The id of each request: a digest of it, and which of several equal ones it is."""
    seen: Counter[str] = Counter()
    names = []
    for body in bodies:
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
        names.append(f"{digest}-{seen[digest]}")
        seen[digest] += 1
    return names


_FORM_KIND = f"multipart/form-data; boundary={_BOUNDARY}"


def _form(lines: str) -> bytes:
    """The upload of a file of requests, as multipart/form-data; JSON cannot hold the boundary."""
    return (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="asked.jsonl"\r\n'
        f"Content-Type: application/jsonl\r\n\r\n{lines}\r\n--{_BOUNDARY}--\r\n"
    ).encode()
