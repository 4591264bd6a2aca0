"""Merges by row and cell, and of dvc.lock by stage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.merge import Merge, merge_rows, merge_stages, settle

PASS = [{"rubric": "r", "expected": "pass"}]
FAIL = [{"rubric": "r", "expected": "fail"}]


def row(**cells: object) -> dict[str, Any]:
    """A row with an id, a reference, tags and labels."""
    return {"row_id": "1", "reference": "a", "annotators": ["x"], "labels": FAIL} | cells


def merge(
    base: dict[str, Any] | None,
    ours: dict[str, Any] | None,
    theirs: dict[str, Any] | None,
    **policy: str,
) -> Merge:
    """The merge of one row."""
    one, two, three = ({} if side is None else {"1": side} for side in (base, ours, theirs))
    return merge_rows(one, two, three, policy)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        (row(), row(), row(), row()),
        (row(), row(reference="b"), row(), row(reference="b")),
        (row(), row(), row(reference="b"), row(reference="b")),
        (row(), row(reference="b"), row(reference="b"), row(reference="b")),
        (row(), row(reference="b"), row(labels=PASS), row(reference="b", labels=PASS)),
        (row(), None, row(), None),
        (row(), row(), None, None),
        (row(), None, None, None),
        (None, row(), None, row()),
        (None, row(), row(), row()),
    ],
)
def test_sides_that_do_not_contradict_merge(
    base: dict[str, Any] | None,
    ours: dict[str, Any] | None,
    theirs: dict[str, Any] | None,
    expected: dict[str, Any] | None,
) -> None:
    """What one side left alone, the other decides, row by row and cell by cell."""
    found = merge(base, ours, theirs)
    assert (found.conflicts, found.rows.get("1")) == ((), expected)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "columns"),
    [
        (row(), row(reference="b"), row(reference="c"), ("reference",)),
        (row(), row(labels=PASS), row(labels=[]), ("labels",)),
        (row(), None, row(reference="b"), ()),
        (row(), row(reference="b"), None, ()),
        (None, row(reference="b"), row(reference="c"), ("reference",)),
    ],
)
def test_sides_that_contradict_are_a_conflict(
    base: dict[str, Any] | None,
    ours: dict[str, Any] | None,
    theirs: dict[str, Any] | None,
    columns: tuple[str, ...],
) -> None:
    """Two changes of one cell, or a change against a removal, wait for a person."""
    found = merge(base, ours, theirs)
    assert [conflict.columns for conflict in found.conflicts] == [columns]
    assert found.rows == {}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("ours", "b"), ("theirs", "c")],
)
def test_policy_decides_a_cell(policy: str, expected: str) -> None:
    """A column's policy settles what both sides changed."""
    found = merge(row(), row(reference="b"), row(reference="c"), reference=policy)
    assert found.rows["1"]["reference"] == expected


def test_union_keeps_what_either_added_and_neither_took_away() -> None:
    """A list merges as a set: additions of both sides, removals of both sides."""
    sides = [row(annotators=names) for names in (["x", "y"], ["x", "y", "a"], ["x", "b"])]
    found = merge(*sides, annotators="union")
    assert found.rows["1"]["annotators"] == ["a", "b", "x"]


def test_no_policy_holds_for_labels() -> None:
    """Labels conflict whatever dataset.yaml says."""
    found = merge(row(), row(labels=PASS), row(labels=[]), labels="ours")
    assert len(found.conflicts) == 1


def test_choice_decides_open_cells_only() -> None:
    """Taking theirs for one cell keeps what we changed in another."""
    (conflict,) = merge(row(), row(reference="b", annotators=["n"]), row(reference="c")).conflicts
    assert settle(conflict, "theirs") == row(reference="c", annotators=["n"])
    assert settle(conflict, "ours") == row(reference="b", annotators=["n"])
    assert settle(conflict, "ancestor") == row()
    assert settle(conflict, "delete") is None
    assert settle(conflict, {"reference": "d"}) == row(reference="d", annotators=["n"])


CELLS = st.fixed_dictionaries({"a": st.integers(0, 2), "b": st.integers(0, 2)})
TABLES = st.dictionaries(st.sampled_from("123"), CELLS, max_size=3)


@given(base=TABLES, ours=TABLES, theirs=TABLES)
def test_merge_is_symmetric(
    base: dict[str, Any], ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """Swapping the sides changes neither the merged rows nor which rows conflict."""
    one, other = merge_rows(base, ours, theirs, {}), merge_rows(base, theirs, ours, {})
    assert one.rows == other.rows
    assert [c.row_id for c in one.conflicts] == [c.row_id for c in other.conflicts]


@given(base=TABLES, ours=TABLES)
def test_merge_with_the_base_is_ours(base: dict[str, Any], ours: dict[str, Any]) -> None:
    """A side that changed nothing leaves everything to the other."""
    assert merge_rows(base, ours, base, {}) == Merge(dict(sorted(ours.items())), ())


def test_stages_merge_one_by_one() -> None:
    """A stage that one side ran is taken; one that both ran differently has to run again."""
    base = {"join": 1, "score": 1, "gate": 1, "old": 1}
    ours = {"join": 2, "score": 2, "gate": 1}
    theirs = {"join": 1, "score": 3, "gate": 1, "old": 1, "pairs": 1}
    assert merge_stages(base, ours, theirs) == (
        {"join": 2, "gate": 1, "pairs": 1},
        ["score"],
    )
