"""Clusters get names that people can read, and representatives that differ."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.cluster.describe import cohesion, medoid, mint_id, representatives
from gitloop.core.cluster.graph import unit_rows
from gitloop.core.cluster.names import keywords, shorten


def test_names_hold_what_sets_a_cluster_apart() -> None:
    """Words of every cluster name none; words of one name it."""
    named = keywords(
        {
            0: [
                "the assistant lost my card",
                "assistant: stolen card again",
                "lost, assistant",
            ],
            1: ["assistant gave the wrong rate", "the exchange rate, assistant!"],
        },
        ["assistant was rude"],
    )
    assert named[0][0] == "card"
    assert "rate" in " ".join(named[1])
    assert "assistant" not in named[0][:2]


def test_names_have_at_most_four_words_and_no_repeats() -> None:
    """Forms of one word count once, and a name stays short."""
    named = keywords({0: ["activate activated activating card cards tomorrow payment"] * 3}, [])
    words = " ".join(named[0]).split()
    assert len(words) <= 4
    assert sum(word.startswith("activ") for word in words) == 1
    assert sum(word.startswith("card") for word in words) <= 1


@given(st.dictionaries(st.integers(0, 4), st.lists(st.text(max_size=30), min_size=1), max_size=3))
@settings(max_examples=50, deadline=None)
def test_any_texts_can_be_named(members: dict[int, list[str]]) -> None:
    """Each cluster gets an entry, with at most four words."""
    named = keywords(members, ["noise"])
    assert set(named) == set(members)
    assert all(len(" ".join(terms).split()) <= 4 for terms in named.values())


@given(st.text(max_size=300))
def test_a_line_is_one_short_visible_line(text: str) -> None:
    """The line never is empty, broken over lines, or longer than it may be."""
    line = shorten(text, 40)
    assert 0 < len(line) <= 40
    assert len(line.splitlines()) == 1
    assert line == line.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "(empty text)"),
        ("\n\n  first  words \nsecond", "first words"),
        ("a\u202eb\x1b[31m", "ab [31m"),
        ("x" * 200, "x" * 99 + "…"),
        ("👩\u200d💻 שלום", "👩\u200d💻 שלום"),
    ],
)
def test_lines_show_what_the_text_says(text: str, expected: str) -> None:
    """Blank lines are skipped, controls and overrides removed, scripts kept."""
    assert shorten(text) == expected


def test_ids_come_from_the_medoid() -> None:
    """The id is the first digits of the trace_id's SHA-256, another one where that is taken."""
    assert mint_id("trace-1") == "c-17fe6f30"
    assert mint_id("trace-1", {"c-17fe6f30"}) != "c-17fe6f30"


def test_cohesion_is_the_mean_pairwise_cosine() -> None:
    """Pairs of distinct rows count, duplicates do not."""
    units = unit_rows(np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    expected = (0.0 + 2 * 0.5**0.5) / 3
    assert cohesion(units) == pytest.approx(expected, abs=1e-6)


def test_the_medoid_is_the_heaviest_middle() -> None:
    """The row most similar to all, by weight, is the medoid; of equals the heavier."""
    units = unit_rows(np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    assert medoid(units, np.ones(3)) == 1
    assert medoid(units, np.array([9.0, 1.0, 1.0])) == 0
    assert medoid(units[[0, 0]], np.array([1.0, 2.0])) == 1


def test_representatives_differ() -> None:
    """Repeated vectors are passed over while others are left."""
    units = unit_rows(
        np.array([[1.0, 0.1]] * 20 + [[1.0, 0.3], [1.0, -0.3], [0.8, 0.6], [0.5, 0.9]])
    )
    chosen = representatives(units, np.ones(24), 0, 5)
    assert sorted(chosen) == [0, 20, 21, 22, 23]
