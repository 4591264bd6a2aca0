"""How much one address may send, and how much may be in memory at once."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_ADDRESSES = 10_000


class Rates:
    """A bucket of tokens per address: `rate` a second flow in, a second's worth at most is kept.

    Args:
        rate: Tokens per second; 0 means that everything passes.
        clock: Seconds that only go forward, whatever the wall clock does.
        most_addresses: Addresses remembered; the one that was quiet longest is forgotten first.
    """

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        most_addresses: int = _MOST_ADDRESSES,
    ) -> None:
        self._rate = rate
        self._room = max(rate, 1.0)
        self._clock = clock
        self._most_addresses = most_addresses
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Whole seconds until the address may send again; 0 when it may now."""
        if not self._rate:
            return 0
        level = self._level(address)
        return 0 if level >= 1 else max(1, math.ceil((1 - level) / self._rate))

    def take(self, address: str, n: int) -> None:
        """Take `n` tokens; an address that sent more than it had waits the longer afterwards."""
        if not self._rate:
            return
        self._buckets[address] = (self._level(address) - n, self._clock())
        self._buckets.move_to_end(address)
        while len(self._buckets) > self._most_addresses:
            self._buckets.popitem(last=False)

    def _level(self, address: str) -> float:
        level, at = self._buckets.get(address, (self._room, 0.0))
        return min(self._room, level + (self._clock() - at) * self._rate)
