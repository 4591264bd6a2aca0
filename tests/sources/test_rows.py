"""Columns that are converted at once: the same cells and the same faults as one value at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import TableError
from gitloop.schema import Table
from gitloop.sources import rows as reading
from gitloop.sources.rows import RowReader, batched
from gitloop.tables import FEEDBACK, TRACES

_SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 2**64) | st.floats() | st.text(max_size=3)
    | st.sampled_from(["", "ok", "Error", "thumbs_up", "Thumbs Down", "human", "llm", "3", "-1",
                       "20260501", "2026-05-01", " 2026-05-01T10:00:00Z",
                       "2026-05-01T10:00:00+02:00", "2026-02-30", "1e999", 1.5, 0.0, -0.0,
                       2**53 + 1, 2**63,
                       1_779_201_180])
)  # fmt: skip
_VALUES = (
    _SCALARS | st.lists(_SCALARS, max_size=2) | st.dictionaries(st.text(), _SCALARS, max_size=2)
)


def _tables() -> st.SearchStrategy[tuple[Table, list[dict[str, Any]]]]:
    """A table, and rows of its columns and others: a column's values mostly of one kind."""

    def of(table: Table) -> st.SearchStrategy[tuple[Table, list[dict[str, Any]]]]:
        names = st.sampled_from(
            [*table.schema.names(), "prompt", "timestamp", "channel", "", "x.y"]
        )
        column = st.one_of(
            *(st.lists(kind, min_size=4, max_size=4) for kind in (
                st.text(max_size=3), st.none() | st.text(min_size=1, max_size=2),
                st.integers(0, 9), st.none() | st.floats(0, 9), st.sampled_from(["ok", "error"]),
                st.sampled_from(["thumbs_up", "copy"]), st.datetimes().map(str), _VALUES,
            ))
        )  # fmt: skip
        columns = st.dictionaries(names, column, max_size=6)
        return st.tuples(st.just(table), columns.map(_as_rows))

    return st.sampled_from([TRACES, FEEDBACK]).flatmap(of)


def _as_rows(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [{name: values[i] for name, values in columns.items()} for i in range(4)]


def _outcome(table: Table, rows: list[dict[str, Any]]) -> tuple[pl.DataFrame, list[str], list[int]]:
    reader = RowReader(table, {}, "jsonl", "x.jsonl")
    (frame,) = reader.batches(batched(enumerate(rows, start=1)))
    return frame, reader.take_faults(), reader.refused


@settings(max_examples=300, deadline=None)
@given(_tables())
def test_at_once_is_what_one_after_the_other_is(
    drawn: tuple[Table, list[dict[str, Any]]],
) -> None:
    """Whatever the values: equal frames, equal faults, the same rows refused."""
    table, rows = drawn
    frame, faults, refused = _outcome(table, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_quickly", lambda *_args, **_kwargs: None)
        slowly = _outcome(table, rows)
    assert (faults, refused) == slowly[1:]
    assert frame.equals(slowly[0], null_equal=True)
    assert frame.schema == table.schema


def test_one_of_their_columns_may_be_two_of_ours() -> None:
    """A column that params.yaml maps twice fills both; a usual name is taken once."""
    reader = RowReader(TRACES, {"session_id": "thread", "group_id": "thread"}, "jsonl", "x")
    frame = reader.frame([{"trace_id": "a", "prompt": "Where?", "thread": "t"}], [1])
    row = frame.row(0, named=True)
    assert (row["session_id"], row["group_id"], row["input"]) == ("t", "t", "Where?")
    assert row["attributes"] is None


def test_a_key_is_known_over_batches() -> None:
    """A key that stood in an earlier batch, or twice in one, is refused with its first line."""
    reader = RowReader(TRACES, {}, "jsonl", "x.jsonl")
    rows = [{"trace_id": name, "input": "?"} for name in "abcad"]
    frames = [reader.frame(rows[:3], [1, 2, 3]), reader.frame(rows[3:], [4, 5])]
    assert [frame["trace_id"].to_list() for frame in frames] == [["a", "b", "c"], ["d"]]
    with pytest.raises(TableError, match="line 4: trace_id 'a' is that of line 1 too"):
        reader.finish()
