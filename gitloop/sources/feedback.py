"""Feedback events in JSON lines, CSV or Parquet, by the columns of `tables.FEEDBACK`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import polars as pl

from gitloop.sources import csv, jsonl, parquet


class FeedbackSource:
    """Reads events, whatever the file's columns look like; its form follows from its name.

    Also reads the fallback files of the recorder.
    """

    id: ClassVar[str] = "feedback"
    version: ClassVar[str] = "1"
    reads_attributes: ClassVar[bool] = False

    def accepts(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Never: the plain formats see for themselves whether a file holds feedback."""
        return False

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:  # noqa: ARG002
        """None: the file holds feedback."""
        return iter(())

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`.

        Raises:
            TableError: Every row that is no event, when all were read.
        """
        name = path.name.removesuffix(".gz")
        if name.endswith(".csv"):
            return csv.feedback_table(path, columns)
        if name.endswith((".parquet", ".pq")):
            return parquet.feedback_table(path, columns)
        return jsonl.feedback_lines(path, columns)
