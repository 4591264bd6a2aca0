"""Which traces have arrived whole, as far as anybody can tell.

The spans of a trace come in several requests, from several services, and its root as a rule last.
A trace is taken in once; so it is left in the spool until its root is there and nothing more has
come for a while, or until nothing has come for long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

QUIET = timedelta(seconds=10)
"""No span for so long: a trace with its root is whole. Exporters send every 5 s by default."""

ROOTLESS_QUIET = timedelta(hours=1)
"""The same for a trace without its root: its root may still be at work, or it was lost."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What has come of a trace.

    Attributes:
        last_at: When its newest request came, UTC; None where nobody wrote it down.
        has_root: Whether a span without a parent is among it.
    """

    last_at: datetime | None
    has_root: bool

    def with_request(self, at: datetime | None, *, has_root: bool) -> Arrival:
        """The same with one more request."""
        known = [time for time in (self.last_at, at) if time is not None]
        return Arrival(max(known, default=None), self.has_root or has_root)


def still_arriving(arrivals: Mapping[str, Arrival], now: datetime) -> frozenset[str]:
    """The traces that are left for the next time.

    Args:
        arrivals: Trace id → what has come.
        now: UTC. Where the clock was put back by more than the time that a trace is left to rest,
            nothing waits for it to catch up.
    """
    return frozenset(
        trace_id for trace_id, arrival in arrivals.items() if not _is_settled(arrival, now)
    )


def _is_settled(arrival: Arrival, now: datetime) -> bool:
    if arrival.last_at is None:
        return True
    quiet = QUIET if arrival.has_root else ROOTLESS_QUIET
    return abs(now - arrival.last_at) >= quiet
