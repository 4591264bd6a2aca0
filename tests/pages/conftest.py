"""The label page, served by the real command in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser import Driver, chromium


@dataclass(slots=True)
class Served:
    """A running `gitloop label`.

    Attributes:
        process: Its process.
        link: The link that it told first.
    """

    process: subprocess.Popen[str]
    link: str

    @property
    def origin(self) -> str:
        """The server's own origin."""
        return self.link.partition("/#")[0]

    def next_link(self) -> str:
        """The next link that it tells."""
        return _link(self.process)

    def kill(self) -> None:
        """Kill it as nothing can catch."""
        self.process.kill()
        self.process.wait()

    def end(self) -> str:
        """Press Ctrl-C, and return what it printed in the end."""
        self.process.send_signal(signal.SIGINT)
        return self.rest()

    def rest(self) -> str:
        """What it printed on stdout until it ended by itself."""
        assert self.process.stdout is not None
        told = self.process.stdout.read()
        assert self.process.wait() == 0
        return told


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start `gitloop label` in a directory; it is killed when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(root: Path, *args: str) -> Served:
        process = subprocess.Popen(
            [sys.executable, "-m", "gitloop", "label", "--no-browser", *args],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        started.append(process)
        return Served(process, _link(process))

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def chromedriver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """One chromedriver for all tests of pages."""
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture
def driver(chromedriver: Driver) -> Iterator[Driver]:
    """The chromedriver; the browsers that a test opened are closed when it ends."""
    yield chromedriver
    chromedriver.close()


def _link(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        found = re.search(r"http://127\.0\.0\.1:\d+/#\S+", line)
        if found:
            return found[0]
    raise AssertionError("no link was told:\n" + "".join(said))
