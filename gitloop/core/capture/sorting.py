"""Sorting arriving rows into new ones, repeated ones, and conflicts with what is there.

The first row of a key stays; a later one with equal content is a repetition and is skipped; a later
one with other content is a conflict, which is kept apart and counted. Nothing is lost either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gitloop.digests import sha256_of
from gitloop.schema import Table

_NOT_CONTENT = {"traces": ("source",), "feedback": ("created_at",)}
"""What may differ in a repetition: the format it came in; the time of an event that was resent."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Arrived rows, sorted out.

    Attributes:
        new: Rows whose key was not there, each key once.
        conflicts: Rows whose key was there with other content, each content once; fits
            `tables.CONFLICTS`.
        n_repeated: Rows that were there already, or among the conflicts, word for word.
        known: What is there now: key and `content`.
    """

    new: pl.DataFrame
    conflicts: pl.DataFrame
    n_repeated: int
    known: pl.DataFrame


def nothing_known(table: Table) -> pl.DataFrame:
    """What `fingerprints` gives for no rows."""
    return fingerprints(table.empty(), table)


def fingerprints(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Key and `content` of each row: a hash of what counts, good within one process."""
    left_out = _NOT_CONTENT.get(table.name, ())
    content = rows.select(column.name for column in table.columns if column.name not in left_out)
    return rows.select(*table.key, content=content.hash_rows())


def in_order(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The rows by time, equal times by content: in which file a row came decides nothing.

    Args:
        rows: Fit the table, but for keys that stand in them more than once.
        table: `tables.TRACES` or `tables.FEEDBACK`.
    """
    left_out = _NOT_CONTENT.get(table.name, ())
    names = [column.name for column in table.columns if column.name not in left_out]
    content = pl.struct(names).struct.json_encode().alias("__content")
    order = ["created_at", *table.key, "__content"]
    return rows.with_columns(content).sort(order, nulls_last=True).drop("__content")


def sort_out(rows: pl.DataFrame, known: pl.DataFrame, table: Table) -> Sorted:
    """What is new in the rows, what is repeated, and what contradicts.

    Args:
        rows: Fit the table, but for keys that stand in them more than once; earlier rows win.
        known: What is there: `fingerprints`.
        table: `tables.TRACES` or `tables.FEEDBACK`.
    """
    key = list(table.key)
    # On keys and hashes alone: the rows themselves are long, and moved once.
    content = fingerprints(rows, table).lazy()
    standing = pl.coalesce("__known", pl.col("content").first().over(key))
    judged = (
        content.join(
            known.lazy().rename({"content": "__known"}), on=key, how="left", maintain_order="left"
        )
        .with_columns(
            __is_first=pl.col("__known").is_null() & pl.struct(key).is_first_distinct(),
            __is_other=pl.col("content") != standing,
        )
        .select(
            *key,
            "content",
            "__is_first",
            __is_conflict=~pl.col("__is_first") & pl.col("__is_other"),
        )
        .collect()
    )
    is_first, is_conflict = judged["__is_first"], judged["__is_conflict"]
    schema = table.schema.names()
    conflicts = _with_digests(rows.filter(is_conflict).select(schema), table)
    new = rows if is_first.all() else rows.filter(is_first)
    return Sorted(
        new=new.select(schema),
        conflicts=conflicts,
        n_repeated=rows.height - new.height - conflicts.height,
        known=pl.concat([known, judged.filter(is_first).select(*key, "content")]),
    )


def without_known(conflicts: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The conflicts that were not kept before.

    Args:
        conflicts: With `content_sha256`.
        known: The conflicts that are there.
    """
    return conflicts.filter(~pl.col("content_sha256").is_in(known["content_sha256"].implode()))


def _with_digests(conflicts: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The rows with the digest of their content, each content once."""
    left_out = _NOT_CONTENT.get(table.name, ())
    digests = [
        sha256_of({name: value for name, value in row.items() if name not in left_out})
        for row in conflicts.iter_rows(named=True)
    ]
    return conflicts.with_columns(pl.Series("content_sha256", digests, dtype=pl.String)).unique(
        "content_sha256", keep="first", maintain_order=True
    )
