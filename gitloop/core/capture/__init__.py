"""What happens to rows on their way in: sorted out against what is there, and read for signals."""

from gitloop.core.capture.deriving import RULES, derive
from gitloop.core.capture.settling import Arrival, still_arriving
from gitloop.core.capture.sorting import (
    Sorted,
    fingerprints,
    in_order,
    nothing_known,
    sort_out,
    without_known,
)

__all__ = [
    "RULES",
    "Arrival",
    "Sorted",
    "derive",
    "fingerprints",
    "in_order",
    "nothing_known",
    "sort_out",
    "still_arriving",
    "without_known",
]
