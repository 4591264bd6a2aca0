"""Which of their columns and attributes is which of ours."""

from __future__ import annotations

from collections.abc import Mapping

from gitloop.params import Capture
from gitloop.protocols import Source


def columns_of(capture: Capture, source: Source, fixed: Mapping[str, str]) -> dict[str, str]:
    """Our column → theirs, for this source."""
    own = {
        "route": capture.route_attribute,
        "user_cohort": capture.user_cohort_attribute,
    }
    return {**(own if source.reads_attributes else {}), **capture.columns, **fixed}
