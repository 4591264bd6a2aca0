"""Many chat requests at a time: retries, limits, and the forms of answer that a server can give."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from gitloop.llm.limits import Gate, Purse, wait_s
from gitloop.llm.messages import ChatRequest, Completion, payload, read_completion, words_of
from gitloop.llm.settings import Settings
from gitloop.llm.transport import BrokenError, Reply, TooLateError, Transport

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_HOPELESS = frozenset({401, 403})
_UNTAKEN = frozenset({400, 422, 500})
"""Statuses with which servers refuse a parameter; llama.cpp's Python server says 500."""
_FORMS = ("json_schema", "json_object_schema", "json_object", "text")
"""Forms of answer to ask for, until the server takes one."""
GRACE_S = 10.0
"""Seconds that an interrupted run waits for calls under way; a second Ctrl-C ends it at once."""
_ABOUT_FORMS = ("response_format", "schema", "grammar", "json_object")
"""Words by which a server that refuses a request speaks of the form of answer."""


class Posting(Protocol):
    """How a payload reaches the endpoint."""

    def post(self, path: str, payload: Mapping[str, Any]) -> Reply:
        """The reply to a JSON payload."""

    def close(self) -> None:
        """Close this thread's connection."""


@dataclass(slots=True)
class _Learned:
    """What an endpoint turned out not to take."""

    form: int = 0
    renames: dict[str, str] = field(default_factory=dict)


_LEARNED: dict[str, _Learned] = {}
"""Address → what is known of it: an endpoint is probed once, whoever asks."""


class ChatClient:
    """Asks one endpoint.

    Args:
        settings: How it is reached and how hard it is pressed.
        transport: Reaches it; by default over HTTP.
        clock: Seconds, ever rising.
        sleep: Waits so many seconds.
    """

    path: ClassVar[str] = "/chat/completions"

    def __init__(
        self,
        settings: Settings,
        *,
        transport: Posting | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._transport: Posting = transport or Transport(settings)
        self._gate = Gate(settings.concurrency)
        self._purse = Purse(settings)
        self._clock = clock
        self._sleep = sleep
        self._learned = _LEARNED.setdefault(settings.base_url, _Learned())
        self._hopeless: Completion | None = None
        self._lock = threading.Lock()

    def stream(self, requests: Sequence[ChatRequest]) -> Iterator[tuple[int, Completion]]:
        """The place and completion of each request, as they come.

        Ctrl-C starts no further call; those under way are given out if they end within `GRACE_S`.

        Raises:
            ConfigError: The run has a budget of dollars, and no price is known here.
        """
        self._purse.join_run()
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for place in range(len(requests)):
            waiting.put(place)
        found: list[tuple[int, Completion]] = []
        came: queue.SimpleQueue[None] = queue.SimpleQueue()
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                try:
                    place = waiting.get_nowait()
                except queue.Empty:
                    break
                found.append((place, self._guarded(requests[place], place)))
                came.put(None)
            self._transport.close()

        n_threads = min(self._settings.concurrency, len(requests))
        threads = [threading.Thread(target=work, daemon=True) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        n_given = 0
        try:
            while n_given < len(requests):
                came.get()
                yield found[n_given]
                n_given += 1
        except KeyboardInterrupt:
            # What is under way is paid for: it is given out, and kept, before the run ends.
            stop.set()
            deadline = time.monotonic() + GRACE_S
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
            yield from found[n_given:]  # one may be given out twice, and none is lost
            raise
        finally:
            stop.set()

    def close(self) -> None:
        """Close this thread's connection; the threads of `stream` close theirs."""
        self._transport.close()

    def complete(self, request: ChatRequest, salt: int = 0) -> Completion:
        """The completion of one request, after as many attempts as are allowed."""
        waited = 0.0
        completion = Completion("error", error="it was never asked")
        for attempt in range(1, self._settings.attempts + 1):
            if self._hopeless is not None:
                return self._hopeless
            spent = self._purse.take()
            if spent:
                return Completion("error", error=spent)
            begun = self._clock()
            completion, retry_after = self._attempt(request)
            if retry_after is None:
                return completion
            if completion.status == "timeout":  # a server that hangs is waited for, too
                waited += self._clock() - begun
            pause = wait_s(attempt, retry_after, salt)
            if attempt == self._settings.attempts or waited + pause > self._settings.max_wait_s:
                break
            waited += pause
            self._sleep(pause)
        return completion

    def _guarded(self, request: ChatRequest, place: int) -> Completion:
        """As `complete`; a bug in it ends no thread without an answer."""
        try:
            return self.complete(request, place)
        except Exception as error:  # noqa: BLE001 -- the caller waits for an answer to every request
            return Completion("error", error=f"{type(error).__name__}: {error}")

    def _attempt(self, request: ChatRequest) -> tuple[Completion, str | None]:
        """One attempt, and the Retry-After header ("" for none) where another may help, or None."""
        self._gate.enter()
        good = False
        try:
            start = self._clock()
            form = self._learned.form
            reply = self._transport.post(self.path, self._payload(request, form))
            elapsed = self._clock() - start
            if reply.status == 200:
                completion, retry = self._read(reply, round(elapsed, 6))
                good = completion.status == "ok"
                return completion, retry
            return self._refused(reply, request, form)
        except TooLateError as error:
            return Completion("timeout", error=str(error)), ""
        except BrokenError as error:
            return Completion("error", error=str(error)), ""
        finally:
            self._gate.leave(good=good)

    def _payload(self, request: ChatRequest, form: int) -> dict[str, Any]:
        return payload(request, _FORMS[form], self._learned.renames)

    def _refused(
        self, reply: Reply, request: ChatRequest, form: int
    ) -> tuple[Completion, str | None]:
        """What to make of a status that is not 200."""
        told = f"HTTP {reply.status}: {words_of(reply.body)}"
        if reply.status == 429:
            self._gate.slow_down(min(wait_s(1, reply.retry_after, 0), self._settings.max_wait_s))
        if reply.status in _UNTAKEN and self._adapts(words_of(reply.body), request, form):
            return Completion("error", error=told), "0"
        if reply.status in _AGAIN:
            return Completion("error", error=told), reply.retry_after
        if reply.status in _HOPELESS:
            self._hopeless = Completion("error", error=told)
            return self._hopeless, None
        if "content" in told and ("filter" in told or "policy" in told):
            return Completion("refused", error=told), None
        return Completion("error", error=told), None

    def _adapts(self, message: str, request: ChatRequest, form: int) -> bool:
        """Learn, once for all calls, what the server does not take; whether it was new."""
        with self._lock:
            words = message.lower()
            asks_form = request.schema is not None and form < len(_FORMS) - 1
            if asks_form and self._learned.form > form:
                return True  # another thread has learned it meanwhile
            if asks_form and any(word in words for word in _ABOUT_FORMS):
                self._learned.form = form + 1
                return True
            if "max_completion_tokens" in words and "max_tokens" in request.sampling:
                self._learned.renames["max_tokens"] = "max_completion_tokens"
                return True
            return False

    def _read(self, reply: Reply, latency_s: float) -> tuple[Completion, str | None]:
        """The completion in a 200; a body that is none may be asked for again."""
        found, may_help = read_completion(reply.body, latency_s)
        cost = self._purse.pay(found.n_input_tokens, found.n_output_tokens)
        return replace(found, cost_usd=cost), "" if may_help else None
