"""The feedback rates of a join as a table that `dvc plots` draws, revision beside revision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from gitloop.core.join.joining import CONTEXT

_COLUMNS = ("rate", "low", "high", "n_hits", "n")


def rates_csv(metrics: Mapping[str, Any]) -> str:
    """How many of the traces got each signal, over all and per slice that got it.

    Args:
        metrics: What `measure` gives.

    Returns:
        CSV with `part` ("signal", or "signal · slice"), the rate with its interval in [0, 1],
        n_hits and n (traces). A signal that no trace could get is left out.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("part", *_COLUMNS))
    for part, rate in _parts(metrics["rates"]):
        if rate["n"]:
            writer.writerow((part, *(rate[name] for name in _COLUMNS)))
    return text.getvalue()


def _parts(rates: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    signals = rates["all"]["signals"]
    yield from signals.items()
    for name in CONTEXT:
        for value, found in rates[name].items():
            for signal in signals:
                if found["signals"][signal]["n_hits"]:
                    yield f"{signal} · {name} {value}", found["signals"][signal]
