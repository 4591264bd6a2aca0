"""Which texts say nearly the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.stats.shingles import (
    Index,
    frequencies,
    jaccard,
    least_alike,
    shingles,
    together,
)

TEXT = st.text("ab ", min_size=1, max_size=12)
PARTS = st.tuples(TEXT, TEXT).map(lambda two: tuple(shingles(text) for text in two))


def test_three_words_stand_together() -> None:
    """A text is every three words of it; a shorter one is a single shingle."""
    assert shingles("a b c d") == {"a b c", "b c d"}
    assert shingles("a b") == {"a b"}
    assert jaccard(shingles("a b c d"), shingles("a b c")) == 0.5


@settings(max_examples=60)
@given(st.lists(TEXT, max_size=6), TEXT, st.sampled_from([0.3, 0.5, 0.7, 1.0]))
def test_the_index_finds_what_comparing_all_finds(
    texts: list[str], asked: str, threshold: float
) -> None:
    """Prefix filtering loses nothing, and a text without a key is like none."""
    known = [shingles(text) for text in texts]
    text = shingles(asked)
    index = Index(threshold, frequencies([*known[::2], text]))
    for one in known:
        index.add(one)
    near = {n: jaccard(one, text) for n, one in enumerate(known)}
    expected = {n: value for n, value in near.items() if value >= threshold}
    assert dict(index.like(text)) == expected
    assert index.has_like(text) == bool(expected)
    assert set(index.keys()) & text or not expected


@settings(max_examples=60)
@given(PARTS, PARTS, st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_parts_that_are_alike_are_alike_together(
    one: tuple[frozenset[str], ...], other: tuple[frozenset[str], ...], threshold: float
) -> None:
    """So an index of all parts together misses no two texts of which each part is alike."""
    if least_alike(one, other) >= threshold:
        assert jaccard(together(one), together(other)) >= threshold - 1e-9
