"""The recorded target: outputs that were made elsewhere, and a table holds.

    target: {use: recorded, table: data/outputs.parquet, parameters: {where: {model: gpt-4o}}}

The table (Parquet) has the columns item_id (or trace_id) and output; where it has a column
replicate, that counts too. A row without a recorded output is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from gitloop.arguments import Argument, check
from gitloop.errors import ConfigError, DataError
from gitloop.params import Prompt
from gitloop.params import Target as TargetPin
from gitloop.records import Answer, Case

_PARAMETERS = {
    "where": Argument("mapping", "column → value: which of the table's rows count", default={}),
    "id": Argument("text", "column that holds the item's id", default="item_id"),
}


class RecordedTarget:
    """Answers by look-up in a table."""

    id: ClassVar[str] = "recorded"
    version: ClassVar[str] = "1"
    is_pure: ClassVar[bool] = True

    def __init__(self, pin: TargetPin, prompt: Prompt | None, root: Path) -> None:  # noqa: ARG002 -- the protocol's
        if pin.table is None:
            raise ConfigError(
                "params.yaml: target.table is missing",
                hint="name the Parquet table of outputs: target.table: data/outputs.parquet",
            )
        where = "params.yaml: target.parameters"
        self._outputs = _read(
            root / pin.table, pin.table, check(pin.parameters, _PARAMETERS, where=where)
        )

    def request(self, case: Case) -> dict[str, Any]:
        """Which row of the table is asked for."""
        return {"item_id": case.item_id, "replicate": case.replicate}

    def call(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The recorded output of each request."""
        return [self._answer(request["item_id"], request["replicate"]) for request in requests]

    def _answer(self, item_id: str, replicate: int) -> Answer:
        key = (item_id, replicate)
        if self._outputs.get(key) is None:
            return Answer("missing", error="no output was recorded")
        return Answer("ok", {"output": self._outputs[key]})


def _read(
    path: Path, source: str, parameters: Mapping[str, Any]
) -> dict[tuple[str, int], str | None]:
    """item_id and replicate → output.

    Raises:
        DataError: The file is not there, is no such table, or has two outputs for one key.
    """
    if not path.is_file():
        raise DataError(f"{source} does not exist", hint="run: dvc pull, or edit params.yaml")
    try:
        rows = pl.read_parquet(path, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"{source} is not a readable Parquet file: {str(error).splitlines()[0]}",
            hint="edit params.yaml: target.table",
        ) from error
    named, where = parameters["id"], parameters["where"]
    absent = sorted({named, "output", *where} - set(rows.columns))
    if absent:
        raise DataError(
            f"{source} has no column {' and no column '.join(absent)}",
            hint=f"it has {', '.join(rows.columns)}",
        )
    for column, value in where.items():
        rows = rows.filter(pl.col(column) == value)
    found: dict[tuple[str, int], str | None] = {}
    for row in rows.iter_rows(named=True):
        key = (str(row[named]), int(row.get("replicate") or 0))
        if key in found:
            raise DataError(
                f"{source} has two outputs for {key[0]}, replicate {key[1]}",
                hint="narrow target.parameters.where",
            )
        found[key] = row["output"]
    return found
