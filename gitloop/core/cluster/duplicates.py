"""Exact and near duplicates put together, counted, before anything is embedded."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gitloop.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

NEAR_JACCARD = 0.9
"""Share of common shingles from which two normalised texts are one."""

SHINGLE, LONG_SHINGLE = 5, 15
LONG_TEXT = 5_000
"""Characters from which shingles are long: of short ones, long dumps hold all there are."""

SKETCH = 1_024
"""Distinct shingles compared per text; of more, those with the smallest hashes."""

_BANDS, _ROWS = 16, 8
_MAX_CANDIDATES = 200
_CHUNK = 2_000
_DIGITS = re.compile(r"\d+")
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Collapsed:
    """Which texts say the same.

    Attributes:
        first: Row of the text that stands for each group, by ascending trace_id; intp (g,).
        group_of: Group of each text; intp (n,).
        weights: Summed weight of each group; float64 (g,).
        counts: Texts in each group; intp (g,).
    """

    first: NDArray[np.intp]
    group_of: NDArray[np.intp]
    weights: NDArray[np.float64]
    counts: NDArray[np.intp]


def normalise(text: str) -> str:
    """Return the text as it is compared: NFC, case-folded, runs of space and of digits as one."""
    folded = unicodedata.normalize("NFC", text).casefold()
    return _DIGITS.sub("0", " ".join(folded.split()))


def collapse(
    texts: Sequence[str],
    trace_ids: Sequence[str],
    weights: NDArray[np.floating[Any]] | None = None,
    near: float = NEAR_JACCARD,
) -> Collapsed:
    """Return groups of texts that are equal or nearly so; every text is in exactly one.

    Texts are equal when they normalise to the same string. Of the distinct strings, from the
    shortest on, each joins the most similar of the earlier ones that lead a group, if the ratio
    of their lengths and the Jaccard of their shingles are at least `near`, or leads a group
    itself: no chain of small steps joins two texts that differ. Candidates come from MinHash
    bands (Broder 1997) and are then compared; a pair at .9 goes unseen once in 8,000. Whatever
    the order of the texts, the groups are the same, and the text with the lowest trace_id stands
    for each.

    Args:
        texts: One per failure.
        trace_ids: One per failure, unique.
        weights: One per failure, None for 1 each; (n,).
        near: Jaccard in (0, 1]; 1 collapses equal texts only.

    Raises:
        DataError: The lengths differ.
    """
    masses = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(texts) == len(trace_ids) == len(masses):
        raise DataError(
            f"collapsing needs one trace_id and weight per text: {len(texts)} texts, "
            f"{len(trace_ids)} trace_ids, {len(masses)} weights"
        )
    normal = [normalise(text) for text in texts]
    distinct = sorted(set(normal), key=lambda text: (len(text), text))
    leaders = _leaders(distinct, near) if near < 1.0 else list(range(len(distinct)))
    leader_of = {text: leaders[row] for row, text in enumerate(distinct)}
    rows = np.array(sorted(range(len(texts)), key=lambda row: trace_ids[row]), dtype=np.intp)
    number_of: dict[int, int] = {}
    first: list[int] = []
    group_of = np.empty(len(texts), dtype=np.intp)
    for row in rows.tolist():
        leader = leader_of[normal[row]]
        if leader not in number_of:
            number_of[leader] = len(first)
            first.append(row)
        group_of[row] = number_of[leader]
    # Summed in the order of the trace_ids, so that the last bits do not tell the input's order.
    total = np.bincount(group_of[rows], weights=masses[rows], minlength=len(first))
    return Collapsed(
        first=np.array(first, dtype=np.intp),
        group_of=group_of,
        weights=np.round(total, 6).astype(np.float64),
        counts=np.bincount(group_of, minlength=len(first)),
    )


def _leaders(distinct: Sequence[str], near: float) -> list[int]:
    """Return for each distinct text the one that leads its group, possibly itself."""
    sketches = [_sketch(text) for text in distinct]
    buckets: dict[tuple[int, int], list[int]] = {}
    leaders = []
    for row, keys in enumerate(_band_keys(sketches)):
        votes: Counter[int] = Counter()
        for bucket in enumerate(keys):
            votes.update(buckets.get(bucket, ()))
        ranked = sorted(votes, key=lambda other: (-votes[other], other))[:_MAX_CANDIDATES]
        scored = [
            (_jaccard(sketches[row], sketches[other]), -other)
            for other in ranked
            # The same words a hundred times over are another failure than once.
            if len(distinct[other]) >= near * len(distinct[row])
        ]
        best, leader = max(scored, default=(0.0, 0))
        if best >= near:
            leaders.append(-leader)
            continue
        leaders.append(row)
        for bucket in enumerate(keys):
            buckets.setdefault(bucket, []).append(row)
    return leaders


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the values scattered over 64 bits (the finaliser of SplitMix64)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _sketch(text: str) -> NDArray[np.uint64]:
    """Return the smallest hashes of the text's distinct shingles, ascending, at least one."""
    characters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    width = SHINGLE if len(characters) < LONG_TEXT else LONG_SHINGLE
    padding = max(0, width - len(characters))
    codes = np.append(characters, np.zeros(padding, dtype=np.uint32)).astype(np.uint64)
    n_shingles = len(codes) - width + 1
    hashes = np.zeros(n_shingles, dtype=np.uint64)
    for offset in range(width):
        hashes = hashes * _GOLDEN + codes[offset : offset + n_shingles] + np.uint64(1)
    return np.unique(_mix(hashes))[:SKETCH]


def _band_keys(sketches: Sequence[NDArray[np.uint64]]) -> Iterator[list[int]]:
    """Yield for each sketch one key per band; near sketches share at least one key."""
    seeds = _mix(np.arange(1, 2 * _BANDS * _ROWS + 1, dtype=np.uint64) * _GOLDEN)
    factors, shifts = seeds[::2] | np.uint64(1), seeds[1::2]
    for start in range(0, len(sketches), _CHUNK):
        chunk = sketches[start : start + _CHUNK]
        hashes = np.concatenate(chunk)
        lengths = np.array([len(sketch) for sketch in chunk])
        begins = np.cumsum(lengths) - lengths
        keys = np.zeros((len(chunk), _BANDS), dtype=np.uint64)
        for number in range(_BANDS * _ROWS):
            scattered = hashes * factors[number] + shifts[number]
            smallest = np.minimum.reduceat(scattered ^ (scattered >> np.uint64(32)), begins)
            band = number // _ROWS
            keys[:, band] = _mix(keys[:, band] * _GOLDEN + smallest + np.uint64(1))
        yield from keys.tolist()


def _jaccard(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """Return the Jaccard of the shingles of two sketches.

    It is exact up to 1,024 distinct shingles in each, and beyond them an estimate with a
    standard error of at most .016 (bottom-k sketches, Cohen and Kaplan 2007).
    """
    common = np.intersect1d(one, other, assume_unique=True)
    if len(one) < SKETCH and len(other) < SKETCH:
        return len(common) / (len(one) + len(other) - len(common))
    union = np.union1d(one, other)[:SKETCH]
    return int(np.searchsorted(common, union[-1], side="right")) / len(union)
