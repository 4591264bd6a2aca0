"""What a golden set's history says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
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


@dataclass(frozen=True, slots=True)
class Lineage:
    """The records of a set, and which of them came before which.

    Attributes:
        records: Parents before children; of records side by side, the older first.
        places: Record id → its place in `records`.
        before: For each place, the places of all records that came before it, as a bit mask: ten
            thousand records in a chain take 12 MB, where sets of ids would take gigabytes.
    """

    records: Sequence[GoldenRecord]
    places: Mapping[str, int]
    before: Sequence[int]

    @classmethod
    def of(cls, records: Iterable[GoldenRecord]) -> Lineage:
        """The lineage of these records; parents that are not among them are skipped."""
        ordered = _in_order({record.id: record for record in records})
        places = {record.id: place for place, record in enumerate(ordered)}
        before: list[int] = []
        for place, record in enumerate(ordered):
            mask = 0
            for parent in record.parents:
                found = places.get(parent, place)
                if found < place:  # a circle, which only a forged record can make, is cut
                    mask |= before[found] | 1 << found
            before.append(mask)
        return cls(ordered, places, before)

    def last(self, names: Iterable[str]) -> list[str]:
        """Those of the records that none of the others came after."""
        names = list(names)
        if len(names) < 2:
            return names
        known = 0
        for name in names:
            known |= self.before[self.places[name]]
        return [name for name in names if not known >> self.places[name] & 1]

    def up_to(self, name: str) -> list[GoldenRecord]:
        """The record and all that came before it, parents before children."""
        place = self.places[name]
        mask = self.before[place] | 1 << place
        return [record for k, record in enumerate(self.records[: place + 1]) if mask >> k & 1]


def _in_order(records: Mapping[str, GoldenRecord]) -> list[GoldenRecord]:
    """The records, parents before children (Kahn 1962), the older first where there is a choice."""
    waiting = {
        name: len({parent for parent in record.parents if parent in records})
        for name, record in records.items()
    }
    children: dict[str, list[str]] = {}
    for name, record in records.items():
        for parent in {parent for parent in record.parents if parent in records}:
            children.setdefault(parent, []).append(name)
    ready = [(records[name].created_at, name) for name, n in waiting.items() if n == 0]
    heapify(ready)
    done: dict[str, GoldenRecord] = {}
    while ready:
        name = heappop(ready)[1]
        done[name] = records[name]
        for child in children.get(name, ()):
            waiting[child] -= 1
            if waiting[child] == 0:
                heappush(ready, (records[child].created_at, child))
    circle = sorted(records.keys() - done.keys(), key=lambda name: (records[name].created_at, name))
    return [*done.values(), *(records[name] for name in circle)]
