"""Events per second that the collector acknowledges, and how long each waits, over real HTTP.

    python benchmarks/collector.py [--seconds 5] [--connections 64] [--folder DIR] [--kill]

The collector runs as `gitloop capture serve`, in a process of its own; this one sends events over
keep-alive connections, one event a request, each when the last one was answered. Every answer is
200 after an fsync. The peers, in turn with it: the same uvicorn with an application that answers at
once and writes nothing, and bare write + fsync of the same lines without group commit.

wanted: ≥ 5,000 acknowledged events/s on two cores, p99 ≤ 50 ms.

--kill ends the collector with SIGKILL in the middle, again and again, and counts the acknowledged
events that its spool does not hold. wanted: 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import uvloop
from git import Repo

BARE = """
import asyncio, sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await receive()
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", lifespan="off",
            log_level="critical", access_log=False)
"""

N_ROUNDS = 3

Told = Callable[[str, float], None]
"""Told the id of each acknowledged event, and how long it took."""


class Client(asyncio.Protocol):
    """One connection: sends a request, waits for its answer, sends the next."""

    def __init__(self, requests: Iterator[tuple[str, bytes]], told: Told) -> None:
        self._requests = requests
        self._told = told
        self._buffer = b""
        self._name = ""
        self._start = 0.0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        found = next(self._requests, None)
        if found is None:
            self._transport.close()
            return
        self._name, request = found
        self._start = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count the answer when it is whole."""
        self._buffer += data
        head, gap, body = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < size:
            return
        self._buffer = b""
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(self._buffer or head)
        self._told(self._name, time.perf_counter() - self._start)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server is gone, or nothing is left to send."""
        if not self.closed.done():
            self.closed.set_result(exc)


def requests(connection: int, until: float) -> Iterator[tuple[str, bytes]]:
    """The id and the bytes of each request of one connection, until the time is up."""
    n = 0
    while time.perf_counter() < until:
        n += 1
        name = f"{os.getpid()}-{connection}-{n}-{time.time_ns()}"
        event = {
            "feedback_id": name,
            "trace_id": f"{n:032x}",
            "signal_type": "thumbs_down",
            "route": "refund",
            "user_cohort": "pro",
            "comment": "It cited a policy that does not exist.",
        }
        body = json.dumps(event).encode()
        head = f"POST /v1/feedback HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        yield name, head.encode() + body


async def load(
    port: int, n_connections: int, seconds: float, told: Callable[[str, float], None]
) -> None:
    """Send from many connections until the time is up or the server is gone."""
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    clients = []
    for n in range(n_connections):
        client = Client(requests(n, until), told)
        await loop.create_connection(partial(_same, client), "127.0.0.1", port)
        clients.append(client)
    await asyncio.gather(*(client.closed for client in clients))


def _same(client: Client) -> Client:
    return client


def measure(port: int, n_connections: int, seconds: float) -> tuple[float, float, float, float]:
    """Answers per second, and the median, the 99th percentile and the largest wait in ms."""
    waits: list[float] = []
    start = time.perf_counter()
    uvloop.run(load(port, n_connections, seconds, lambda _name, wait: waits.append(wait)))
    took = time.perf_counter() - start
    waits.sort()
    p50, p99 = (waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    return len(waits) / took, 1000 * p50, 1000 * p99, 1000 * waits[-1]


@contextmanager
def collector(root: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A running `gitloop capture serve`, and its port."""
    command = [sys.executable, "-m", "gitloop", "capture", "serve", "--port", "0", "--rate", "0"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 -- it was asked for
        said = process.stdout.readline()
        try:
            yield process, int(said.rpartition(":")[2])
        finally:
            process.terminate()


@contextmanager
def bare(port: int) -> Iterator[int]:
    """The same server with an application that answers at once."""
    with subprocess.Popen([sys.executable, "-c", BARE, str(port)]) as process:
        time.sleep(2)
        try:
            yield port
        finally:
            process.terminate()


def repository(root: Path) -> Path:
    """A Git repository as `gitloop init` leaves it, as far as the collector needs it."""
    root.mkdir()
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").touch()
    (root / "params.yaml").touch()
    Repo.init(root)
    return root


def one_by_one(folder: Path, seconds: float) -> float:
    """Events per second of write + fsync of each line on its own."""
    line = b"x" * 300 + b"\n"
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    n, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        os.write(descriptor, line)
        os.fsync(descriptor)
        n += 1
    os.close(descriptor)
    return n / (time.perf_counter() - start)


def cpu_s(process: subprocess.Popen[str]) -> float:
    """Seconds of CPU that the process has used, user and system."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def race(folder: Path, n_connections: int, seconds: float) -> None:
    """Print what the collector acknowledges beside its peers."""
    print(f"write + fsync, one by one: {one_by_one(folder, seconds):,.0f} events/s")
    with collector(repository(folder / "repository")) as (process, port), bare(port + 1) as other:
        for name, at in (("collector", port), ("answers at once", other)) * N_ROUNDS:
            before = cpu_s(process)
            rate, p50, p99, most = measure(at, n_connections, seconds)
            used = (cpu_s(process) - before) / (rate * seconds)
            print(
                f"{name}: {rate:,.0f} events/s,"
                f" p50 {p50:.1f} ms, p99 {p99:.1f} ms, largest {most:.1f} ms"
                + (f"; {1e6 * used:.0f} µs of CPU an event" if name == "collector" else "")
            )


def kill(folder: Path, n_connections: int, n_times: int) -> None:
    """Kill the collector under load and look for events that it had acknowledged."""
    root = repository(folder / "killed")
    acknowledged: set[str] = set()
    for turn in range(n_times):
        with collector(root) as (process, port):
            lives_s = 0.3 + 0.2 * turn

            async def until_killed() -> None:
                loop = asyncio.get_running_loop()
                loop.call_later(lives_s, os.kill, process.pid, signal.SIGKILL)  # noqa: B023
                await load(port, n_connections, 60, lambda name, _wait: acknowledged.add(name))

            uvloop.run(until_killed())
    spool = root / "data" / "feedback" / "spool"
    lines = [
        line
        for path in spool.glob("*.jsonl")
        for line in path.read_bytes().rstrip(b"\0").split(b"\n")
    ]
    found = []
    n_torn = 0
    for line in filter(None, lines):
        try:
            found.append(json.loads(line)["feedback_id"])
        except ValueError:
            n_torn += 1
    lost = acknowledged - set(found)
    print(
        f"killed {n_times} times: {len(acknowledged):,} acknowledged, {len(lost)} lost,"
        f" {len(found) - len(set(found))} twice, {n_torn} torn lines"
    )


def main() -> None:
    """Run the comparison, or the killing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each is measured")
    parser.add_argument("--connections", type=int, default=64, help="senders at a time")
    parser.add_argument("--folder", type=Path, default=None, help="a directory on a real disk")
    parser.add_argument("--kill", action="store_true", help="kill -9 instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        if options.kill:
            kill(Path(name), options.connections, 5)
        else:
            race(Path(name), options.connections, options.seconds)


if __name__ == "__main__":
    main()
