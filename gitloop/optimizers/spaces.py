"""Candidates of a declared space: chosen values, and lines that are in or out."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import product

from gitloop.records import Candidate, Space


def candidate_of(
    incumbent: Candidate, space: Space, values: Mapping[str, str], bits: int
) -> Candidate:
    """The incumbent's own instructions, the lines that `bits` selects, and the chosen values."""
    lines = tuple(line for n, line in enumerate(space.lines) if bits >> n & 1)
    merged = {**dict(incumbent.values), **values}
    return Candidate(
        instructions=tuple(dict.fromkeys((*incumbent.instructions, *lines))),
        values=tuple(sorted(merged.items())),
        body=incumbent.body,
    )


def shuffled_grid(incumbent: Candidate, space: Space, chance: random.Random) -> Iterator[Candidate]:
    """Every candidate of the space, each once, in an order that the seed decides."""
    names = sorted(space.values)
    choices = list(product(*(space.values[name] for name in names)))
    everything = [(chosen, bits) for chosen in choices for bits in range(1 << len(space.lines))]
    chance.shuffle(everything)
    for chosen, bits in everything:
        yield candidate_of(incumbent, space, dict(zip(names, chosen, strict=True)), bits)
