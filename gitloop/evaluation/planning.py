"""What a run would call and what that would cost, without a single call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gitloop.evaluation.judging import BoundJudge, missing_field, spanned
from gitloop.protocols import Judge, Target
from gitloop.records import Answer, Case
from gitloop.storage.calls import CallStore

Estimate = tuple[int, int, float | None]
"""Tokens read, most tokens written, most US dollars or None."""


@dataclass(frozen=True, slots=True)
class PlannedCalls:
    """The calls that a run would make of one plug-in.

    Attributes:
        what: "target", or the rubric whose judge is called.
        n_asked: Requests, as far as they are known.
        n_calls: Those that the call store does not answer.
        n_unknown: Further requests that wait for outputs which the target has not given yet.
        unknown_usd: US dollars for those, about, were each output as long as the row's reference or
            its input; None where no price is pinned.
        n_input_tokens: Tokens read by the calls, about; those that wait are not counted.
        n_output_tokens: Tokens written by them, at most.
        cost_usd: US dollars, at most, or None where no price is pinned.
        is_free: Whether its calls cost nothing: a local judge, or user code.
    """

    what: str
    n_asked: int
    n_calls: int
    n_unknown: int
    n_input_tokens: int
    n_output_tokens: int
    cost_usd: float | None
    is_free: bool
    unknown_usd: float | None = 0.0


def plan_target(
    target: Target, cases: Sequence[Case], replicates: int, store: CallStore
) -> tuple[PlannedCalls, list[Answer | None]]:
    """The target's calls, and the answers that are recorded, one case after the other."""
    requests = [
        target.request(replace(case, replicate=r)) for case in cases for r in range(replicates)
    ]
    known: list[Answer | None] = [None] * len(requests)
    if not target.is_pure:
        known = store.plan("target", requests)
    misses = [asked for asked, answer in zip(requests, known, strict=True) if answer is None]
    return _planned("target", target, misses, len(requests)), known


def plan_judge(bound: BoundJudge, cases: Sequence[Case], store: CallStore) -> PlannedCalls:
    """A judge's calls on these cases; a case without an output may or may not get one yet."""
    waiting = [case for case in cases if case.output is None]
    able = [case for case in cases if not missing_field(bound.rubric, case)]
    n_members, n_asked, n_free, misses = 0, 0, 0, []
    for member in _members(bound.judge):
        n_members += 1
        if member.is_pure:
            n_free += 1
            continue
        requests = [spanned(member.request(case), bound.pin.span) for case in able]
        n_asked += len(requests)
        known = store.plan("judge", requests)
        misses += [
            (member, asked) for asked, answer in zip(requests, known, strict=True) if answer is None
        ]
    n_unknown = len(waiting) * (n_members - n_free)
    guessed = [replace(case, output=case.reference or case.input) for case in waiting]
    costs = [
        _planned("", member, [member.request(case) for case in guessed], 0).cost_usd
        for member in _members(bound.judge)
        if not member.is_pure
    ]
    found = [_planned("", member, [asked], 1) for member, asked in misses]
    priced = [one.cost_usd for one in found]
    return PlannedCalls(
        what=bound.rubric.name,
        n_asked=n_asked,
        n_calls=len(misses),
        n_unknown=n_unknown,
        n_input_tokens=sum(one.n_input_tokens for one in found),
        n_output_tokens=sum(one.n_output_tokens for one in found),
        cost_usd=_total(priced),
        is_free=n_free == n_members or all(not _can_cost(one) for one in _members(bound.judge)),
        unknown_usd=_total(costs),
    )


def _members(judge: Judge) -> list[Judge]:
    """The judges that are really called."""
    members: Sequence[Judge] = getattr(judge, "members", ())
    return [inner for one in members for inner in _members(one)] if members else [judge]


def _can_cost(plugin: Judge | Target) -> bool:
    return hasattr(plugin, "estimate")


def _planned(
    what: str,
    plugin: Judge | Target,
    misses: Sequence[Mapping[str, Any]],
    n_asked: int,
) -> PlannedCalls:
    estimate: Callable[[Mapping[str, Any]], Estimate] = getattr(plugin, "estimate", _free)
    found = [estimate(asked) for asked in misses]
    priced = [usd for _, _, usd in found]
    return PlannedCalls(
        what=what,
        n_asked=n_asked,
        n_calls=len(misses),
        n_unknown=0,
        n_input_tokens=sum(n_input for n_input, _, _ in found),
        n_output_tokens=sum(n_output for _, n_output, _ in found),
        cost_usd=_total(priced),
        is_free=not _can_cost(plugin),
    )


def _total(costs: Sequence[float | None]) -> float | None:
    """Their sum, or None where one is not known."""
    known = [usd for usd in costs if usd is not None]
    return round(sum(known), 6) if len(known) == len(costs) else None


def _free(_request: Mapping[str, Any]) -> Estimate:
    return 0, 0, 0.0
