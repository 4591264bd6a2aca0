"""Duplicates are put together, counted, and never lost."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.cluster import collapse, normalise
from gitloop.errors import DataError

_SENTENCE = (
    "The assistant said the refund window is thirty days, but our policy page says fourteen "
    "days for digital goods and thirty for everything else, so the customer was misled. "
)


def _ids(n_texts: int) -> list[str]:
    """Return trace_ids in the order of the rows."""
    return [f"t{row:04}" for row in range(n_texts)]


@given(st.lists(st.tuples(st.text(max_size=8), st.floats(0.1, 9.0)), max_size=30))
@settings(deadline=None)
def test_weights_and_counts_are_preserved(rows: list[tuple[str, float]]) -> None:
    """Every text is in exactly one group, and no weight is lost."""
    texts, weights = [text for text, _ in rows], np.array([weight for _, weight in rows])
    collapsed = collapse(texts, _ids(len(texts)), weights)
    assert collapsed.counts.sum() == len(texts)
    assert collapsed.weights.sum() == pytest.approx(weights.sum(), abs=1e-4)
    assert (np.bincount(collapsed.group_of, minlength=len(collapsed.first)) > 0).all()
    assert (collapsed.group_of[collapsed.first] == np.arange(len(collapsed.first))).all()


@given(st.lists(st.text("ab 01", max_size=6), max_size=20), st.randoms())
@settings(deadline=None)
def test_order_does_not_change_the_groups(texts: list[str], shuffler: random.Random) -> None:
    """Shuffled rows fall into the same groups, with the same representatives."""
    ids = _ids(len(texts))
    rows = list(range(len(texts)))
    shuffler.shuffle(rows)
    before = collapse(texts, ids)
    after = collapse([texts[row] for row in rows], [ids[row] for row in rows])
    assert [rows[row] for row in after.first] == before.first.tolist()
    assert after.group_of.tolist() == before.group_of[rows].tolist()


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    """A normalised text has a stable form of runs of spaces and digits."""
    once = normalise(text)
    assert "  " not in once
    assert normalise("  " + text + " ") == once


def test_case_space_and_digits_do_not_matter() -> None:
    """Texts that differ in case, white space, Unicode form or numbers only are one."""
    texts = ["Error 404 at Café", "error  7 at\ncafe\u0301", "error 12 at café ", "error at café"]
    collapsed = collapse(texts, _ids(4))
    assert collapsed.group_of.tolist() == [0, 0, 0, 1]
    assert collapsed.weights.tolist() == [3.0, 1.0]


def test_near_duplicates_collapse() -> None:
    """A long text with one word changed is the same failure; another text is not."""
    texts = [_SENTENCE, _SENTENCE.replace("misled", "mislead"), _SENTENCE[::-1]]
    assert collapse(texts, _ids(3)).group_of.tolist() == [0, 0, 1]
    assert collapse(texts, _ids(3), near=1.0).group_of.tolist() == [0, 1, 2]


def test_repetition_is_not_a_duplicate() -> None:
    """A text said a hundred times over is another failure than the text said once."""
    collapsed = collapse([_SENTENCE, _SENTENCE * 100, _SENTENCE * 100 + "!"], _ids(3))
    assert collapsed.group_of.tolist() == [0, 1, 1]


def test_small_steps_make_no_chain() -> None:
    """Texts that drift apart word by word do not all end in one group."""
    words = [f"{chr(97 + n % 26)}word{chr(97 + n // 26)}" for n in range(60)]
    texts = [
        " ".join([f"new{chr(97 + k % 26)}" for k in range(step)] + words[step:])
        for step in range(0, 60, 2)
    ]
    collapsed = collapse(texts, _ids(len(texts)))
    assert 1 < collapsed.counts.max() < len(texts) / 2


def test_huge_and_empty_texts_collapse() -> None:
    """Empty texts are one group, and texts of half a megabyte are compared."""
    random_words = random.Random(0)
    huge = " ".join("".join(random_words.choices("abcdefghij", k=7)) for _ in range(70_000))
    collapsed = collapse(["", " ", huge, huge + " end", huge[::-1]], _ids(5))
    assert collapsed.group_of.tolist() == [0, 0, 1, 1, 2]


def test_nothing_collapses_to_nothing() -> None:
    """No texts make no groups."""
    collapsed = collapse([], [])
    assert (len(collapsed.first), len(collapsed.group_of)) == (0, 0)


def test_lengths_must_agree() -> None:
    """A missing trace_id is refused."""
    with pytest.raises(DataError, match="2 texts, 1 trace_ids"):
        collapse(["a", "b"], ["t0"])
