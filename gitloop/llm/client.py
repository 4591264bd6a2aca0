"""Many chat requests at a time: retries, limits, and the forms of answer that a server can give."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from gitloop.llm.limits import Budget, Gate, wait_s
from gitloop.llm.settings import Settings
from gitloop.llm.transport import BrokenError, Reply, TooLateError, Transport

_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_HOPELESS = frozenset({401, 403})
_FORMS = ("json_schema", "json_object", "text")
"""Forms of answer to ask for, until the server takes one."""
_ABOUT_FORMS = ("response_format", "schema", "grammar", "json_object")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat completion to ask for.

    Attributes:
        model: The model's name.
        messages: Messages in order, each with role and content.
        sampling: temperature, seed, max_tokens and whatever else the server takes.
        schema: JSON schema that the answer is to fit, or None for free text.
    """

    model: str
    messages: tuple[Mapping[str, str], ...]
    sampling: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What came of a request.

    Attributes:
        status: "ok", "error", "timeout" or "refused".
        text: What the model said, when status is "ok".
        error: What went wrong, in a line.
        finish: Why the model stopped, e.g. "stop" or "length".
        model: The model that answered, as the server names it.
        fingerprint: The server's fingerprint, or "".
        n_input_tokens: Tokens read, 0 where the server does not say.
        n_output_tokens: Tokens written.
        latency_s: Seconds of the last attempt.
        cost_usd: US dollars, or None where no price is known.
    """

    status: str
    text: str = ""
    error: str = ""
    finish: str = ""
    model: str = ""
    fingerprint: str = ""
    n_input_tokens: int = 0
    n_output_tokens: int = 0
    latency_s: float | None = None
    cost_usd: float | None = None


class ChatClient:
    """Asks one endpoint.

    Args:
        settings: How it is reached and how hard it is pressed.
        clock: Seconds, ever rising.
        sleep: Waits so many seconds.
    """

    path: ClassVar[str] = "/chat/completions"

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._transport = Transport(settings)
        self._gate = Gate(settings.concurrency)
        self._budget = Budget(settings)
        self._clock = clock
        self._sleep = sleep
        self._form = 0
        self._renames: dict[str, str] = {}
        self._hopeless: Completion | None = None
        self._lock = threading.Lock()

    def stream(self, requests: Sequence[ChatRequest]) -> Iterator[tuple[int, Completion]]:
        """The place and completion of each request, as they come."""
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for place in range(len(requests)):
            waiting.put(place)
        done: queue.SimpleQueue[tuple[int, Completion]] = queue.SimpleQueue()
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                try:
                    place = waiting.get_nowait()
                except queue.Empty:
                    break
                done.put((place, self._guarded(requests[place], place)))
            self._transport.close()

        n_threads = min(self._settings.concurrency, len(requests))
        threads = [threading.Thread(target=work, daemon=True) for _ in range(n_threads)]
        for thread in threads:
            thread.start()
        try:
            for _ in requests:
                yield done.get()
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
            spent = self._budget.take()
            if spent:
                return Completion("error", error=spent)
            completion, retry_after = self._attempt(request)
            if retry_after is None:
                return completion
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
            form = self._form
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
        sampling = {
            self._renames.get(name, name): value
            for name, value in request.sampling.items()
            if value is not None and self._renames.get(name, name)
        }
        payload = {"model": request.model, "messages": list(request.messages), **sampling}
        if request.schema is None or _FORMS[form] == "text":
            return payload
        if _FORMS[form] == "json_object":
            return {**payload, "response_format": {"type": "json_object"}}
        schema = {"name": "answer", "strict": True, "schema": request.schema}
        wanted = {"type": "json_schema", "json_schema": schema}
        return {**payload, "response_format": wanted}

    def _refused(
        self, reply: Reply, request: ChatRequest, form: int
    ) -> tuple[Completion, str | None]:
        """What to make of a status that is not 200."""
        told = f"HTTP {reply.status}: {_message(reply.body)}"
        if reply.status == 429:
            self._gate.slow_down(min(wait_s(1, reply.retry_after, 0), self._settings.max_wait_s))
        if reply.status in _AGAIN:
            return Completion("error", error=told), reply.retry_after
        if reply.status in _HOPELESS:
            self._hopeless = Completion("error", error=told)
            return self._hopeless, None
        if reply.status in (400, 422) and self._adapts(_message(reply.body), request, form):
            return Completion("error", error=told), "0"
        if "content" in told and ("filter" in told or "policy" in told):
            return Completion("refused", error=told), None
        return Completion("error", error=told), None

    def _adapts(self, message: str, request: ChatRequest, form: int) -> bool:
        """Learn, once for all calls, what the server does not take; whether it was new."""
        with self._lock:
            words = message.lower()
            asks_form = request.schema is not None and form < len(_FORMS) - 1
            if asks_form and self._form > form:
                return True  # another thread has learned it meanwhile
            if asks_form and any(
                word in words for word in ("response_format", "json_schema", "schema", "grammar")
            ):
                self._form = form + 1
                return True
            if "max_completion_tokens" in words and "max_tokens" in request.sampling:
                self._renames["max_tokens"] = "max_completion_tokens"
                return True
            return False

    def _read(self, reply: Reply, latency_s: float) -> tuple[Completion, str | None]:
        """The completion in a 200; a body that is none may be asked for again."""
        try:
            value = json.loads(reply.body)
            choice = value["choices"][0]
            message = choice["message"]
            usage = value.get("usage") or {}
            n_input = int(usage.get("prompt_tokens") or 0)
            n_output = int(usage.get("completion_tokens") or 0)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            shown = " ".join(reply.body[:80].decode(errors="replace").split())
            return Completion("error", error=f"it answered {shown!r}, no chat completion"), ""
        found = Completion(
            status="ok",
            finish=str(choice.get("finish_reason") or ""),
            model=str(value.get("model") or ""),
            fingerprint=str(value.get("system_fingerprint") or ""),
            n_input_tokens=n_input,
            n_output_tokens=n_output,
            latency_s=latency_s,
            cost_usd=self._budget.pay(n_input, n_output),
        )
        if message.get("refusal") or found.finish == "content_filter":
            told = str(message.get("refusal") or "the server's content filter stopped it")
            return replace(found, status="refused", error=told), None
        text = message.get("content")
        if not isinstance(text, str):
            return replace(found, status="error", error="its message holds no text"), ""
        return replace(found, text=text), None


def _message(body: bytes) -> str:
    """The server's own words in an error body, on one line."""
    text = body[:2000].decode(errors="replace")
    try:
        value = json.loads(body)
        error = value.get("error", value) if isinstance(value, dict) else value
        found = error.get("message") or error.get("detail") if isinstance(error, dict) else error
        text = str(found or text)
    except ValueError:
        pass
    return " ".join(text.split())[:300]
