"""Identity by content."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.digests import canonical_json, dataset_digest, row_digest, row_id, row_text

ROWS = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.text() | st.integers() | st.none()), max_size=6
)


@given(ROWS, st.randoms())
def test_a_dataset_digest_does_not_depend_on_row_order(
    rows: list[dict[str, Any]], dice: random.Random
) -> None:
    """Shuffled rows are the same dataset."""
    digests = [row_digest(row) for row in rows]
    shuffled = dice.sample(digests, len(digests))
    assert dataset_digest(shuffled, {"a": "String"}) == dataset_digest(digests, {"a": "String"})


def test_a_changed_cell_is_another_dataset() -> None:
    """One character is enough; so is another schema."""
    one = dataset_digest([row_digest({"a": "x"})], {"a": "String"})
    assert dataset_digest([row_digest({"a": "y"})], {"a": "String"}) != one
    assert dataset_digest([row_digest({"a": "x"})], {"a": "Int64"}) != one


def test_canonical_json_is_one_text_per_value() -> None:
    """Key order, Unicode form and time zone do not matter; nulls are written out."""
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    shifted = noon.astimezone(timezone(timedelta(hours=2)))
    assert canonical_json({"b": "e\u0301", "a": noon}) == canonical_json(
        {"a": shifted, "b": "\u00e9"}
    )
    assert canonical_json({"a": None}) == '{"a":null}'


CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.datetimes(timezones=st.just(UTC))
    | st.text()
    | st.text(alphabet='a\u0301\u0338=\n"\\e\u00e9\u0327 \u1100\u1161'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), CELLS, max_size=5))
def test_text_of_a_row_is_its_canonical_json(row: dict[str, Any]) -> None:
    """The fast way to a row's text is the same text, combining marks and escapes included."""
    assert row_text(row) == canonical_json(row)


def test_nan_has_no_digest() -> None:
    """NaN equals nothing, so it identifies nothing."""
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})


def test_the_format_is_frozen() -> None:
    """These digests stand in users' histories for ever: a change here breaks every repository."""
    assert row_id(input="Where is my parcel?", context=None, route="status") == "1e67fc9b5285e6a8"
    assert dataset_digest([row_digest({"a": 1})], {"a": "Int64"})[:16] == "d654e41a35537d1a"
