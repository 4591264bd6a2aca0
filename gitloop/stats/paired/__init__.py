"""Is the candidate worse on the rows that both sides have? Paired tests, one method per type.

Binary pairs: exact McNemar. Graded pairs, and any pairs in groups: sign flips of the (group's)
difference. The p-value decides; the interval beside it describes, and is that of one fixed method
per type (Tango's score interval, Student's t, CR2), so the two may disagree at the boundary.
The effect is always candidate minus baseline: negative is worse.
"""

from __future__ import annotations

from gitloop.stats.paired.comparisons import (
    NonInferiority,
    PairedResult,
    mcnemar,
    non_inferiority,
    paired_binary,
    paired_graded,
)
from gitloop.stats.paired.flips import SignFlip, sign_flip
from gitloop.stats.paired.rates import newcombe_paired_interval, tango_interval

__all__ = [
    "NonInferiority",
    "PairedResult",
    "SignFlip",
    "mcnemar",
    "newcombe_paired_interval",
    "non_inferiority",
    "paired_binary",
    "paired_graded",
    "sign_flip",
    "tango_interval",
]
