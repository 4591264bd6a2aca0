"""The collector as a process: its address, its bounds on HTTP, how it stops, and kill -9."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitloop.collector import Settings
from gitloop.collector.settings import is_loopback
from gitloop.errors import ConfigError
from gitloop.steps.capture import seal
from gitloop.storage.dvc import Dvc
from gitloop.storage.parts import read_parts
from gitloop.tables import FEEDBACK
from tests.repositories import Repository

TOKEN = "a-token-of-some-length"  # noqa: S105 -- made up


@contextmanager
def serving(root: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A running `gitloop capture serve`, and its port."""
    command = [sys.executable, "-m", "gitloop", "capture", "serve", "--port", "0", *options]
    kept = {name: it for name, it in os.environ.items() if not name.startswith("GITLOOP_")}
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, text=True, env=kept
    ) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.kill()


def post(port: int, event: object, **headers: str) -> tuple[int, bytes]:
    """Status and body of the answer to one event."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/v1/feedback", json.dumps(event), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_collector_takes_events_and_stops_when_it_is_told(repository: Repository) -> None:
    """SIGTERM answers what is under way, closes the spool and ends with 0; seal has the events."""
    with serving(repository.root) as (process, port):
        event = {"signal_type": "copy", "trace_id": "t1", "feedback_id": "a"}
        assert post(port, event)[0] == 200
        under_way = socket.create_connection(("127.0.0.1", port))
        body = json.dumps({**event, "feedback_id": "b"}).encode()
        under_way.sendall(
            b"POST /v1/feedback HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        under_way.sendall(body)
        assert under_way.recv(9999).startswith(b"HTTP/1.1 200")
        under_way.close()
        assert process.wait(20) == 0
    assert seal(repository.root).n_new == 2


def test_the_token_and_the_bounds_of_http_itself(repository: Repository, tmp_path: Path) -> None:
    """Open to the network with a token alone; endless heads and what is no HTTP are cut off."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    everywhere = "0.0.0.0"  # noqa: S104 -- what a token is for
    options = ("--host", everywhere, "--token-file", str(path))
    with serving(repository.root, *options) as (_, port):
        assert post(port, {"signal_type": "copy"})[0] == 401
        endless = socket.create_connection(("127.0.0.1", port), timeout=10)
        endless.sendall(b"POST /v1/feedback HTTP/1.1\r\nx: ")
        with pytest.raises(OSError, match=r"reset|Broken pipe"):  # noqa: PT012 -- until it breaks
            for _ in range(100):
                endless.sendall(b"x" * 65536)
                time.sleep(0.01)
        endless.close()
        noise = socket.create_connection(("127.0.0.1", port), timeout=10)
        noise.sendall(b"\x16\x03\x01\x02\x00 no http\r\n\r\n")
        assert noise.recv(9999).startswith(b"HTTP/1.1 400")
        noise.close()
        assert post(port, {"signal_type": "copy"}, authorization=f"Bearer {TOKEN}")[0] == 200


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"host": "0.0.0.0"}, "needs a token"),  # noqa: S104
        ({"host": "::"}, "needs a token"),
        ({"token": "short"}, "shorter than 16"),
        ({"browser_key": TOKEN}, "needs a token beside it"),
        ({"origins": ("app.example.com",)}, "is no origin"),
        ({"origins": ("https://app.example.com/",)}, "is no origin"),
        ({"origins": ("*",)}, "is no origin"),
    ],
)
def test_what_would_be_open_to_all_is_refused(
    tmp_path: Path, other: dict[str, str], words: str
) -> None:
    """No token elsewhere than on loopback, a token to be guessed, no origin: no start."""
    with pytest.raises(ConfigError, match=words):
        Settings(tmp_path, tmp_path, **other).check()  # type: ignore[arg-type]


def test_what_loopback_is() -> None:
    """127.0.0.0/8 and ::1 are, and names that lead there; everything else is not."""
    assert [is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [
        True
    ] * 4
    assert not any(is_loopback(host) for host in ("0.0.0.0", "192.0.2.1", "::", ""))  # noqa: S104


@pytest.mark.slow
def test_kill_9_of_the_collector_loses_no_acknowledged_event(repository: Repository) -> None:
    """Killed under load and started again, sealing at the end: each acknowledged event, once."""
    acknowledged: set[str] = set()

    def send(port: int, name: str) -> None:
        n = 0
        while True:
            n += 1
            event = {"signal_type": "copy", "trace_id": "t", "feedback_id": f"{name}-{n}"}
            try:
                status, _ = post(port, event)
            except (OSError, http.client.HTTPException):
                return
            if status == 200:
                acknowledged.add(f"{name}-{n}")

    for turn in range(2):
        with serving(repository.root, "--rate", "0") as (process, port):
            senders = [threading.Thread(target=send, args=(port, f"{turn}-{n}")) for n in range(8)]
            for sender in senders:
                sender.start()
            time.sleep(0.4)
            process.kill()
            for sender in senders:
                sender.join()
    seal(repository.root)
    dvc = Dvc(repository.root, repository.root / ".git")
    found = read_parts(repository.root, dvc, "data/feedback", FEEDBACK)["feedback_id"].to_list()
    assert len(acknowledged) > 20
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))
