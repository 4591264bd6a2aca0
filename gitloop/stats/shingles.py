"""Texts that say nearly the same, by the words that stand together in them.

Texts are alike by Jaccard's similarity of their three-word shingles (Broder 1997). In any one order
of all shingles, two sets can be `threshold` alike only where they share one of the first of each
(prefix filtering, Chaudhuri 2006). The order is the rarest first: what a prompt template repeats in
every text comes last, so few texts are compared.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Shingles = frozenset[str]

_WORDS_TOGETHER = 3


def shingles(words: str) -> Shingles:
    """Return every three words that stand together; a shorter text is one shingle.

    Args:
        words: A text whose words stand with one blank between them, folded as it is to be compared.
    """
    listed = words.split(" ")
    n = max(1, len(listed) - _WORDS_TOGETHER + 1)
    return frozenset(" ".join(listed[start : start + _WORDS_TOGETHER]) for start in range(n))


def jaccard(one: Shingles, other: Shingles) -> float:
    """Return the size of the intersection over that of the union, [0, 1]."""
    return len(one & other) / len(one | other)


def least_alike(one: Sequence[Shingles], other: Sequence[Shingles]) -> float:
    """Return the similarity of those of the parts that differ most, [0, 1]."""
    return min(jaccard(part, twin) for part, twin in zip(one, other, strict=True))


def together(parts: Sequence[Shingles]) -> Shingles:
    """Return the shingles of all parts, each marked with its part.

    Texts whose every part is `threshold` alike are `threshold` alike together, so that an `Index`
    of these finds all of them, and `least_alike` decides.
    """
    return frozenset(f"{n} {shingle}" for n, part in enumerate(parts) for shingle in part)


def frequencies(texts: Iterable[Shingles]) -> Counter[str]:
    """Return how many of the texts hold each shingle."""
    found: Counter[str] = Counter()
    for text in texts:
        found.update(text)
    return found


class Index:
    """Texts that others are compared with.

    Args:
        threshold: Least similarity that counts, (0, 1].
        frequency: Shingle → how many texts hold it, of all texts that are added or asked for; one
            that it does not name is the rarest.
    """

    def __init__(self, threshold: float, frequency: Mapping[str, int]) -> None:
        self._threshold = threshold
        self._frequency = frequency
        self._texts: list[Shingles] = []
        self._holders: dict[str, list[int]] = {}

    def add(self, text: Shingles) -> None:
        """Remember a text; its number is how many were remembered before it."""
        for shingle in self._prefix(text):
            self._holders.setdefault(shingle, []).append(len(self._texts))
        self._texts.append(text)

    def keys(self) -> list[str]:
        """Return shingles, sorted; a text that holds none of them is like no remembered one."""
        return sorted(self._holders)

    def like(self, text: Shingles) -> Iterator[tuple[int, float]]:
        """Yield number and similarity of each remembered text that is alike, each once."""
        seen: set[int] = set()
        for shingle in self._prefix(text):
            for n in self._holders.get(shingle, ()):
                if n not in seen:
                    seen.add(n)
                    similarity = jaccard(text, self._texts[n])
                    if similarity >= self._threshold:
                        yield n, similarity

    def has_like(self, text: Shingles) -> bool:
        """Return whether a remembered text is alike."""
        return next(self.like(text), None) is not None

    def _prefix(self, text: Shingles) -> list[str]:
        """Return the rarest n - ⌈threshold · n⌉ + 1: alike sets share one of these."""
        least = math.ceil(self._threshold * len(text) - 1e-9)  # .7 × 10 is a little more than 7
        n = len(text) - least + 1
        return heapq.nsmallest(n, text, key=lambda one: (self._frequency.get(one, 0), one))
