"""How many calls run at a time, how long they wait, and when the money is spent."""

from __future__ import annotations

import email.utils
import threading
import time
from datetime import UTC, datetime

from gitloop.llm.settings import Settings

_GROWTH = 5
"""Good answers in a row, per slot, after which one more call may run."""
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0


class Gate:
    """Lets so many calls through at a time: halved when the server says 429, and slowly regained.

    Only 429 shrinks it: a server that fails is not helped by fewer questions (AIMD, as in TCP).

    Args:
        most: Most calls at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._running = 0
        self._good = 0
        self._closed_until = 0.0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many calls may run at a time now."""
        with self._changed:
            return int(self._limit)

    def enter(self) -> None:
        """Wait until a call may run."""
        with self._changed:
            while True:
                left = self._closed_until - time.monotonic()
                if left <= 0 and self._running < self._limit:
                    self._running += 1
                    return
                self._changed.wait(left if left > 0 else None)

    def leave(self, *, good: bool) -> None:
        """A call has ended."""
        with self._changed:
            self._running -= 1
            self._good = self._good + 1 if good else 0
            if self._limit < self._most and self._good >= _GROWTH * self._limit:
                self._limit = min(self._limit + 1, self._most)
                self._good = 0
            self._changed.notify_all()

    def slow_down(self, wait_s: float) -> None:
        """The server asked for fewer calls, and for none within `wait_s`."""
        with self._changed:
            now = time.monotonic()
            if now >= self._closed_until:  # answers to one burst count once
                self._limit = max(1.0, self._limit / 2)
            self._closed_until = max(self._closed_until, now + wait_s)
            self._good = 0
            self._changed.notify_all()


def wait_s(attempt: int, retry_after: str, salt: int) -> float:
    """Seconds to wait after the nth failed attempt (from 1): as the server says, or ever longer.

    Args:
        attempt: The attempt that failed.
        retry_after: The server's header: seconds, a date, or "".
        salt: Tells callers apart, so that they do not all come back at once.
    """
    asked = _asked(retry_after)
    if asked is not None:
        return asked
    spread = 0.75 + (salt * 2654435761 % 1024) / 2048  # 0.75 … 1.25, the same for the same call
    return float(min(_FIRST_WAIT_S * 2 ** (attempt - 1), _LONGEST_WAIT_S) * spread)


def _asked(retry_after: str) -> float | None:
    """Seconds in a Retry-After header, or None where it holds none."""
    try:
        return max(float(retry_after), 0.0)
    except ValueError:
        pass
    try:
        at = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max((at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


class Budget:
    """What a run may still spend.

    Args:
        settings: The limits, and what a token costs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._calls = 0
        self._tokens = 0
        self._usd = 0.0

    def take(self) -> str:
        """Count a call about to be made; what is spent already, in words, or ""."""
        limits = self._settings
        with self._lock:
            spent = ""
            if limits.max_calls is not None and self._calls >= limits.max_calls:
                spent = f"the budget of {limits.max_calls} calls is spent"
            elif limits.max_tokens is not None and self._tokens >= limits.max_tokens:
                spent = f"the budget of {limits.max_tokens} tokens is spent"
            elif limits.max_usd is not None and self._usd >= limits.max_usd:
                spent = f"the budget of {limits.max_usd:g} US dollars is spent"
            if not spent:
                self._calls += 1
            return spent

    def pay(self, n_input: int, n_output: int) -> float | None:
        """Count an answer's tokens; its price in US dollars, or None where none is known."""
        usd = self._settings.price.of(n_input, n_output)
        with self._lock:
            self._tokens += n_input + n_output
            self._usd += usd or 0.0
        return None if usd is None else round(usd, 9)
