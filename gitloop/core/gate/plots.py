"""The gate's figures as a table that `dvc plots` draws, revision beside revision."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

_KINDS = ("floor", "delta", "route", "cohort", "cell", "cluster")


def rates_csv(document: Mapping[str, Any]) -> str:
    """What each rubric, and each slice of it, comes to.

    Args:
        document: The content of gate.json.

    Returns:
        CSV with `part` ("rubric" or "rubric · slice"), `observed` in [0, 1] and `n` rows, sorted by
        part. What was observed is a pass rate; the mean score where `gate.delta_on` says so and the
        part has no floor. A part on which nothing was observed is left out.
    """
    parts: dict[str, tuple[float, int]] = {}
    for check in document["checks"]:
        if check["kind"] in _KINDS and check["observed"] is not None:
            part = " · ".join(filter(None, (check["rubric"], check["slice"])))
            parts.setdefault(part, (check["observed"], check["n"]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("part", "observed", "n"))
    writer.writerows((part, *parts[part]) for part in sorted(parts))
    return text.getvalue()
