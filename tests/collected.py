"""A collector in this process, asked as an ASGI server asks it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.collector import Collector, Settings


@dataclass(frozen=True, slots=True)
class Answer:
    """What the collector answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:  # noqa: ANN401 -- JSON holds anything
        """The body as JSON."""
        return json.loads(self.body)


def settings(folder: Path, **other: Any) -> Settings:  # noqa: ANN401
    """Settings with spools under the folder."""
    return Settings(folder / "feedback", folder / "traces", **other)


@asynccontextmanager
async def living(plan: Settings) -> AsyncIterator[Collector]:
    """A collector between its start and its stop."""
    app = Collector(plan)
    said: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    heard: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    life = asyncio.create_task(app({"type": "lifespan"}, said.get, heard.put))
    await said.put({"type": "lifespan.startup"})
    assert (await heard.get())["type"] == "lifespan.startup.complete"
    try:
        yield app
    finally:
        await said.put({"type": "lifespan.shutdown"})
        await life


async def ask(
    app: Collector,
    request: str,
    body: bytes | Iterable[bytes] = b"",
    headers: Mapping[str, str] | None = None,
    *,
    leaves: bool = False,
) -> Answer:
    """The answer to a request such as "POST /v1/feedback?key=x".

    Args:
        app: The collector.
        request: Method and path.
        body: Whole, or in chunks.
        headers: Of the request.
        leaves: Whether the client goes away instead of ending its body.
    """
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    chunks = [body] if isinstance(body, bytes) else list(body)
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if leaves:
        messages.append({"type": "http.disconnect"})
    else:
        messages.append({"type": "http.request", "body": b"", "more_body": False})
    told: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        if not messages:
            await asyncio.sleep(3600)
        return messages.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), it.encode()) for name, it in (headers or {}).items()],
        "client": ("192.0.2.1", 5000),
    }
    await app(scope, receive, send)
    if not told:
        return Answer(0, {}, b"")
    named = {name.decode(): value.decode() for name, value in told[0]["headers"]}
    return Answer(told[0]["status"], named, told[1]["body"])


def lines(folder: Path) -> list[dict[str, Any]]:
    """What lies in a spool."""
    return [
        json.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_bytes().rstrip(b"\0").splitlines()
    ]
