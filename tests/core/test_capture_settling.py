"""Which traces have arrived whole: roots, silence, and clocks that jump."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gitloop.core.capture import Arrival, still_arriving

NOW = datetime(2026, 5, 19, 14, 33, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago_s", "has_root", "waits"),
    [
        (0, True, True),
        (9, True, True),
        (10, True, False),
        (10, False, True),
        (3599, False, True),
        (3600, False, False),
        (-2, True, True),
        (-86_400, True, False),
        (-86_400, False, False),
    ],
)
def test_a_trace_waits_until_nothing_more_comes(ago_s: int, has_root: bool, waits: bool) -> None:
    """With its root 10 s of silence are enough, without it an hour; a clock put back holds none."""
    arrival = Arrival(NOW - timedelta(seconds=ago_s), has_root)
    assert still_arriving({"t": arrival}, NOW) == ({"t"} if waits else set())


def test_a_trace_nobody_timed_does_not_wait() -> None:
    """Requests that came without their time are taken as old."""
    assert still_arriving({"t": Arrival(None, has_root=False)}, NOW) == set()


def test_what_comes_later_moves_the_time_and_may_bring_the_root() -> None:
    """The newest time counts, and one root is enough."""
    first = Arrival(NOW, has_root=False)
    second = first.with_request(NOW - timedelta(seconds=5), has_root=True)
    assert second == Arrival(NOW, has_root=True)
    assert Arrival(None, has_root=True).with_request(None, has_root=False).has_root
