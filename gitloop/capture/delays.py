"""Work that is done a moment later, in a thread that keeps no process alive."""

from __future__ import annotations

import threading

TYPE_CHECKING = False  # the name that type checkers know, without the cost of importing typing
if TYPE_CHECKING:
    from collections.abc import Callable


def call_later(seconds: float, work: Callable[[], None]) -> None:
    """Do the work once, that many seconds from now."""
    timer = threading.Timer(seconds, work)
    timer.daemon = True
    timer.start()
