"""The label page: a static shell, and the few requests that it makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gitloop.errors import GitloopError
from gitloop.pages.door import MOST_BYTES, Door, Guard

ASSETS = {
    "/": ("label.html", "text/html"),
    "/label.css": ("label.css", "text/css"),
    "/label.js": ("label.js", "text/javascript"),
    "/api.js": ("api.js", "text/javascript"),
    "/widgets.js": ("widgets.js", "text/javascript"),
}


class Refusal(Exception):  # noqa: N818 -- an answer to the page, not a failure of ours
    """What the page asked for cannot be done; the person is told why.

    Args:
        reason: In a sentence.
        is_conflict: Whether another window was faster.
    """

    def __init__(self, reason: str, *, is_conflict: bool = False) -> None:
        super().__init__(reason)
        self.is_conflict = is_conflict


class Desk(Protocol):
    """What the page works on; every method may be called from any thread."""

    def overview(self) -> dict[str, Any]:
        """Every question in a line."""

    def look(self, number: int, window: str) -> dict[str, Any]:
        """One question."""

    def keep(self, number: int, window: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what was typed."""

    def drop(self, number: int) -> dict[str, Any]:
        """Forget what was typed."""

    def save(self, number: int, window: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Make the answer a label."""


def label_app(door: Door, desk: Desk, finish: Callable[[], Any]) -> ASGIApp:
    """The page, guarded.

    Args:
        door: Who may come in.
        desk: What it works on.
        finish: Ends the session; returns the frozen record of what became of the labels.
    """
    page = _Page(door, desk, finish)
    routes = [Route(path, page.asset) for path in ASSETS]
    routes += [
        Route("/api/enter", page.enter, methods=["POST"]),
        Route("/api/link", page.link, methods=["POST"]),
        Route("/api/overview", page.overview),
        Route("/api/questions/{number:int}", page.look),
        Route("/api/questions/{number:int}/{act}", page.act, methods=["POST"]),
        Route("/api/finish", page.finish, methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes), door)


class _Page:
    def __init__(self, door: Door, desk: Desk, finish: Callable[[], Any]) -> None:
        self._door = door
        self._desk = desk
        self._finish = finish
        self._acts: dict[str, Callable[[int, str, Mapping[str, Any]], dict[str, Any]]] = {
            "keep": desk.keep,
            "save": desk.save,
            "drop": lambda number, _window, _sent: desk.drop(number),
        }

    async def asset(self, request: Request) -> Response:
        name, kind = ASSETS[request.url.path]
        return Response((files(__package__) / "assets" / name).read_bytes(), media_type=kind)

    async def enter(self, request: Request) -> Response:
        sent = await _sent(request)
        key = await run_in_threadpool(self._door.enter, sent.get("token"))
        if key is None:
            reason = "this link was used already; the terminal shows the next one"
            return JSONResponse({"error": reason}, HTTPStatus.UNAUTHORIZED)
        return JSONResponse({"key": key})

    async def link(self, request: Request) -> Response:
        del request
        return JSONResponse({"link": self._door.link()})

    async def overview(self, request: Request) -> Response:
        del request
        return await _answer(self._desk.overview)

    async def look(self, request: Request) -> Response:
        window = request.query_params.get("window", "")
        return await _answer(self._desk.look, request.path_params["number"], window)

    async def act(self, request: Request) -> Response:
        act = self._acts.get(request.path_params["act"])
        if act is None:
            return JSONResponse({"error": "no such act"}, HTTPStatus.NOT_FOUND)
        sent = await _sent(request)
        window = str(sent.get("window") or "")[:64]
        return await _answer(act, request.path_params["number"], window, sent)

    async def finish(self, request: Request) -> Response:
        del request
        return await _answer(lambda: asdict(self._finish()))


async def _sent(request: Request) -> dict[str, Any]:
    """The JSON object in the request, or {} where there is none."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:  # no length was announced, or a wrong one
            return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


async def _answer(act: Callable[..., dict[str, Any]], *args: Any) -> Response:  # noqa: ANN401
    """What the act returns, or why it could not be done; off the thread that serves."""
    try:
        return JSONResponse(await run_in_threadpool(act, *args))
    except Refusal as refusal:
        is_conflict = refusal.is_conflict
        status = HTTPStatus.CONFLICT if is_conflict else HTTPStatus.UNPROCESSABLE_ENTITY
        return JSONResponse({"error": str(refusal), "conflict": is_conflict}, status)
    except GitloopError as error:
        told = {"error": error.message, "hint": error.hint}
        return JSONResponse(told, HTTPStatus.INTERNAL_SERVER_ERROR)
