"""How near judges come to calls ÷ concurrency × latency, and how near their peers do.

The server is a process of its own, so that it takes no time from whoever is measured, and the same
for all. Two shares of the ideal are told: of the calls themselves, from the first request that
reached the server to the last answer that left it, and of the whole run, from the moment that the
judge or the peer was told to begin.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gitloop.judges.openai import OpenaiJudge
from gitloop.params import JudgePin, Rubric
from gitloop.records import Case
from gitloop.storage.calls import CallStore
from tests.endpoints import Reply, endpoint, said

ANSWER = '{"reason": "so", "verdict": "pass", "score": 9}\nGRADE: C'
"""What every judge takes for a verdict."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured.

    Attributes:
        n_calls: Calls.
        concurrency: Calls at a time.
        latency_s: Seconds that the server takes for each.
    """

    n_calls: int = 640
    concurrency: int = 16
    latency_s: float = 0.1

    def ideal_s(self, n_calls: int) -> float:
        """Seconds that so many calls take at best."""
        return n_calls / self.concurrency * self.latency_s


class Server:
    """The loopback server, as this process sees it.

    Args:
        pipe: The way to its process.
        latency_s: Seconds that it takes for each call.
    """

    def __init__(self, pipe: Connection, latency_s: float) -> None:
        self._pipe = pipe
        self._latency_s = latency_s
        self.url: str = pipe.recv()

    def taken(self) -> tuple[int, float]:
        """The calls since this was last asked, and the seconds from the first to the last."""
        self._pipe.send("taken")
        came: list[float] = self._pipe.recv()
        return len(came), max(came) - min(came) + self._latency_s if came else 0.0


def _serve(pipe: Connection, latency_s: float) -> None:
    came: list[float] = []

    def respond(_payload: dict[str, Any], _nth: int) -> Reply:
        came.append(time.monotonic())
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        reply = said(ANSWER, usage=usage, created=1)
        reply.delay_s = latency_s
        return reply

    with endpoint(respond) as server:
        pipe.send(server.url)
        while pipe.recv() == "taken":
            pipe.send(came[:])
            came.clear()


@contextmanager
def _server(latency_s: float) -> Iterator[Server]:
    """A server in a process of its own, until the block ends."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(there, latency_s))
    process.start()
    try:
        yield Server(here, latency_s)
    finally:
        here.send("end")
        process.join()


def throughput(peers: str | None, load: Load = Load()) -> None:
    """Print the shares of the ideal, of ours and of every peer that the interpreter has."""
    with _server(load.latency_s) as server:
        print(f"{load.n_calls} calls, {load.concurrency} at a time, {load.latency_s:g} s each")
        seconds = _ours(server.url, load)
        ours = _tell("gitloop", server.taken(), seconds, load, "  goal 0.95")
        if peers is None:
            print("  deepeval, inspect-ai: absent (--peers names no interpreter)")
            return
        program = str(Path(__file__).with_name("judging_peers.py"))
        command = [peers, program, server.url, str(load.n_calls), str(load.concurrency)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                if line.startswith('{"peer"'):
                    _tell_peer(json.loads(line), server.taken(), load, ours)


def _ours(url: str, load: Load) -> float:
    """Seconds of a judge's calls through an empty call store."""
    form = {"openai": {"instructions": "Pass when it is so."}}
    rubric = Rubric(name="tone", version="1", scale="binary", scorer=form)
    parameters = {"base_url": url, "concurrency": load.concurrency}
    pin = JudgePin(use="openai", model="m", parameters=parameters)
    judge = OpenaiJudge(rubric, pin, Path())
    cases = [Case(str(n), f"q{n}", output="x") for n in range(load.n_calls)]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        store = CallStore(Path(folder), "record")
        requests = [judge.request(case) for case in cases]
        answers = store.ask("judge", requests, judge.call, batch=32, stream=judge.stream)
        seconds = time.perf_counter() - start
    if {judge.read(answer).score for answer in answers} != {1.0}:
        raise AssertionError("a call failed")
    return seconds


def _tell(
    name: str, taken: tuple[int, float], seconds: float, load: Load, after: str = ""
) -> tuple[float, float]:
    """Print the shares of the ideal, and return them: of the calls and of the whole run."""
    n_calls, busy = taken
    calls, whole = load.ideal_s(n_calls) / busy, load.ideal_s(n_calls) / seconds
    print(f"  {name:34}{calls:8.3f} of the calls,{whole:8.3f} of the whole run{after}")
    return calls, whole


def _tell_peer(
    found: dict[str, Any], taken: tuple[int, float], load: Load, ours: tuple[float, float]
) -> None:
    name = f"{found['peer']} {found.get('version', '')}"
    if "absent" in found:
        print(f"  {name}: absent ({found['absent']})")
        return
    if taken[0] < load.n_calls:
        print(f"  {name}: made {taken[0]} of {load.n_calls} calls; not compared")
        return
    calls, whole = _tell(name, taken, found["seconds"], load)
    print(f"    gitloop over it: {ours[0] / calls:.2f} and {ours[1] / whole:.2f}; {taken[0]} calls")


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)
    throughput(sys.argv[1] if len(sys.argv) > 1 else None)
