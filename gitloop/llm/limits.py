"""How many calls run at a time, how long they wait, and when the money is spent."""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from gitloop.errors import ConfigError
from gitloop.llm.settings import Limits, Settings

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
    """What may still be spent.

    Args:
        limits: The limits.
        whose: What is spent, e.g. "the run's budget".
    """

    def __init__(self, limits: Limits, whose: str = "the budget") -> None:
        self.limits = limits
        self._whose = whose
        self._lock = threading.Lock()
        self._calls = 0
        self._tokens = 0
        self._usd = 0.0

    def take(self) -> str:
        """Count a call about to be made; what is spent already, in words, or ""."""
        limits = self.limits
        with self._lock:
            spent = ""
            if limits.calls is not None and self._calls >= limits.calls:
                spent = f"{limits.calls} calls"
            elif limits.tokens is not None and self._tokens >= limits.tokens:
                spent = f"{limits.tokens} tokens"
            elif limits.usd is not None and self._usd >= limits.usd:
                spent = f"{limits.usd:g} US dollars"
            if not spent:
                self._calls += 1
            return f"{self._whose} of {spent} is spent" if spent else ""

    def pay(self, n_tokens: int, usd: float | None) -> None:
        """Count what an answer cost."""
        with self._lock:
            self._tokens += n_tokens
            self._usd += usd or 0.0


_RUN: ContextVar[Budget | None] = ContextVar("run", default=None)


def run_budget(limits: Limits) -> Budget:
    """The budget of a run, for `spending`."""
    return Budget(limits, "the run's budget")


@contextmanager
def spending(budget: Budget) -> Iterator[None]:
    """Until the block ends, whatever this thread asks of any endpoint counts against it too."""
    token = _RUN.set(budget)
    try:
        yield
    finally:
        _RUN.reset(token)


class Purse:
    """What an endpoint's client may still spend: its own budget, and that of the run.

    Args:
        settings: The client's limits, and what a token costs.
    """

    def __init__(self, settings: Settings) -> None:
        self._price = settings.price
        self._budgets = [Budget(settings.limits)]

    def join_run(self) -> None:
        """Share the budget of the run that this thread is in.

        Raises:
            ConfigError: It is one of dollars, and the client knows no price.
        """
        run = _RUN.get()
        if run is None:
            return
        if run.limits.usd is not None and self._price.of(0, 0) is None:
            raise ConfigError(
                "params.yaml: calls.budget.usd is set, and a model that is called has no price",
                hint="add price: {input: …, output: …} to its parameters",
            )
        self._budgets[1:] = [run]

    def take(self) -> str:
        """Count a call about to be made; what is spent already, in words, or ""."""
        return next(filter(None, (budget.take() for budget in self._budgets)), "")

    def pay(self, n_input: int, n_output: int) -> float | None:
        """Count an answer's tokens; its price in US dollars, or None where none is known."""
        usd = self._price.of(n_input, n_output)
        for budget in self._budgets:
            budget.pay(n_input + n_output, usd)
        return None if usd is None else round(usd, 9)
