"""Rows that a set has already."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.promote import drop_duplicates
from gitloop.digests import row_id

SCHEMA = {
    "row_id": pl.String,
    "source_trace_id": pl.String,
    "route": pl.String,
    "input": pl.String,
    "context": pl.String,
}
LONG = " ".join(f"word{n}" for n in range(30))


def rows(
    *inputs: str, context: str | None = None, route: str = "r", start: int = 0
) -> pl.DataFrame:
    """Rows with these inputs, from traces t00, t01 and so on."""
    return pl.DataFrame(
        [
            {
                "row_id": row_id(input=text, context=context, route=route),
                "source_trace_id": f"t{start + number:02}",
                "route": route,
                "input": text,
                "context": context,
            }
            for number, text in enumerate(inputs)
        ],
        schema=SCHEMA,
    )


def reasons(new: pl.DataFrame, present: pl.DataFrame, threshold: float = 0.9) -> dict[str, str]:
    """trace_id → reason of each row that is left out."""
    kept, left_out = drop_duplicates(new, present, threshold=threshold)
    assert kept.height + len(left_out) == new.height
    return {case.trace_id: case.reason for case in left_out}


def test_row_of_the_set_is_left_out() -> None:
    """A row_id that the set has is not promoted again."""
    assert reasons(rows("a", "b"), rows("b", start=50)) == {"t01": "already in the set"}


def test_first_of_two_equal_cases_stays() -> None:
    """Of two cases with one input, the second names the first."""
    _, left_out = drop_duplicates(rows("a", "a"), rows(), threshold=0.9)
    assert [(case.trace_id, case.reason) for case in left_out] == [
        ("t01", "twice among these cases")
    ]
    assert "from trace t00" in left_out[0].detail


@pytest.mark.parametrize(
    ("twin", "is_near"),
    [
        (LONG.upper() + "!", True),
        (LONG + " more", True),
        (LONG.replace("word15", "other"), False),
        ("nothing alike at all here", False),
    ],
)
def test_near_duplicate_is_named(twin: str, is_near: bool) -> None:
    """Case, punctuation and one more word do not make a new case; another word in it does."""
    assert reasons(rows(twin), rows(LONG, start=50)) == (
        {"t00": "near duplicate"} if is_near else {}
    )


def test_pair_is_shown() -> None:
    """A near duplicate names its twin and how alike they are."""
    present = rows(LONG, start=50)
    _, left_out = drop_duplicates(rows(LONG + "!"), present, threshold=0.9)
    assert f"1.00 like row {present['row_id'][0]}" in left_out[0].detail


def test_other_context_or_route_is_another_case() -> None:
    """The same question with other documents, or on another route, is no duplicate."""
    other = rows(LONG + "!", context="some other documents that were found")
    assert reasons(other, rows(LONG, context="these are the documents", start=50)) == {}
    assert reasons(rows(LONG + "!", route="q"), rows(LONG, start=50)) == {}


def test_near_duplicates_can_stay() -> None:
    """With `keeps_near` only exact duplicates are left out."""
    kept, left_out = drop_duplicates(
        rows(LONG, LONG + "!", LONG), rows(), threshold=0.9, keeps_near=True
    )
    assert (kept.height, [case.reason for case in left_out]) == (2, ["twice among these cases"])


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=14).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(
    new=st.lists(WORDS, unique=True, max_size=6),
    old=st.lists(WORDS, unique=True, max_size=6),
    threshold=st.sampled_from([0.5, 0.7, 0.9, 1.0]),
)
def test_filtered_search_finds_what_full_search_finds(
    new: list[str], old: list[str], threshold: float
) -> None:
    """Comparing only rows with a rare shingle in common misses no pair."""
    present = rows(*old, start=50)
    found = reasons(rows(*new), present, threshold)
    kept: list[str] = []
    expected = {}
    for number, text in enumerate(new):
        alike = [_jaccard(text, other) for other in [*old, *kept]]
        if text in old:
            expected[f"t{number:02}"] = "already in the set"
        elif any(similarity >= threshold for similarity in alike):
            expected[f"t{number:02}"] = "near duplicate"
        else:
            kept.append(text)
    assert found == expected


def _jaccard(one: str, other: str) -> float:
    first, second = (_shingles(text.split()) for text in (one, other))
    return len(first & second) / len(first | second)


def _shingles(words: list[str]) -> set[tuple[str, ...]]:
    if len(words) < 3:
        return {tuple(words)}
    return {(*pair, third) for pair, third in zip(pairwise(words), words[2:], strict=False)}
