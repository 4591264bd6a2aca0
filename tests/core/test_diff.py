"""What changed between two versions of a golden set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.diff import Delta, Side, compare, document
from gitloop.tables import GOLDEN

ROW: dict[str, Any] = {
    "row_id": "1",
    "set": "s",
    "split": "train",
    "input": "?",
    "context": None,
    "reference": "ref",
    "bad_output": "bad",
    "labels": [{"rubric": "r", "expected": "fail"}],
    "route": "a",
    "user_cohort": None,
    "prompt_version": "1",
    "annotators": ["x"],
    "guidance_version": "1",
    "source_trace_id": "t",
    "source_feedback_ids": ["f"],
    "cluster_id": "c",
    "group_id": "g",
    "created_at": datetime(2026, 5, 1, tzinfo=UTC),
    "promoted_in": "v",
}


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    """Golden rows; what is not said is as in ROW."""
    return pl.DataFrame([ROW | row for row in rows], schema=GOLDEN.schema)


def diff(before: pl.DataFrame, after: pl.DataFrame, **where: str) -> Delta:
    """The change between the two."""
    return compare(before, after, where)


def test_rows_come_go_and_change() -> None:
    """Rows are told apart by their id: retired, changed, added."""
    found = diff(
        table({"row_id": "1"}, {"row_id": "2"}, {"row_id": "3"}),
        table({"row_id": "2"}, {"row_id": "3", "reference": "new"}, {"row_id": "4"}),
    )
    assert found.retired["row_id"].to_list() == ["1"]
    assert found.added["row_id"].to_list() == ["4"]
    assert found.cells == (("3", "reference", "ref", "new"),)
    assert found.n_changed == 1


def test_label_flips_are_grouped() -> None:
    """Rows with one change of one label are told together, the largest group first."""
    passed = [{"rubric": "r", "expected": "pass"}]
    two = [{"rubric": "q", "expected": "pass"}, {"rubric": "r", "expected": "fail"}]
    ids = [{"row_id": name} for name in "123"]
    after = table(
        ids[0] | {"labels": passed}, ids[1] | {"labels": passed}, ids[2] | {"labels": two}
    )
    found = diff(table(*ids), after)
    assert [(f.rubric, f.before, f.after, f.row_ids) for f in found.flips] == [
        ("r", "fail", "pass", ("1", "2")),
        ("q", None, "pass", ("3",)),
    ]
    assert (found.cells, found.n_changed) == ((), 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"promoted_in": "w"},
        {},
    ],
)
def test_what_is_no_content_is_no_change(changes: dict[str, str]) -> None:
    """Order of rows and the part that holds them do not count."""
    before = table({"row_id": "1"}, {"row_id": "2"})
    after = table({"row_id": "2"} | changes, {"row_id": "1"} | changes)
    assert diff(before, after).is_empty


def test_null_and_empty_differ() -> None:
    """A null that becomes a text is a change, and so is the way back."""
    assert diff(table({}), table({"context": ""})).cells == (("1", "context", None, ""),)
    assert diff(table({"context": ""}), table({})).cells == (("1", "context", "", None),)


def test_schema_changes_are_told_and_shared_columns_compared() -> None:
    """A column that is new, gone or of another type is told; the rest is compared."""
    after = table({"reference": "new"}).drop("context").with_columns(pl.lit(1).alias("extra"))
    found = diff(table({}), after)
    assert found.columns == (("context", "String", None), ("extra", None, "Int32"))
    assert found.cells == (("1", "reference", "ref", "new"),)


def test_where_looks_at_some_rows_only() -> None:
    """Only rows with the value are compared."""
    before = table({"row_id": "1", "route": "a"}, {"row_id": "2", "route": "b"})
    assert diff(before, table().clear(), route="b").retired["row_id"].to_list() == ["2"]


def test_repeated_keys_are_counted() -> None:
    """A key that stands twice is told on its side."""
    assert diff(table({}, {}), table({})).repeated == (1, 0)


def test_document_is_limited_and_says_the_totals() -> None:
    """With a limit, each list is cut and its count stays."""
    delta = diff(table(), table(*({"row_id": str(n)} for n in range(5))))
    side = Side("x", "v", 5)
    value = document("s", (side, side), delta, n_reencoded=0, limit=2)
    assert (value["counts"]["added"], len(value["added"])) == (5, 2)
    assert value["added"][0]["created_at"] == "2026-05-01T00:00:00Z"


IDS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["x", "y"]), max_size=6)


@given(before=IDS, after=IDS)
def test_diff_agrees_with_plain_dicts(before: dict[str, str], after: dict[str, str]) -> None:
    """Whatever the tables are, the diff is that of two dicts."""
    old = table(*({"row_id": k, "reference": v} for k, v in before.items()))
    new = table(*({"row_id": k, "reference": v} for k, v in after.items()))
    found = diff(old, new)
    assert found.retired["row_id"].to_list() == sorted(set(before) - set(after))
    assert found.added["row_id"].to_list() == sorted(set(after) - set(before))
    shared = sorted(set(before) & set(after))
    changed = [(k, "reference", before[k], after[k]) for k in shared if before[k] != after[k]]
    assert list(found.cells) == changed


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", "z"])), max_size=6)


@given(before=ROWS, after=ROWS)
def test_repeated_keys_are_compared_as_plain_rows(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    """Where keys repeat, what both sides have word for word is struck out; the rest is compared."""
    old = table(*({"row_id": k, "annotators": [v]} for k, v in before))
    new = table(*({"row_id": k, "annotators": [v]} for k, v in after))
    found = diff(old, new)
    gone = [row for row in before if row not in after]
    come = [row for row in after if row not in before]
    keys = {k for k, _ in gone} & {k for k, _ in come}
    assert found.retired["row_id"].to_list() == sorted(k for k, _ in gone if k not in keys)
    assert found.added["row_id"].to_list() == sorted(k for k, _ in come if k not in keys)
    changed = [(k, "annotators", [v], [w]) for k, v in gone for key, w in come if key == k]
    assert sorted(found.cells) == sorted(changed)
