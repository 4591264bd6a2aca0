"""A golden set that is built version by version, before any of it is committed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import polars as pl

from gitloop.storage.dvc import Dvc
from gitloop.storage.golden import digests_of
from gitloop.storage.golden_parts import WrittenPart, write_parts
from gitloop.storage.lineage import Change, GoldenRecord, parse_record, render_record


class HistoryWriter:
    """Turns a sequence of whole tables into parts and records.

    Args:
        dvc: Where the bytes go.
        set_name: The set.
    """

    def __init__(self, dvc: Dvc, set_name: str) -> None:
        self._dvc = dvc
        self._set_name = set_name
        self._records: list[GoldenRecord] = []
        self._texts: dict[str, bytes] = {}
        self._parts: dict[str, pl.DataFrame] = {}
        self._written: dict[str, WrittenPart] = {}
        self.rows: dict[str, str] = {}
        self.splits: dict[str, str] = {}

    @property
    def versions(self) -> list[str]:
        """The versions so far, oldest first."""
        return [record.version for record in self._records]

    def add(self, rows: pl.DataFrame, *, at: datetime, why: str) -> None:
        """Make these rows the next version; a table with the same rows makes none."""
        digests = digests_of(rows)
        added = sorted(set(digests) - set(self.rows))
        retired = sorted(set(self.rows) - set(digests))
        changed = sorted(k for k, sha in self.rows.items() if digests.get(k, sha) != sha)
        if not (added or retired or changed):
            return
        removed = self._rewrite(rows, set(changed), set(retired))
        change = Change(
            kind="migrate",
            set_name=self._set_name,
            heads=self._records[-1:],
            base_sha256=self._records[-1].dataset_sha256 if self._records else None,
            row_digests=digests,
            parts=(),
            removed_parts=removed,
            added=added,
            changed=changed,
            retired=retired,
            at=at,
            why=why,
        )
        if added:
            new = rows.filter(pl.col("row_id").is_in(added))
            self._parts[change.id] = new.with_columns(pl.lit(change.id).alias("promoted_in"))
        written = [part.state for part in self._write()]
        path = f"golden/{self._set_name}/log/{change.id}.yaml"
        self._texts[path] = render_record(replace(change, parts=written))
        self._records.append(parse_record(self._texts[path], source=path))
        self.rows = digests
        self.splits |= dict(rows.select("group_id", "split").iter_rows())

    def files(self) -> dict[str, bytes]:
        """Path → content of the newest version's pointers and of all records."""
        pointers = {
            part.pointer_path(self._set_name): part.pointer.render().encode()
            for part in self._written.values()
        }
        return pointers | self._texts

    def _rewrite(self, rows: pl.DataFrame, changed: set[str], retired: set[str]) -> list[str]:
        """Bring changes and retirements into the parts; return the ids of parts that went."""
        removed = []
        for part_id, part in list(self._parts.items()):
            ids = set(part["row_id"].to_list())
            if not ids & (changed | retired):
                continue
            kept = part.select("row_id", "promoted_in").filter(
                ~pl.col("row_id").is_in(list(retired))
            )
            if kept.is_empty():
                removed.append(part_id)
                del self._parts[part_id]
                self._written.pop(part_id)
                continue
            new = rows.drop("promoted_in").join(kept, on="row_id", how="inner")
            self._parts[part_id] = new.select(part.columns)
            self._written.pop(part_id)
        return removed

    def _write(self) -> list[WrittenPart]:
        """Write the parts that are new or changed; those that come out too large are split."""
        touched = []
        for part_id in [name for name in self._parts if name not in self._written]:
            rows = self._parts.pop(part_id)
            for part in write_parts(self._dvc, part_id, rows):
                self._written[part.state.id] = part
                self._parts[part.state.id] = self._rows_of(part)
                touched.append(part)
        return touched

    def _rows_of(self, part: WrittenPart) -> pl.DataFrame:
        path = self._dvc.object_path(part.pointer.md5)
        return pl.read_parquet(path) if path is not None else pl.DataFrame()
