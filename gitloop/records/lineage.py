"""What a golden set's history says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PartState:
    """A golden part right after a change.

    Attributes:
        id: Stem of its files.
        md5: MD5 of its Parquet file.
        rows_sha256: Dataset digest of its rows alone.
        n_rows: Rows in it.
    """

    id: str
    md5: str
    rows_sha256: str
    n_rows: int


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """What `log/<id>.yaml` says: one promotion, correction, retirement or compaction.

    Attributes:
        id: The version that it made and four digits of its own, e.g. "2026.05-3fa2c1-9b1d"; stem of
            its file. Two people who come to the same content each have a record.
        parents: Ids of the records that it was written against; two after a merge, none at first.
        dataset_sha256: Dataset digest right after it.
        content: The whole record.
    """

    id: str
    parents: tuple[str, ...]
    dataset_sha256: str
    content: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The version that it made: month, and six digits of the dataset digest."""
        return str(self.content["version"])

    @property
    def kind(self) -> str:
        """What was done: promote, edit, retire, compact, migrate or merge."""
        return str(self.content.get("kind", ""))

    @property
    def created_at(self) -> str:
        """When, as the record writes it."""
        return str(self.content.get("created_at", ""))

    @property
    def added(self) -> list[str]:
        """row_ids that came in."""
        return list(self.content["rows"]["added"])

    @property
    def changed(self) -> dict[str, str]:
        """row_id → row digest right after it, of the rows that changed."""
        return dict(self.content["rows"]["changed"])

    @property
    def retired(self) -> list[str]:
        """row_ids that went."""
        return list(self.content["rows"]["retired"])

    @property
    def parts(self) -> list[PartState]:
        """The parts that it wrote."""
        return [PartState(**part) for part in self.content["parts"]]

    @property
    def removed_parts(self) -> list[str]:
        """Ids of the parts that it took away."""
        return list(self.content["removed_parts"])
