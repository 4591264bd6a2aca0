"""Tables in parts: the pointers decide, and what they name is read whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gitloop.errors import DataError, MissingObjectError, TableError
from gitloop.storage import parquet, parts
from gitloop.storage.dvc import Dvc
from gitloop.tables import TRACES
from tests.repositories import Repository

FOLDER = "data/traces"


def traces(*ids: str, **other: Any) -> pl.DataFrame:  # noqa: ANN401
    """Traces of these ids."""
    rows = [
        {
            "trace_id": name,
            "input": f"question {name}",
            "status": "ok",
            "created_at": datetime(2026, 5, 18, tzinfo=UTC),
            "spans": [{"span_id": f"s-{name}", "attributes": "{}"}],
            **other,
        }
        for name in ids
    ]
    return TRACES.complete(
        pl.DataFrame(rows, schema={name: TRACES.schema[name] for name in rows[0]})
    )


def put(repository: Repository, name: str, rows: pl.DataFrame) -> Path:
    """Write a part and its pointer; returns the part's path."""
    path = f"{FOLDER}/{name}.parquet"
    parquet.write(repository.root / path, TRACES, rows)
    parts.track(repository.root, dvc_of(repository), path)
    return repository.root / path


def dvc_of(repository: Repository) -> Dvc:
    """The repository's DVC side."""
    return Dvc(repository.root, repository.root / ".git")


def read(repository: Repository) -> pl.DataFrame:
    """The table, as a step reads it."""
    return parts.read_parts(repository.root, dvc_of(repository), FOLDER, TRACES)


def test_a_table_is_the_union_of_its_parts(repository: Repository) -> None:
    """Rows of all parts come sorted by key; no directory is an empty table."""
    assert read(repository).equals(TRACES.empty())
    put(repository, "2026-05-18-aaaaaaaa", traces("b", "d"))
    put(repository, "2026-05-19-bbbbbbbb", traces("c", "a"))
    assert read(repository)["trace_id"].to_list() == ["a", "b", "c", "d"]


def test_what_two_parts_hold_word_for_word_counts_once(repository: Repository) -> None:
    """Two people may import one file on two branches; the repetition is counted."""
    put(repository, "2026-05-18-aaaaaaaa", traces("a", "b"))
    put(repository, "2026-05-19-bbbbbbbb", traces("b", "c"))
    found = parts.survey_parts(repository.root, dvc_of(repository), FOLDER, TRACES)
    assert found.rows["trace_id"].to_list() == ["a", "b", "c"]
    assert (found.n_parts, found.n_repeated) == (2, 1)


def test_two_parts_that_contradict_each_other_are_an_error(repository: Repository) -> None:
    """One key with two contents is refused, with the key's name."""
    put(repository, "2026-05-18-aaaaaaaa", traces("a"))
    put(repository, "2026-05-19-bbbbbbbb", traces("a", output="other"))
    with pytest.raises(TableError, match="stand in more than one row, first a"):
        read(repository)


def test_a_file_without_a_pointer_is_a_stray(repository: Repository) -> None:
    """What a branch switch left behind is named and not read."""
    put(repository, "2026-05-18-aaaaaaaa", traces("a"))
    put(repository, "2026-05-19-bbbbbbbb", traces("b")).with_name(
        "2026-05-19-bbbbbbbb.parquet.dvc"
    ).unlink()
    found = parts.survey_parts(repository.root, dvc_of(repository), FOLDER, TRACES)
    assert found.rows["trace_id"].to_list() == ["a"]
    assert found.strays == (f"{FOLDER}/2026-05-19-bbbbbbbb.parquet",)


def test_a_part_is_read_from_the_cache_when_it_is_not_checked_out(repository: Repository) -> None:
    """Neither an absent file nor one that was changed in the work tree matters."""
    put(repository, "2026-05-18-aaaaaaaa", traces("a")).unlink()
    put(repository, "2026-05-19-bbbbbbbb", traces("b")).write_bytes(b"changed")
    assert read(repository)["trace_id"].to_list() == ["a", "b"]


def test_dvc_sees_a_part_as_its_own(repository: Repository) -> None:
    """The pointer is what DVC itself would write: its status is clean."""
    put(repository, "2026-05-18-aaaaaaaa", traces("a"))
    assert "up to date" in repository.dvc("status")


@pytest.mark.slow
def test_bytes_that_nobody_has_are_missed_by_name(repository: Repository) -> None:
    """Without a cache object, a file or a remote, the pointer is named."""
    path = put(repository, "2026-05-18-aaaaaaaa", traces("a"))
    path.unlink()
    found = dvc_of(repository).object_path(parts.list_parts(repository.root, FOLDER)[0].pointer.md5)
    assert found is not None
    found.unlink()
    with pytest.raises(MissingObjectError, match=r"2026-05-18-aaaaaaaa\.parquet\.dvc"):
        read(repository)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("outs:\n- md5: 0123", "not a DVC pointer"),
        ("<<<<<<< ours\n", "unresolved conflict"),
        (
            f"outs:\n- md5: {'0' * 32}\n  size: 1\n  hash: md5\n  path: other.parquet\n",
            "points at other.parquet",
        ),
    ],
)
def test_a_broken_pointer_is_named(repository: Repository, content: str, words: str) -> None:
    """A cut off pointer, one in conflict, and one to another file are errors, never skipped."""
    repository.gen({f"{FOLDER}/2026-05-18-aaaaaaaa.parquet.dvc": content})
    with pytest.raises(DataError, match=words):
        read(repository)
