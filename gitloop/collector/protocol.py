"""uvicorn with bounds on what HTTP itself may cost: heads, trailers and silence."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gitloop.collector.app import Collector
from gitloop.collector.settings import Settings

_MAX_HEAD_BYTES = 64 << 10
_HEAD_S = 10.0
_KEEP_ALIVE_S = 30
_MOST_CONNECTIONS = 1_000
_BACKLOG = 1_024


def configure(app: Collector, settings: Settings) -> uvicorn.Config:
    """Uvicorn's configuration for the collector."""
    most = 2 * settings.max_body_bytes + _MAX_HEAD_BYTES
    return uvicorn.Config(
        app,
        http=type("_Protocol", (_Bounded,), {"max_message_bytes": most}),
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_level="critical",  # anybody can send what is no HTTP; the collector's own log stays
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        limit_concurrency=_MOST_CONNECTIONS,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.stop_s)),
    )


class BoundedServer(uvicorn.Server):
    """A server that ends well when it is told to stop; uvicorn's would end by the signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM; what was there before comes back afterwards."""

        def stop(_number: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Bounded(HttpToolsProtocol):
    """Ends connections whose head is too long or too slow, or whose request never ends."""

    max_message_bytes = 0
    _deadline: asyncio.TimerHandle | None = None
    _is_in_head = True
    _n_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._n_bytes += len(data)
        super().data_received(data)
        most = _MAX_HEAD_BYTES if self._is_in_head else self.max_message_bytes
        if self._n_bytes > most + len(data):
            self.transport.abort()
        elif self._is_in_head and self._n_bytes and self._deadline is None:
            self._watch()

    def on_message_begin(self) -> None:
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._unwatch()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._n_bytes = 0
        super().on_message_complete()

    def _watch(self) -> None:
        self._deadline = self.loop.call_later(_HEAD_S, self.transport.abort)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
