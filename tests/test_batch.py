"""The batch client against a loopback server that keeps files and batches as OpenAI's does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from gitloop.llm import ChatRequest, Completion, Limits, Settings
from gitloop.llm.batch import BatchClient
from tests.endpoints import said

CHAT: dict[str, Any] = json.loads(said('{"reason": "r", "verdict": "pass"}').body)

Answer = Callable[[str, dict[str, Any]], dict[str, Any] | None]


@dataclass(slots=True)
class Server:
    """A batch server.

    Attributes:
        url: Its address.
        answer: custom_id and body → the line's response and error, or None to lose it.
        n_looks: Looks until a batch is done.
        status: How batches end.
        batches: The lines of each batch.
    """

    url: str = ""
    answer: Answer = lambda _name, _body: {"response": {"status_code": 200, "body": CHAT}}
    n_looks: int = 1
    status: str = "completed"
    batches: list[list[dict[str, Any]]] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    looks: int = 0


@contextmanager
def batches(server: Server) -> Iterator[Server]:
    """The server, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take a file or a batch."""
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path == "/v1/files":
                found = re.search(r"application/jsonl\r\n\r\n(.*)\r\n--", body, re.DOTALL)
                assert found
                server.uploads.append(found[1])
                self._send({"id": f"file-{len(server.uploads) - 1}"})
                return
            asked = json.loads(body)
            nth = int(asked["input_file_id"].removeprefix("file-"))
            server.batches.append([json.loads(x) for x in server.uploads[nth].splitlines() if x])
            self._send({"id": f"batch-{len(server.batches) - 1}", "status": "validating"})

        def do_GET(self) -> None:
            """Show a batch, or give its answers."""
            if self.path.startswith("/v1/batches/"):
                server.looks += 1
                name = self.path.rsplit("/", maxsplit=1)[-1]
                done = server.looks > server.n_looks
                self._send(
                    {
                        "id": name,
                        "status": server.status if done else "in_progress",
                        "output_file_id": f"out-{name}" if done else None,
                    }
                )
                return
            nth = int(re.findall(r"out-batch-(\d+)", self.path)[0])
            lines = []
            for line in server.batches[nth]:
                told = server.answer(line["custom_id"], line["body"])
                if told is not None:
                    lines.append(json.dumps({"custom_id": line["custom_id"], **told}))
            self._send("\n".join(reversed(lines)))

        def _send(self, value: object) -> None:
            body = (value if isinstance(value, str) else json.dumps(value)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{made.server_address[1]}/v1"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def requests(*words: str) -> list[ChatRequest]:
    """One request per word."""
    return [ChatRequest("m", ({"role": "user", "content": word},)) for word in words]


def ask(server: Server, folder: Path, *words: str, **limits: Any) -> list[Completion]:  # noqa: ANN401
    """The completions of these requests, in order; nobody waits for real."""
    client = BatchClient(Settings(server.url, **limits), folder, sleep=lambda _: None)
    return [found for _, found in sorted(client.stream(requests(*words)), key=lambda p: p[0])]


def test_a_batch_is_uploaded_awaited_and_read(tmp_path: Path) -> None:
    """One file with every request; answers come back in any order and find their place."""

    def answer(_name: str, body: dict[str, Any]) -> dict[str, Any]:
        content = body["messages"][0]["content"]
        chat = json.loads(said(content.upper()).body)
        return {"response": {"status_code": 200, "body": chat}, "error": None}

    with batches(Server(answer=answer, n_looks=3)) as server:
        found = ask(server, tmp_path, "a", "b", "a", input_usd=1.0, output_usd=1.0)
    assert [one.text for one in found] == ["A", "B", "A"]
    assert [one.cost_usd for one in found] == [0.00011] * 3
    assert len(server.batches) == 1
    assert len({line["custom_id"] for line in server.batches[0]}) == 3
    assert {line["url"] for line in server.batches[0]} == {"/v1/chat/completions"}


def test_a_run_that_gives_up_waiting_fetches_the_batch_next_time(tmp_path: Path) -> None:
    """The wait is a time-out; the next run submits only what is new, and pays nothing twice."""
    with batches(Server(n_looks=2)) as server:
        first = ask(server, tmp_path, "a", "b", batch_wait_s=0.0)
        assert [one.status for one in first] == ["timeout", "timeout"]
        second = ask(server, tmp_path, "a", "b", "c")
        assert [one.status for one in second] == ["ok", "ok", "ok"]
        assert [len(lines) for lines in server.batches] == [2, 1]
        assert [one.status for one in ask(server, tmp_path, "b", "a")] == ["ok", "ok"]
        assert len(server.batches) == 2


def test_what_a_batch_did_not_answer_is_an_error_and_asked_anew(tmp_path: Path) -> None:
    """A lost line, an HTTP error in a line and half a JSON are told apart from answers."""
    state = {"broken": True}

    def answer(_name: str, body: dict[str, Any]) -> dict[str, Any] | None:
        word = body["messages"][0]["content"]
        if not state["broken"] or word == "fine":
            return {"response": {"status_code": 200, "body": CHAT}}
        if word == "lost":
            return None
        if word == "http":
            return {"response": {"status_code": 500, "body": {"error": {"message": "oops"}}}}
        return {"response": {"status_code": 200, "body": {"choices": []}}}

    with batches(Server(answer=answer)) as server:
        words = ("fine", "lost", "http", "half")
        found = ask(server, tmp_path, *words)
        assert [one.status for one in found] == ["ok", "error", "error", "error"]
        assert found[2].error == "HTTP 500: oops"
        state["broken"] = False
        assert {one.status for one in ask(server, tmp_path, *words)} == {"ok"}


def test_a_batch_that_expires_is_forgotten(tmp_path: Path) -> None:
    """Nothing of it is an answer, and the next run submits it again."""
    with batches(Server(status="expired", answer=lambda *_: None)) as server:
        assert [one.status for one in ask(server, tmp_path, "a")] == ["error"]
        server.status, server.answer = "completed", Server().answer
        assert [one.status for one in ask(server, tmp_path, "a")] == ["ok"]
        assert len(server.batches) == 2


def test_a_budget_refuses_a_batch_that_is_larger(tmp_path: Path) -> None:
    """Nothing is submitted that the budget does not cover."""
    with batches(Server()) as server:
        found = ask(server, tmp_path, "a", "b", "c", limits=Limits(calls=2))
        assert {one.error for one in found} == {
            "the budget of 2 calls is spent: a batch of 3 calls is more"
        }
        assert server.uploads == []


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """As for single calls."""
    client = BatchClient(Settings("http://127.0.0.1:9/v1"), tmp_path, sleep=lambda _: None)
    assert [one.status for _, one in client.stream(requests("a"))] == ["error"]
