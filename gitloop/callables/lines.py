"""A child process that is spoken to line by line, and never hangs us."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, cast


class LineProcess:
    """A running child process that answers line by line.

    Args:
        command: Its argument list; no shell is involved.
        folder: Where it runs.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._pending = b""

    def send(self, line: str) -> None:
        """Write a line to the child; nothing happens when nobody reads it any more."""
        with suppress(OSError):
            self._stdin.write(line.encode() + b"\n")
            self._stdin.flush()

    def receive(self, timeout_s: float) -> bytes | None:
        """The child's next line with its end; b"" when it has ended, None when it was too slow."""
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._stdout], [], [], max(left, 0))
            if not ready:
                return None
            block = os.read(self._stdout.fileno(), 1 << 16)
            if not block:
                return b""
            self._pending += block
        line, end, self._pending = self._pending.partition(b"\n")
        return line + end

    def stop(self, grace_s: float = 0.0) -> int:
        """End the child, which may end by itself for so long, and whatever it started.

        Returns:
            Its exit code; negative is the signal that ended it.
        """
        with suppress(OSError):
            self._stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._stdout.close()
        return self._process.wait()
