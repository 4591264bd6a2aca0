"""RLAIF: a judge's A/B verdict in both orders; what depends on the order is set aside.

The two answers are shown as one output with marks around each, so that every kind of judge can
compare: its score is 1 for A, 0 for B and 0.5 for a tie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gitloop.core.pairs.preferences import (
    Found,
    Preference,
    Traces,
    between,
    by_class,
    drawn,
    partners,
    prompt_of,
)
from gitloop.digests import sha256_of
from gitloop.records import Case

ORDERS = ("ab", "ba")
"""How the two answers are shown: the first first, or the second first."""

VERDICTS = {"A": 1.0, "B": 0.0, "tie": 0.5}
"""What a judge may say of the answers as it sees them, and the score that it means."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers to one prompt, before anybody compared them.

    Attributes:
        comparison_id: 16 hex digits of prompt and answers.
        a: The trace of the one answer.
        b: The trace of the other.
    """

    comparison_id: str
    a: Mapping[str, Any]
    b: Mapping[str, Any]


def comparisons(
    traces: Traces, *, seed: int, holdout_rate: float, most: int, most_per_prompt: int
) -> list[Comparison]:
    """Answers to one prompt that differ, two by two, in an order that the seed draws.

    Args:
        traces: All traces.
        seed: From params.
        holdout_rate: Share of groups held out; both answers are of one side.
        most: Most comparisons.
        most_per_prompt: Most of one prompt.
    """
    found: list[Comparison] = []
    for rows in by_class(traces.values()).values():
        distinct = {" ".join(str(row["output"]).split()): row for row in reversed(rows)}
        ordered = sorted(distinct.values(), key=lambda row: drawn(seed, row["trace_id"]))
        made = (
            Comparison(_id(one, other), one, other)
            for place, one in enumerate(ordered)
            for other in partners(ordered[place + 1 :], one, holdout_rate)
        )
        found += islice(made, most_per_prompt)
    return sorted(found, key=lambda one: drawn(seed, one.comparison_id))[:most]


def _id(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    return sha256_of([prompt_of(one), one["output"], other["output"]])[:16]


def cases(asked: Iterable[Comparison], repeats: int) -> list[Case]:
    """What the judge is asked: each comparison in both orders, `repeats` times.

    The replicate of a case is 2 * repetition + 0 for "ab" or 1 for "ba".
    """
    return [
        Case(
            item_id=one.comparison_id,
            input=prompt_of(one.a),
            output=shown(str(first["output"]), str(second["output"])),
            route=one.a["route"],
            user_cohort=one.a["user_cohort"],
            replicate=2 * repetition + place,
        )
        for one in asked
        for repetition in range(repeats)
        for place, (first, second) in enumerate(((one.a, one.b), (one.b, one.a)))
    ]


def shown(first: str, second: str) -> str:
    """Both answers as one text; its marks hold a digest that neither answer can hold of itself."""
    mark = sha256_of([first, second])[:12]
    while mark in first or mark in second:
        mark = sha256_of(mark)[:12]
    return f"<<A {mark}>>\n{first}\n<</A {mark}>>\n\n<<B {mark}>>\n{second}\n<</B {mark}>>"


def criterion(guidance: Mapping[str, str]) -> str:
    """What a judge of two answers is told, from the guidance of the rubrics that score one.

    Args:
        guidance: Rubric → its guidance, or its criterion for a model.
    """
    rules = "\n".join(f"- {name}: {' '.join(text.split())}" for name, text in guidance.items())
    return (
        "The output holds two answers to the input, between the marks <<A …>> and <<B …>>. Which is"
        f" better by these criteria?\n{rules}\n"
        "The order of the two means nothing, and neither does length. Say A, B, or tie where"
        " neither is better."
    )


def from_verdicts(asked: Sequence[Comparison], scores: Mapping[str, Mapping[int, float]]) -> Found:
    """The answer that the judge prefers in both orders.

    A verdict that turns with the order is inconsistent and is set aside; so is one of which one
    half failed. Confidence is the share of verdicts for the winner, a tie counting half.

    Args:
        asked: The comparisons.
        scores: comparison_id → replicate (as in `cases`) → the judge's score.
    """
    found: list[Preference] = []
    dropped: Counter[str] = Counter()
    for one in asked:
        given = scores.get(one.comparison_id, {})
        said = {order: _mean(given, place) for place, order in enumerate(ORDERS)}
        for_a, against = said["ab"], said["ba"]
        if for_a is None or against is None or len(given) % 2:
            dropped["the judge failed on an order"] += 1
            continue
        for_a_too = 1.0 - against
        if not _sign(for_a - 0.5) and not _sign(for_a_too - 0.5):
            dropped["the judge sees no difference"] += 1
        elif _sign(for_a - 0.5) != _sign(for_a_too - 0.5):
            dropped["the judge's verdict turns with the order"] += 1
        else:
            share = (for_a + for_a_too) / 2.0
            good, bad = (one.a, one.b) if share > 0.5 else (one.b, one.a)
            share = max(share, 1.0 - share)
            found.append(
                between(
                    "judge",
                    good,
                    bad,
                    margin=round(2.0 * share - 1.0, 6),
                    confidence=round(share, 6),
                )
            )
    return Found(tuple(found), dropped)


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What the order of two answers does to a judge.

    Attributes:
        n: Comparisons that were judged in both orders.
        n_consistent: Those with the same answer preferred, or a tie, in both.
        n_inconsistent: The others.
        first_rate: Share of decided verdicts that prefer the answer shown first, [0, 1]; 0.5 has no
            position bias. None where no verdict decided.
    """

    n: int
    n_consistent: int
    n_inconsistent: int
    first_rate: float | None


def order_report(scores: Mapping[str, Mapping[int, float]]) -> OrderReport:
    """How often the judge's verdict turns with the order, and which place it favours.

    Args:
        scores: comparison_id → replicate (as in `cases`) → the judge's score.
    """
    n = n_same = n_first = n_decided = 0
    for given in scores.values():
        for_a, against = _mean(given, 0), _mean(given, 1)
        if for_a is None or against is None:
            continue
        n += 1
        n_same += _sign(for_a - 0.5) == _sign(0.5 - against)
        decided = [score for score in given.values() if _sign(score - 0.5)]
        n_decided += len(decided)
        n_first += sum(score > 0.5 for score in decided)
    rate = round(n_first / n_decided, 6) if n_decided else None
    return OrderReport(n, n_same, n - n_same, rate)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _mean(given: Mapping[int, float], place: int) -> float | None:
    """The mean verdict of one order, for the answer shown first; None where it failed."""
    values = [score for replicate, score in sorted(given.items()) if replicate % 2 == place]
    return sum(values) / len(values) if values else None
