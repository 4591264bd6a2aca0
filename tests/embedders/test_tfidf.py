"""The embedded default turns any texts into the same vectors, anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.embedders.tfidf import MAX_CHARS, TfidfEmbedder, prepare
from gitloop.errors import ConfigError

_HASHED = """
import hashlib
from gitloop.embedders.tfidf import TfidfEmbedder
texts = [f"failure {n} of kind {n % 7} in step {n % 31} at {n * n}" for n in range(900)]
print(hashlib.sha256(TfidfEmbedder(64).embed(texts).tobytes()).hexdigest())
"""


@given(st.lists(st.text(max_size=40), max_size=12))
@settings(max_examples=50, deadline=None)
def test_vectors_are_unit_or_zero(texts: list[str]) -> None:
    """Any texts give finite float32 rows of length one, or zeros where there is no feature."""
    vectors = TfidfEmbedder(16).embed(texts)
    lengths = np.linalg.norm(vectors, axis=1)
    assert vectors.shape == (len(texts), 16)
    assert vectors.dtype == np.float32
    assert (np.isclose(lengths, 1.0, atol=1e-4) | (lengths == 0.0)).all()


@given(st.lists(st.text(max_size=20), min_size=1, max_size=10), st.randoms())
@settings(max_examples=30, deadline=None)
def test_order_does_not_matter(texts: list[str], random: object) -> None:
    """Shuffled texts get the vectors that they had before, bit by bit."""
    rows = list(range(len(texts)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    vectors = TfidfEmbedder(8).embed(texts)
    shuffled = TfidfEmbedder(8).embed([texts[row] for row in rows])
    assert shuffled.tobytes() == vectors[rows].tobytes()


def test_shared_words_mean_closeness() -> None:
    """Texts that share words are closer than texts that share none."""
    vectors = TfidfEmbedder().embed(
        ["the card was declined", "my card got declined", "exchange rates look wrong"]
    )
    assert vectors[0] @ vectors[1] > 0.2 > vectors[0] @ vectors[2]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["one"],
        ["", ""],
        ["same text"] * 20,
        ["a b c", "!!! ???", "\x00\n\t"],
        ["😀😀 fire", "שלום עולם", "مرحبا", "def f(x):\n\treturn x", "日本語テキスト", "e\u0301é"],
        ["\ud800 alone", "aGVsbG8gd29ybGQ=" * 400],
        ["word " * 200_000, "x" * 1_000_000],
    ],
)
def test_odd_texts_are_embedded(texts: list[str]) -> None:
    """Empty, single, identical, foreign, broken and huge texts all get vectors."""
    vectors = TfidfEmbedder().embed(texts)
    assert vectors.shape == (len(texts), 128)
    assert np.isfinite(vectors).all()


def test_equal_texts_get_equal_vectors() -> None:
    """Texts that differ in case or Unicode form only are the same text."""
    vectors = TfidfEmbedder(8).embed(["Café closed", "other words", "CAFE\u0301 CLOSED"])
    assert vectors[0].tobytes() == vectors[2].tobytes()


def test_long_texts_count_by_head_and_tail() -> None:
    """What stands in the middle of a long text is not read."""
    half = MAX_CHARS // 2
    one = "a" * half + "middle" + "z" * half
    other = "a" * half + "else entirely" * 50 + "z" * half
    assert prepare(one) == prepare(other)


def test_many_texts_with_few_features_are_embedded() -> None:
    """A corpus with fewer directions than dimensions fills the rest with zeros."""
    texts = [f"{a} {b}" for a in "xyz" for b in ("uu", "vv", "ww")] + [
        " ".join(["uu"] * n + ["vv"] * m) for n in range(1, 25) for m in range(1, 25)
    ]
    vectors = TfidfEmbedder(64).embed(texts)
    assert len(set(texts)) > 512
    assert (vectors[:, -20:] == 0.0).all()


@pytest.mark.parametrize("options", [{"dimensions": 1}, {"dimensions": 5_000}, {"model": "x"}])
def test_options_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    """Dimensions out of range and unknown parameters are configuration errors."""
    with pytest.raises(ConfigError, match="embedder tfidf"):
        TfidfEmbedder(**options)


@pytest.mark.slow
def test_one_and_two_threads_give_the_same_bytes() -> None:
    """Fresh processes with other thread counts and hash seeds print the same digest."""
    digests = set()
    for threads in ("1", "2"):
        limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), threads)
        done = subprocess.run(
            [sys.executable, "-c", _HASHED],
            env=os.environ | limits | {"PYTHONHASHSEED": threads},
            check=True,
            capture_output=True,
            text=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1
