"""Who may come in: one link, one browser; and no request that another page made.

A link carries its token behind the "#", which no browser sends and no log keeps. The page trades it
for a key that goes along in a header of every request. There is no cookie: cookies are shared by
all ports of a host, and a browser sends them along with what other pages post.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

KEY_HEADER = "x-gitloop-key"
MOST_BYTES = 8 * 2**20
"""Longest request, in bytes."""

_SAFE = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Door:
    """The keys of one server.

    Args:
        origin: The server's own origin, e.g. "http://127.0.0.1:41873".
        announce: Told each new link.
    """

    def __init__(self, origin: str, announce: Callable[[str], None]) -> None:
        self.origin = origin
        self._announce = announce
        self._tokens: set[str] = set()
        self._keys: set[str] = set()
        self._turn = threading.Lock()

    def link(self) -> str:
        """A new link; the first browser that opens it comes in, and no other."""
        token = secrets.token_urlsafe(24)
        with self._turn:
            self._tokens.add(token)
        return f"{self.origin}/#{token}"

    def invite(self) -> None:
        """Announce a new link."""
        self._announce(self.link())

    def enter(self, token: object) -> str | None:
        """The key for a token that nobody has used yet; the token is used up."""
        with self._turn:
            if not isinstance(token, str) or token not in self._tokens:
                return None
            self._tokens.remove(token)
            key = secrets.token_urlsafe(32)
            self._keys.add(key)
        self.invite()
        return key

    def opens(self, key: str | None) -> bool:
        """Whether the key was given out."""
        with self._turn:
            return any(secrets.compare_digest(key or "", known) for known in self._keys)


class Guard:
    """Refuses what does not come from the page itself, before anything looks at it.

    The host must be ours (another name that resolves here is an attack on the browser), and so
    must the origin, where one is told; whoever changes something must tell it.

    Args:
        app: What is guarded.
        door: Whose origin it is.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            return
        reason = self._refusal(scope["method"], Headers(scope=scope), scope["path"])

        async def send_safely(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", [])]  # type: ignore[misc]
                headers += [(name.encode(), value.encode()) for name, value in _SAFE.items()]
                message["headers"] = headers
            await send(message)

        if reason:
            status, words = reason
            response = JSONResponse({"error": words}, status)
            await response(scope, receive, send_safely)  # type: ignore[arg-type]
        else:
            await self._app(scope, receive, send_safely)  # type: ignore[arg-type]

    def _refusal(self, method: str, headers: Headers, path: str) -> tuple[int, str] | None:
        ours = self._door.origin
        if headers.get("host") != ours.removeprefix("http://"):
            return HTTPStatus.MISDIRECTED_REQUEST, "this page has one address only"
        origin = headers.get("origin")
        if origin not in {None, ours}:
            return HTTPStatus.FORBIDDEN, "another page may not speak to this one"
        if method not in {"GET", "HEAD"} and origin is None:
            return HTTPStatus.FORBIDDEN, "a request that changes something must tell its origin"
        if not (headers.get("content-length") or "0").isdecimal():
            return HTTPStatus.BAD_REQUEST, "the length is no number"
        if int(headers.get("content-length") or 0) > MOST_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request is too long"
        return self._stranger(headers, path) if path.startswith("/api/") else None

    def _stranger(self, headers: Headers, path: str) -> tuple[int, str] | None:
        """Why who asks for data may not have it; the empty page is anybody's."""
        if headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            return HTTPStatus.FORBIDDEN, "another page may not speak to this one"
        if path != "/api/enter" and not self._door.opens(headers.get(KEY_HEADER)):
            return HTTPStatus.UNAUTHORIZED, "this link was used already; ask for a new one"
        return None
