"""The two things that an optimizer can want, as typed sub-generators, and what it makes of them."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from typing import cast

from gitloop.digests import sha256
from gitloop.protocols import Reply, Wish
from gitloop.records import Ask, Candidate, Failure, Question, RowScore

Rows = Sequence[RowScore]


def score(
    candidate: Candidate, split: str = "val", row_ids: Sequence[str] | None = None
) -> Generator[Wish, Reply, Rows]:
    """One score per row of the split, or per id in their order; `yield from` it."""
    reply = yield Ask(candidate, split, None if row_ids is None else tuple(row_ids))
    return cast("Rows", reply)


def ask_teacher(text: str) -> Generator[Wish, Reply, str | None]:
    """What the teacher says, or None where it failed; `yield from` it."""
    reply = yield Question(text)
    return cast("str | None", reply)


def fail(parent: Candidate, reason: str) -> Generator[Wish, Reply, None]:
    """Put on record that nothing came of an attempt; `yield from` it."""
    yield Failure(parent, reason)


def mean(rows: Rows) -> float:
    """The mean score, in which a row without a score counts as failed; 0 for no rows."""
    return sum(row.score or 0.0 for row in rows) / len(rows) if rows else 0.0


def is_valid(rows: Rows) -> bool:
    """Whether every row has a score: an error is never a reason to win."""
    return bool(rows) and all(row.score is not None for row in rows)


def dice(seed: int, *names: object) -> random.Random:
    """A source of chance that depends on the seed and the names alone."""
    digest = sha256("/".join(map(str, (seed, *names))))
    return random.Random(int(digest[:16], 16))  # noqa: S311 -- a repeatable search is wanted
