"""Vectors that somebody computed before: a column of a Parquet table, by trace.

    embedder:
      use: precomputed
      version: "1"
      dimensions: 768
      parameters: {table: data/vectors.parquet, column: embedding}

The table is a dependency of the stage: name it in dvc.yaml, so that a change of it is clustered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from gitloop.arguments import Argument, check
from gitloop.errors import ConfigError, DataError

_ARGUMENTS = {
    "table": Argument("text", "Parquet file with a trace_id and a vector per row"),
    "column": Argument("text", "column of the vectors, a list of numbers", default="embedding"),
}
_MOST_NAMED = 10


class PrecomputedEmbedder:
    """Looks vectors up by trace_id.

    Args:
        dimensions: Length of the vectors.
        root: The repository's root.
        parameters: `table` and `column`.

    Raises:
        ConfigError: A parameter is unknown, missing or of the wrong kind.
    """

    id: ClassVar[str] = "precomputed"
    version: ClassVar[str] = "1"

    def __init__(self, dimensions: int, root: Path, **parameters: Any) -> None:  # noqa: ANN401
        known = check(parameters, _ARGUMENTS, where="params.yaml: embedder.parameters")
        self.dimensions = dimensions
        self._root, self._table, self._column = root, known["table"], known["column"]

    def embed(self, texts: Sequence[str], trace_ids: Sequence[str]) -> np.ndarray:  # noqa: ARG002
        """The vector of each trace as a unit row, float32 (n, d).

        Raises:
            ConfigError: There is no such table or column.
            DataError: A trace has no vector, two, one of another length, or one that holds NaN.
        """
        rows = self._rows().filter(pl.col("trace_id").is_in(list(trace_ids)))
        found: dict[str, list[float] | None] = dict(rows.iter_rows())
        twice = rows.filter(pl.col("trace_id").is_duplicated())["trace_id"].unique().sort()
        faults = [f"{trace_id}: two vectors" for trace_id in twice]
        for trace_id in trace_ids:
            vector = found.get(trace_id)
            if vector is None:
                faults.append(f"{trace_id}: no vector")
            elif len(vector) != self.dimensions:
                told = f"{len(vector)} dimensions, but params.yaml pins {self.dimensions}"
                faults.append(f"{trace_id}: {told}")
            elif not np.isfinite(np.array(vector, dtype=np.float64)).all():
                faults.append(f"{trace_id}: the vector holds NaN or infinity")
        if faults:
            lines = [f"  {fault}" for fault in faults[:_MOST_NAMED]]
            more = len(faults) - _MOST_NAMED
            raise DataError(
                f"{self._table} does not serve {len(faults)} of {len(trace_ids)} failures:\n"
                + "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])]),
                hint=f"compute these vectors and write {self._table} again",
            )
        vectors = np.array([found[trace_id] for trace_id in trace_ids], dtype=np.float64)
        vectors = vectors.reshape(len(trace_ids), -1)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)

    def _rows(self) -> pl.DataFrame:
        path = self._root / self._table
        hint = "edit params.yaml: embedder.parameters"
        if not path.is_file():
            raise ConfigError(f"{self._table} does not exist", hint=hint)
        try:
            rows = pl.read_parquet(path)
            return rows.select(
                pl.col("trace_id").cast(pl.String),
                pl.col(self._column).cast(pl.List(pl.Float64)),
            )
        except pl.exceptions.PolarsError as error:
            told = str(error).splitlines()[0]
            raise ConfigError(
                f"{self._table} has no trace_id with a list of numbers in {self._column}: {told}",
                hint=hint,
            ) from error
