"""A chat endpoint on the loopback that answers as a test says, well or badly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Reply:
    """What the endpoint does with one request.

    Attributes:
        status: HTTP status.
        body: The bytes.
        headers: Further headers.
        delay_s: Seconds before the status line.
        drip_s: Seconds between single bytes of the body, or 0.
        closes: Whether the connection is closed instead of an answer.
        cut: Whether the body ends before its announced length.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float = 0.0
    closes: bool = False
    cut: bool = False


@dataclass(slots=True)
class Endpoint:
    """A running endpoint.

    Attributes:
        url: Its address, up to /v1.
        asked: The payloads that it got, in order.
        headers: The headers that came with them.
        most_at_once: Most requests that were there at the same time.
    """

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0


Respond = Callable[[dict[str, Any], int], Reply]
"""The payload and how many came before it → what to do."""


def said(content: str | None, **other: Any) -> Reply:  # noqa: ANN401
    """A chat completion with this content."""
    message = {"role": "assistant", "content": content} | other.pop("message", {})
    choice = {"index": 0, "message": message, "finish_reason": other.pop("finish", "stop")}
    value = {
        "id": "x",
        "object": "chat.completion",
        "model": "served-model",
        "system_fingerprint": "fp_1",
        "choices": [choice],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    }
    return Reply(body=json.dumps(value | other).encode())


def refused(status: int, message: str = "no", **headers: str) -> Reply:
    """An error as OpenAI's API gives it."""
    body = json.dumps({"error": {"message": message, "type": "x"}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, named)


@contextmanager
def endpoint(respond: Respond) -> Iterator[Endpoint]:
    """An endpoint that answers as `respond` says, until the block ends."""
    lock = threading.Lock()
    present = [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            """Answer one request."""
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                nth = len(found.asked)
                found.asked.append(payload)
                found.headers.append(dict(self.headers))
                present[0] += 1
                found.most_at_once = max(found.most_at_once, present[0])
            try:
                self._send(respond(payload, nth))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                with lock:
                    present[0] -= 1

        def _send(self, reply: Reply) -> None:
            time.sleep(reply.delay_s)
            if reply.closes:
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply.body) + (10 if reply.cut else 0)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = self.close_connection or reply.cut
            for byte in reply.body if reply.drip_s else ():
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(reply.drip_s)
            if not reply.drip_s:
                self.wfile.write(reply.body)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing: a client that gave up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    found = Endpoint(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
