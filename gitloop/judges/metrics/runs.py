"""Runs of symbols that two sequences share, for many pairs of sequences at once.

What BLEU, ROUGE-N and chrF count, as arrays: no dictionary is made per pair, so that a batch costs
a few sorts. Counts are exact: a run is ranked among the runs of its batch, never hashed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_MOST_SYMBOLS = 2**16
"""Symbols that are counted together; a pair that has more is counted by itself."""
_RANKED = 3
"""Length of the runs by whose ranks longer ones are told apart."""
_PACKED = 21
"""Bits of a symbol of which three fit into an integer; a code point has as many."""


@dataclass(frozen=True, slots=True)
class Runs:
    """How many runs each pair of sequences has; integers, (pairs, orders), order n at n - 1.

    Attributes:
        said: Runs of the first sequence.
        wanted: Runs of the second.
        shared: Runs of both, each as often as in the one that has it less often.
    """

    said: np.ndarray
    wanted: np.ndarray
    shared: np.ndarray


def shared_runs(pairs: Sequence[tuple[np.ndarray, np.ndarray]], most: int) -> Runs:
    """The runs of up to `most` symbols of each pair.

    Args:
        pairs: Two sequences of symbols each, integers in [0, 2^31).
        most: Longest run, 1 to 6.
    """
    sizes = np.array([(len(said), len(wanted)) for said, wanted in pairs], dtype=np.int64)
    sizes = sizes.reshape(-1, 2, 1)
    totals = np.maximum(sizes - np.arange(most), 0)
    counted = [_shared(pairs[start:stop], most) for start, stop in _chunks(sizes.sum(axis=(1, 2)))]
    shared = np.concatenate(counted) if counted else np.zeros((0, most), dtype=np.int64)
    return Runs(totals[:, 0], totals[:, 1], shared)


def _chunks(sizes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Start and end of each run of pairs that are counted together."""
    start = total = 0
    for place, size in enumerate(sizes):
        if total and total + size > _MOST_SYMBOLS:
            yield start, place
            start, total = place, 0
        total += int(size)
    if start < len(sizes):
        yield start, len(sizes)


def _shared(pairs: Sequence[tuple[np.ndarray, np.ndarray]], most: int) -> np.ndarray:
    """The shared runs of each pair, (pairs, orders)."""
    texts = [said for said, _ in pairs] + [wanted for _, wanted in pairs]
    sizes = np.array([len(text) for text in texts])
    n_said = int(sizes[: len(pairs)].sum())
    symbols = np.concatenate(texts).astype(np.int64, copy=False)
    pair = np.repeat(np.tile(np.arange(len(pairs)), 2), sizes)
    left = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(symbols))
    found = np.zeros((len(pairs), most), dtype=np.int64)
    for order, (ids, width) in enumerate(_ids(symbols, most), start=1):
        whole = left[: len(ids)] >= order
        keys = (pair[: len(ids)] << width) | ids
        said, wanted = keys[:n_said][whole[:n_said]], keys[n_said:][whole[n_said:]]
        run, n_own = _counted(said)
        other, n_other = _counted(wanted)
        if not len(run) or not len(other):
            break
        place = np.minimum(np.searchsorted(other, run), len(other) - 1)
        both = np.where(other[place] == run, np.minimum(n_own, n_other[place]), 0)
        found[:, order - 1] = np.bincount(run >> width, weights=both, minlength=len(pairs))
    return found


def _counted(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different keys, sorted, and how often each is there."""
    keys.sort()
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))[: len(keys)])
    return keys[first], np.diff(first, append=len(keys))


def _ids(symbols: np.ndarray, most: int) -> Iterator[tuple[np.ndarray, int]]:
    """For each order, what tells apart the runs that start at each place, and its width in bits.

    Runs that leave their text have an id too, which means nothing.
    """
    if _width(symbols) > _PACKED:
        symbols = _ranks(symbols)
    width = _width(symbols)
    yield symbols, width
    if most == 1 or len(symbols) < 2:
        return
    twos = (symbols[:-1] << width) | symbols[1:]
    yield twos, 2 * width
    if most < _RANKED or len(symbols) < _RANKED:
        return
    if width > _PACKED:  # a pair of more than two million different symbols, by itself
        twos = _ranks(twos)
    ranks = _ranks((twos[:-1] << width) | symbols[2:])
    width = _width(ranks)
    yield ranks, width
    for order in range(_RANKED + 1, most + 1):
        apart = order - _RANKED
        if len(ranks) <= apart:
            return
        yield (ranks[:-apart] << width) | ranks[apart:], 2 * width


def _ranks(ids: np.ndarray) -> np.ndarray:
    """The rank of each id among the different ones, from 0."""
    return np.unique(ids, return_inverse=True)[1]


def _width(ids: np.ndarray) -> int:
    """Bits that hold every id."""
    return int(ids.max(initial=0)).bit_length()
