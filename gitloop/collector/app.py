"""The collector as an ASGI application: who may send, what is taken, and what is answered."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson

from gitloop.collector import feedback, traces
from gitloop.collector.bodies import Bodies, ClientGoneError, Message, Receive
from gitloop.collector.commits import Committer, Entry, Outcome
from gitloop.collector.limits import Rates
from gitloop.collector.metrics import CONTENT_TYPE, Metrics
from gitloop.collector.refusals import Refusal
from gitloop.collector.settings import FEEDBACK_PATH, TRACES_PATH, Settings

Send = Callable[[Message], Awaitable[None]]
Scope = Message

_log = logging.getLogger("gitloop.collector")

_JSON = b"application/json"
_GETS = ("/healthz", "/metrics", "/gitloop.js")
_POSTS = (FEEDBACK_PATH, TRACES_PATH)
_DISK_RETRY_S = 5
_SNIPPET = Path(__file__).with_name("gitloop.js")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    content_type: bytes = _JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Collector:
    """Takes feedback and spans in; the loop that starts it is the one that it answers in.

    Args:
        settings: How it runs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = settings.token.encode()
        self._origins = {origin.encode() for origin in settings.origins}
        self._rates = Rates(settings.rate)
        self._snippet = _SNIPPET.read_bytes()
        self.metrics = Metrics()
        self._bodies = Bodies(
            settings.max_body_bytes, settings.max_waiting_bytes, settings.body_s, self.metrics
        )
        self._committers = {
            path: Committer(folder, settings.min_free_bytes, self.metrics)
            for path, folder in (
                (FEEDBACK_PATH, settings.feedback_folder),
                (TRACES_PATH, settings.traces_folder),
            )
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI: the server's start and stop, and requests."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                for committer in self._committers.values():
                    committer.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                for committer in self._committers.values():
                    await asyncio.to_thread(committer.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        path = scope["path"]
        try:
            answer = await self._answer(scope, headers, receive)
        except ClientGoneError:
            return
        except Refusal as refusal:
            answer = _refused(refusal, headers)
        except Exception:  # noqa: BLE001 -- the log has it, and the server must go on
            _log.exception("gitloop: a request to %s failed", path)
            answer = _refused(Refusal(500, "the collector has a fault; its log says more"), headers)
        counted = path if path in (*_GETS, *_POSTS) else "other"
        self.metrics.add("requests_total", path=counted, status=str(answer.status))
        origin = headers.get(b"origin", b"")
        further = [*answer.headers, (b"cache-control", b"no-store")]
        if origin in self._origins:
            further += [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
        if scope["method"] == "HEAD":
            answer = _Answer(answer.status, b"", answer.content_type, answer.headers)
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [
                    (b"content-type", answer.content_type),
                    (b"content-length", str(len(answer.body)).encode()),
                    (b"x-content-type-options", b"nosniff"),
                    *further,
                ],
            }
        )
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> _Answer:
        method, path = scope["method"], scope["path"]
        if path in _GETS and method in ("GET", "HEAD"):
            return self._get(path, headers)
        if path in _POSTS and method == "OPTIONS":
            return self._preflight(headers)
        if path in _POSTS and method == "POST":
            return await self._post(scope, headers, receive)
        if path in (*_GETS, *_POSTS):
            raise Refusal(405, f"{path} takes no {method}")
        raise Refusal(404, "there is nothing here; feedback goes to /v1/feedback")

    def _get(self, path: str, headers: dict[bytes, bytes]) -> _Answer:
        if path == "/healthz":
            is_failing = self.metrics.is_failing
            state = b'{"status":"the disk does not take what comes"}'
            return _Answer(503, state) if is_failing else _Answer(200, b'{"status":"ok"}')
        if path == "/gitloop.js":
            return _Answer(200, self._snippet, b"text/javascript; charset=utf-8")
        self._authorise(headers, b"")
        return _Answer(200, self.metrics.render().encode(), CONTENT_TYPE.encode())

    def _preflight(self, headers: dict[bytes, bytes]) -> _Answer:
        self._check_origin(headers)
        allowed = (
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", b"authorization, content-type, content-encoding"),
            (b"access-control-max-age", b"600"),
        )
        return _Answer(204, b"", headers=allowed)

    async def _post(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> _Answer:
        path = scope["path"]
        self._check_origin(headers)
        self._authorise(headers, scope["query_string"] if path == FEEDBACK_PATH else b"")
        address = (scope.get("client") or ("",))[0]
        wait_s = self._rates.wait_s(address)
        if wait_s:
            self.metrics.add("limited_total", limit="rate")
            words = f"more than {self._settings.rate:g} events a second from {address}"
            raise Refusal(429, words, retry_after_s=wait_s)
        body = await self._bodies.read(headers, receive)
        try:
            if path == FEEDBACK_PATH:
                return await self._feedback(body, address)
            return await self._traces(body, address, _content_type(headers))
        finally:
            self._bodies.release(len(body))

    async def _feedback(self, body: bytes, address: str) -> _Answer:
        reading = feedback.read(body, self._settings.max_events)
        self._rates.take(address, max(1, len(reading.entries)))
        outcomes = await self._commit(FEEDBACK_PATH, reading.entries)
        for outcome in outcomes:
            self.metrics.add("events_total", outcome=outcome)
        if reading.refused:
            self.metrics.add("events_total", len(reading.refused), outcome="refused")
        status, content = feedback.answer(reading, outcomes)
        return _Answer(status, orjson.dumps(content))

    async def _traces(self, body: bytes, address: str, content_type: bytes) -> _Answer:
        reading = traces.read(body, content_type, datetime.now(UTC))
        self._rates.take(address, max(1, reading.n_spans))
        await self._commit(TRACES_PATH, reading.entries)
        self.metrics.add("spans_total", reading.n_spans, outcome="durable")
        if reading.n_refused:
            self.metrics.add("spans_total", reading.n_refused, outcome="refused")
        return _Answer(200, traces.answer(reading, content_type), content_type)

    async def _commit(self, path: str, entries: list[Entry]) -> list[Outcome]:
        if not entries:
            return []
        try:
            return await self._committers[path].commit(entries)
        except OSError as error:
            words = f"the disk does not take it: {error.strerror or error}"
            raise Refusal(503, words, retry_after_s=_DISK_RETRY_S) from error

    def _check_origin(self, headers: dict[bytes, bytes]) -> None:
        """Refuse pages that are not listed: a browser would send for any page, from inside."""
        origin = headers.get(b"origin")
        if origin is not None and origin not in self._origins:
            raise Refusal(403, "this origin is not listed; start the collector with --origin")

    def _authorise(self, headers: dict[bytes, bytes], query: bytes) -> None:
        if not self._token:
            return
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self._token):
            return
        key = self._settings.browser_key
        if key and query:
            named = parse_qs(query.decode("latin-1"), max_num_fields=8).get("key", [""])[0]
            if hmac.compare_digest(named.encode(), key.encode()):
                return
        raise Refusal(401, "a bearer token is needed")


def _refused(refusal: Refusal, headers: dict[bytes, bytes]) -> _Answer:
    further: list[tuple[bytes, bytes]] = []
    if refusal.retry_after_s:
        further.append((b"retry-after", str(refusal.retry_after_s).encode()))
    if refusal.status == 401:
        further.append((b"www-authenticate", b"Bearer"))
    if refusal.status in (408, 413, 429):
        further.append((b"connection", b"close"))  # what is left of the body is not read
    if _content_type(headers) == traces.PROTOBUF:
        body = traces.status_message(refusal.words)
        return _Answer(refusal.status, body, traces.PROTOBUF, tuple(further))
    content: dict[str, Any] = {"error": refusal.words}
    return _Answer(refusal.status, orjson.dumps(content), headers=tuple(further))


def _content_type(headers: dict[bytes, bytes]) -> bytes:
    return headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
