"""One HTTP POST with a deadline that holds, whatever the server does."""

from __future__ import annotations

import http.client
import json
import math
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gitloop.llm.settings import Settings

MAX_BYTES = 16 * 1024 * 1024
"""Longest answer that is read."""


class TooLateError(Exception):
    """The server did not connect or answer in time."""


class BrokenError(Exception):
    """The connection failed, or what came back is no HTTP answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered.

    Attributes:
        status: HTTP status.
        retry_after: The header, or "".
        body: The bytes.
    """

    status: int
    retry_after: str
    body: bytes


class Transport:
    """Connections to one endpoint; each thread keeps its own alive.

    Args:
        settings: How the endpoint is reached.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts = urlsplit(settings.base_url)
        self._proxy = _proxy(self._parts.scheme, self._parts.hostname or "")
        self._local = threading.local()

    def post(self, path: str, payload: Mapping[str, Any]) -> Reply:
        """The reply to a JSON payload.

        Raises:
            TooLateError: No connection within connect_timeout_s, or no whole reply in timeout_s.
            BrokenError: The connection failed or was closed, or the reply is no HTTP.
        """
        body = json.dumps(payload, ensure_ascii=True).encode()
        return self.send("POST", path, body, "application/json")

    def send(self, method: str, path: str, body: bytes = b"", kind: str = "") -> Reply:
        """The reply to a request of any kind.

        Args:
            method: "GET" or "POST".
            path: What follows the address.
            body: The bytes, or nothing.
            kind: The body's content type.

        Raises:
            TooLateError: As `post`.
            BrokenError: As `post`.
        """
        kept = self._kept()
        try:
            return self._exchange(method, path, body, kind)
        except BrokenError as error:
            if kept is None or not isinstance(error.__cause__, ConnectionError):
                raise
            # the server had closed the kept connection
            return self._exchange(method, path, body, kind)

    def close(self) -> None:
        """Close this thread's connection."""
        kept = self._kept()
        if kept is not None:
            kept.close()
            self._local.connection = None

    def _exchange(self, method: str, path: str, body: bytes, kind: str) -> Reply:
        connection = self._connection()
        watched = _WATCH.add(connection, time.monotonic() + self._settings.timeout_s)
        try:
            connection.request(method, self._address(path), body or None, self._headers(kind))
            response = connection.getresponse()
            content = response.read(MAX_BYTES)
            reply = Reply(response.status, response.headers.get("Retry-After", ""), content)
            if response.will_close or not response.isclosed():  # more than is read
                self.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            if watched.is_late or isinstance(error, TimeoutError):
                late = f"no answer within {self._settings.timeout_s:g} s"
                raise TooLateError(late) from error
            raise BrokenError(_words(error)) from error
        finally:
            _WATCH.remove(watched)
        if watched.is_late:
            raise TooLateError(f"no answer within {self._settings.timeout_s:g} s")
        return reply

    def _address(self, path: str) -> str:
        """What stands in the request line: a proxy of plain http wants the whole address."""
        whole = f"{self._parts.path}{path}"
        if self._proxy and self._parts.scheme == "http":
            return f"http://{self._parts.netloc}{whole}"
        return whole

    def _headers(self, kind: str) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if kind:
            headers["Content-Type"] = kind
        if self._settings.api_key:
            headers["Authorization"] = f"Bearer {self._settings.api_key}"
        return headers

    def _kept(self) -> http.client.HTTPConnection | None:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        return found

    def _connection(self) -> http.client.HTTPConnection:
        kept = self._kept()
        if kept is not None:
            return kept
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        host, port = self._proxy or (self._parts.hostname or "", self._parts.port)
        connection = kind(host, port, timeout=self._settings.connect_timeout_s)
        if self._proxy and secure:
            connection.set_tunnel(self._parts.hostname or "", self._parts.port)
        try:
            connection.connect()
        except TimeoutError as error:
            limit = self._settings.connect_timeout_s
            raise TooLateError(f"no connection within {limit:g} s") from error
        except (OSError, ssl.SSLError, http.client.HTTPException) as error:
            raise BrokenError(_words(error)) from error
        connection.sock.settimeout(self._settings.timeout_s)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._local.connection = connection
        return connection


@dataclass(slots=True, eq=False)
class _Watched:
    """An exchange with its deadline, in seconds of the monotonic clock."""

    connection: http.client.HTTPConnection
    deadline: float
    is_late: bool = False


class _Watch:
    """Ends exchanges from outside: a server that drips byte by byte meets its deadline as well."""

    def __init__(self) -> None:
        self._watched: set[_Watched] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._next = math.inf

    def add(self, connection: http.client.HTTPConnection, deadline: float) -> _Watched:
        """Watch an exchange."""
        watched = _Watched(connection, deadline)
        with self._changed:
            self._watched.add(watched)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            if deadline < self._next:
                self._changed.notify()
        return watched

    def remove(self, watched: _Watched) -> None:
        """Watch it no longer."""
        with self._changed:
            self._watched.discard(watched)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for watched in [one for one in self._watched if one.deadline <= now]:
                    self._watched.discard(watched)
                    watched.is_late = True
                    with suppress(OSError, AttributeError):
                        watched.connection.sock.shutdown(socket.SHUT_RDWR)
                self._next = min((one.deadline for one in self._watched), default=math.inf)
                self._changed.wait(None if self._next == math.inf else self._next - now)


_WATCH = _Watch()


def _proxy(scheme: str, host: str) -> tuple[str, int | None] | None:
    """Host and port of the proxy that the environment names for this host, if any."""
    found = urllib.request.getproxies().get(scheme)
    is_local = host in {"localhost", "::1"} or host.startswith("127.")
    if not found or is_local or urllib.request.proxy_bypass(host):
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    return (parts.hostname, parts.port) if parts.hostname else None


def _words(error: Exception) -> str:
    told = " ".join(str(error).split()) or type(error).__name__
    return told[:200]
