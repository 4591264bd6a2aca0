"""Whether the pinned human holdout is what it says: nothing that learns has seen its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from gitloop.stats.holdout import is_held_out

LONG = 40
"""Characters of a text from which its appearance elsewhere is no coincidence."""

LEARNING = ("train", "val")
"""Splits that examples and optimizers learn from."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A held-out row that something may have learned from.

    Attributes:
        trace_id: The row's trace.
        place: Where it was seen: a file, or a golden set and its split.
        message: The fact, in one sentence.
    """

    trace_id: str
    place: str
    message: str


def golden_leaks(golden: pl.DataFrame, rate: float) -> list[Leak]:
    """Golden rows that examples and optimizers learn from, and whose group is held out.

    Args:
        golden: Columns set, row_id, split, group_id, source_trace_id.
        rate: `calibrate.holdout_rate`.
    """
    rows = golden.filter(pl.col("split").is_in(LEARNING)).sort("set", "row_id")
    columns = ("set", "row_id", "split", "group_id", "source_trace_id")
    return [
        Leak(trace_id, f"golden/{name}", f"row {row_id} is a {split} row of golden/{name}")
        for name, row_id, split, group_id, trace_id in rows.select(columns).iter_rows()
        if is_held_out(group_id, rate)
    ]


def quoted_leaks(held: pl.DataFrame, texts: Mapping[str, str]) -> list[Leak]:
    """Files that quote a held-out row, as few-shot examples do.

    Args:
        held: Columns trace_id, input, output: held-out rows.
        texts: File → what it says.
    """
    flat = {path: _flat(text) for path, text in sorted(texts.items())}
    found = []
    for trace_id, asked, answered in held.select("trace_id", "input", "output").iter_rows():
        for path, text in flat.items():
            for name, cell in (("input", asked), ("output", answered)):
                if cell and len(_flat(cell)) >= LONG and _flat(cell) in text:
                    message = f"{path} quotes the {name} of {trace_id}"
                    found.append(Leak(trace_id, path, message))
    return found


def trained_leaks(held: pl.DataFrame, trained: Mapping[str, Iterable[str]]) -> list[Leak]:
    """Held-out rows that a classifier was trained on, or a judge is shown as an example.

    Args:
        held: Column trace_id: held-out rows.
        trained: File of a classifier or of examples → trace ids of its rows.
    """
    ids = set(held["trace_id"].to_list())
    return [
        Leak(trace_id, path, f"{path} learned from {trace_id}")
        for path, seen in sorted(trained.items())
        for trace_id in sorted(ids & set(seen))
    ]


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())
