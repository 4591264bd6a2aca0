"""Another line for a judge's scores: chosen on some labels, held against people on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gitloop.core.optimize.verdict import Acceptance, HoldoutVerdict, judge_holdout
from gitloop.records import RowScore
from gitloop.stats.thresholds import Objective, SweepPolicy, passes, sweep

_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class ScoredLabel:
    """What a judge and people said of one output.

    Attributes:
        item_id: The trace.
        score: The judge's, [0, 1].
        is_pass: Whether people pass it.
        split: "train", "val" or "holdout", for life.
        group: Items that share one are not independent.
        cohort: The kind of user.
    """

    item_id: str
    score: float
    is_pass: bool
    split: str
    group: str
    cohort: str


@dataclass(frozen=True, slots=True)
class LineChoice:
    """The best line of a curve, beside the one in force.

    Attributes:
        incumbent: The line in force.
        incumbent_value: The objective there, or None where it is undefined.
        found: The best other line, or None where none is better.
        found_value: The objective there, or None.
        n: Items of the curve.
    """

    incumbent: float
    incumbent_value: float | None
    found: float | None
    found_value: float | None
    n: int


def choose_line(
    labels: Sequence[ScoredLabel], incumbent: float, policy: SweepPolicy, least: float
) -> LineChoice:
    """The line that the curve over train and validation items has as its best.

    The line in force competes and wins every tie; another must be better by more than `least`.

    Args:
        labels: All items; those of the holdout are left out.
        incumbent: The line in force.
        policy: Grid, objective and comparison of calibration.
        least: Least gain in the objective.
    """
    seen = [label for label in labels if label.split != "holdout"]
    scores, passed = [label.score for label in seen], [label.is_pass for label in seen]
    curve = sweep(scores, passed, policy)
    now = sweep(scores, passed, replace(policy, grid=(incumbent,))).value
    value = curve.value
    is_better = value is not None and (now is None or value - now > max(least, _TIE))
    is_other = curve.threshold is not None and abs(curve.threshold - incumbent) > _TIE
    found = curve.threshold if is_better and is_other else None
    return LineChoice(incumbent, now, found, value if found is not None else None, len(seen))


def judge_line(
    held: Sequence[ScoredLabel], choice: LineChoice, policy: SweepPolicy, acceptance: Acceptance
) -> HoldoutVerdict:
    """Whether the judge with the found line agrees better with people on holdout items.

    Args:
        held: The items of the holdout.
        choice: The line in force and the found one.
        policy: Its objective says what an item counts, its comparison what passes.
        acceptance: What the found line must show.
    """
    before, after = (
        _agreement(held, line, policy) for line in (choice.incumbent, choice.found or 0.0)
    )
    places = {label.item_id: (label.group, label.cohort) for label in held}
    weights = weigh(held, policy.objective)
    return judge_holdout(before, after, places, 1.0, acceptance, weights)


def _agreement(held: Sequence[ScoredLabel], line: float, policy: SweepPolicy) -> list[RowScore]:
    """Per item, 1 where the judge's verdict at the line is that of people, else 0."""
    verdicts = passes([label.score for label in held], line, strict=policy.strict)
    return [
        RowScore(label.item_id, "ok", float(bool(verdict) == label.is_pass))
        for label, verdict in zip(held, verdicts, strict=True)
    ]


def weigh(labels: Sequence[ScoredLabel], objective: Objective) -> Mapping[str, float]:
    """What each item counts under an objective, 1 on average.

    For balanced accuracy both verdicts of people count the same in all, for cost each counts what
    its error costs; any other objective counts items alike, since it is no mean over items.
    """
    n_pass = sum(label.is_pass for label in labels)
    n_fail = len(labels) - n_pass
    if objective.name == "balanced_accuracy" and n_pass and n_fail:
        of_pass, of_fail = len(labels) / (2 * n_pass), len(labels) / (2 * n_fail)
    elif objective.name == "cost":
        of_pass, of_fail = objective.cost_false_fail, objective.cost_false_pass
        mean = (n_pass * of_pass + n_fail * of_fail) / max(1, len(labels))
        of_pass, of_fail = of_pass / mean, of_fail / mean
    else:
        of_pass = of_fail = 1.0
    return {label.item_id: of_pass if label.is_pass else of_fail for label in labels}
