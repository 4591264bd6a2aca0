"""Rows of the pinned human holdout that something has learned from."""

from __future__ import annotations

import polars as pl

from gitloop.core.calibrate import Leak, golden_leaks, quoted_leaks, trained_leaks
from gitloop.stats.holdout import is_held_out

NAMES = [f"t{n:03}" for n in range(40)]
PINNED = [name for name in NAMES if is_held_out(name, 0.3)]
QUESTION = "Where is the invoice that I was promised in March?"
HELD = pl.DataFrame(
    {
        "trace_id": ["t1", "t2"],
        "input": [QUESTION, "Hi"],
        "output": [None, "Your invoice went to the address that you gave us in March."],
    }
)


def test_golden_rows_that_are_learned_from() -> None:
    """Train and validation rows of pinned groups are leaks; all others are none."""
    rows = pl.DataFrame(
        {
            "set": "support",
            "row_id": NAMES,
            "split": ["train", "val", "holdout", "train"] * 10,
            "group_id": NAMES,
            "source_trace_id": NAMES,
        }
    )
    expected = [name for name in PINNED if int(name[1:]) % 4 != 2]
    assert [leak.trace_id for leak in golden_leaks(rows, 0.3)] == expected
    assert golden_leaks(rows, 0.0) == []


def test_files_that_quote_a_row() -> None:
    """A long text is found across line breaks and case; a short one is no quotation."""
    texts = {
        "prompts/a.md": "Examples:\n\nQ: where is the invoice\n  that I was promised in March? Hi",
        "prompts/b.md": "Hi",
        "rubrics/c.yaml": "Fail: Your invoice went to the address that you gave us in March.",
    }
    assert quoted_leaks(HELD, texts) == [
        Leak("t1", "prompts/a.md", "prompts/a.md quotes the input of t1"),
        Leak("t2", "rubrics/c.yaml", "rubrics/c.yaml quotes the output of t2"),
    ]


def test_classifiers_that_were_trained_on_a_row() -> None:
    """Trace ids of a training set are held against the pinned ones."""
    (leak,) = trained_leaks(HELD, {"judges/x.json": ["t9", "t2"], "judges/y.json": []})
    assert (leak.trace_id, leak.place) == ("t2", "judges/x.json")
