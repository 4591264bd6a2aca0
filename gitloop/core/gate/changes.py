"""Checks against the baseline: the same rows then and now, for each rubric and each slice.

A check fires when the adjusted p is below alpha and the loss exceeds the rubric's noise floor. It
passes when it could have fired, or when its interval rules out a loss beyond the noise floor, or
when nothing changed at all. A check that could not have failed is no pass but inconclusive.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gitloop.core.gate.cells import comparable
from gitloop.core.gate.families import Families, Tested, families
from gitloop.core.gate.inputs import GateInputs
from gitloop.core.gate.levels import LEVEL, percent
from gitloop.core.gate.measures import Comparison, compare, detectable_loss
from gitloop.errors import ExitCode
from gitloop.records import Check
from gitloop.stats.paired import PairedResult, non_inferiority
from gitloop.stats.power import Plan

KIND_OF_SLICE = {
    "route": "route",
    "user_cohort": "cohort",
    "route*user_cohort": "cell",
    "cluster_id": "cluster",
}


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One paired comparison before the family's correction."""

    kind: str
    rubric: str
    slice: str | None
    pairs: pl.DataFrame
    found: Comparison | None

    @property
    def result(self) -> PairedResult | None:
        return self.found.result if self.found else None


def delta_checks(inputs: GateInputs, cells: pl.DataFrame, usable: list[str]) -> list[Check]:
    """One delta per usable rubric, and one check per value of each sliced column.

    A slice is tested whatever its rubric's delta says: a gain on average cannot hide its loss.
    """
    gates = [_compare(inputs, "delta", name, None, _pairs(cells, name)) for name in usable]
    slices = [cell for gate in gates for cell in _slices(inputs, gate)]
    tested = families(
        [_p(gate) for gate in gates],
        [_p(cell) for cell in slices],
        alpha=inputs.policy.alpha,
        cell_alpha=inputs.policy.cell_alpha,
    )
    judge = _Judge(inputs, tested)
    found = [judge.gate(gate, p) for gate, p in zip(gates, tested.gates, strict=True)]
    found += [judge.cell(cell, p) for cell, p in zip(slices, tested.cells, strict=True)]
    return found


def _pairs(cells: pl.DataFrame, rubric: str) -> pl.DataFrame:
    """The cells of a rubric that both sides have a verdict on."""
    return cells.filter(
        (pl.col("rubric") == rubric)
        & pl.col("verdict").is_not_null()
        & pl.col("baseline").is_not_null()
    )


def sides(inputs: GateInputs) -> tuple[str, str]:
    """The columns that are compared: baseline first."""
    if inputs.policy.delta_on == "score":
        return "baseline_score", "score"
    return "baseline", "verdict"


def _compare(
    inputs: GateInputs, kind: str, rubric: str, value: str | None, pairs: pl.DataFrame
) -> _Comparison:
    if pairs.height < inputs.policy.min_rows:
        return _Comparison(kind, rubric, value, pairs, None)
    before, after = sides(inputs)
    found = compare(pairs, before=before, after=after, level=LEVEL, seed=inputs.seed)
    return _Comparison(kind, rubric, value, pairs, found)


def _slices(inputs: GateInputs, gate: _Comparison) -> list[_Comparison]:
    """The comparison of every value of every sliced column; one that holds all pairs adds none.

    Columns that are joined by * are sliced together: each combination of their values is a slice.
    """
    found = []
    for sliced in inputs.policy.slices:
        columns = sliced.split("*")
        named = gate.pairs.filter(pl.all_horizontal(pl.col(columns).is_not_null()))
        parts = named.partition_by(columns, as_dict=True, maintain_order=True)
        for values, pairs in sorted(parts.items()):
            if pairs.height < gate.pairs.height:
                name = " × ".join(map(str, values))
                found.append(_compare(inputs, KIND_OF_SLICE[sliced], gate.rubric, name, pairs))
    return found


def _p(comparison: _Comparison) -> float | None:
    return None if comparison.result is None else comparison.result.p_worse


class _Judge:
    """Turns comparisons into checks, knowing what all tests together came to."""

    def __init__(self, inputs: GateInputs, tested: Families) -> None:
        self._inputs = inputs
        self._tested = tested
        self._others = _other_pins(inputs)

    def gate(self, comparison: _Comparison, tested: Tested) -> Check:
        """The delta of a rubric."""
        if not comparison.pairs.height:
            return self._without_baseline(comparison.rubric)
        return self._check(comparison, tested, self._tested.gate_level, "holm")

    def cell(self, comparison: _Comparison, tested: Tested) -> Check:
        """The check of a slice."""
        return self._check(comparison, tested, self._tested.cell_level, "bh")

    def _without_baseline(self, rubric: str) -> Check:
        """The check of a rubric that has no pair."""
        outcome = "inconclusive"
        if not self._inputs.baseline:
            message = "there is no baseline yet: run gitloop baseline on the main line"
        elif rubric in self._others:
            outcome = "stale"
            message = f"the baseline was judged by {self._others[rubric]}: it does not compare"
        else:
            message = "no row of the baseline is labelled for it"
        return Check("delta", rubric, None, outcome, int(ExitCode.WARNINGS), message, method="none")

    def _check(self, comparison: _Comparison, tested: Tested, level: float, family: str) -> Check:
        """The check of a comparison that has pairs."""
        pairs, result = comparison.pairs, comparison.result
        rubric = self._inputs.rubrics[comparison.rubric]
        if result is None or result.effect is None:
            message = f"{pairs.height} pairs are fewer than gate.min_rows"
            message += f", {self._inputs.policy.min_rows}"
            return Check(
                comparison.kind,
                comparison.rubric,
                comparison.slice,
                "inconclusive",
                int(ExitCode.WARNINGS),
                message,
                n=pairs.height,
                method="none",
            )
        before, after = sides(self._inputs)
        plan = Plan(alpha=level, sides=1)
        outcome, message = self._outcome(comparison, result, tested)
        code = {"pass": ExitCode.OK, "fail": ExitCode.GATE_FAILED}.get(outcome, ExitCode.WARNINGS)
        return Check(
            comparison.kind,
            comparison.rubric,
            comparison.slice,
            outcome,
            int(code),
            message,
            n=result.n,
            n_groups=result.n_groups,
            n_discordant=result.n_discordant,
            observed=result.candidate_mean,
            baseline=result.baseline_mean,
            bound=rubric.noise_floor,
            effect=result.effect,
            interval=result.interval,
            p=tested.p,
            p_adjusted=tested.p_adjusted,
            mde=detectable_loss(pairs, before=before, after=after, plan=plan, result=result),
            method=f"{result.method}+{family}",
        )

    def _outcome(
        self, comparison: _Comparison, result: PairedResult, tested: Tested
    ) -> tuple[str, str]:
        """(outcome, message) of a comparison."""
        effect = result.effect or 0.0
        noise = self._inputs.rubrics[comparison.rubric].noise_floor
        told = f"{points(effect)} on {result.n} rows"
        told += f" ({result.n_worse} worse, {result.n_better} better)"
        if tested.rejected and -effect > noise:
            return "fail", told
        margin = self._inputs.policy.margin
        if margin is not None:
            shown = non_inferiority(result.interval, margin).established
            wanted = f"a loss of {percent(margin)} is {'' if shown else 'not '}ruled out"
            return "pass" if shown else "inconclusive", f"{told}: {wanted}"
        if tested.rejected:
            return "pass", f"{told}: beyond chance, but within the noise floor of {percent(noise)}"
        if tested.p is not None and tested.p < self._inputs.policy.alpha and -effect > noise:
            return "inconclusive", f"{told}: a loss by itself, but not among so many checks"
        return self._without_loss(comparison, result, told)

    def _without_loss(
        self, comparison: _Comparison, result: PairedResult, told: str
    ) -> tuple[str, str]:
        """(outcome, message) where no loss was found: was there a chance to find one?"""
        noise = self._inputs.rubrics[comparison.rubric].noise_floor
        low = result.interval.low if result.interval else -1.0
        is_same = bool(comparison.pairs["same_output"].fill_null(value=False).all())
        if result.n_discordant == 0 and is_same:
            return "pass", f"every output is the same, byte for byte, on {result.n} rows"
        if low > -noise:
            return "pass", f"{told}: a loss beyond the noise floor is ruled out"
        if comparison.found and comparison.found.least <= self._inputs.policy.alpha:
            return "pass", told
        return (
            "inconclusive",
            f"{told}: too few changed to tell, a loss of {percent(-low)} is not ruled out",
        )


def points(effect: float) -> str:
    """A difference of rates for people: "−12.5 points"."""
    sign = "−" if effect < 0 else "+" if effect > 0 else "±"
    return f"{sign}{abs(100 * effect):.1f} points"


def _other_pins(inputs: GateInputs) -> dict[str, str]:
    """Rubric → whom its baseline scores are by, for rubrics none of whose scores compare."""
    found: dict[str, str] = {}
    for run in inputs.baseline:
        fitting = set(comparable(run.scores, inputs.rubrics)["rubric"].unique().to_list())
        made = run.scores.select("rubric", "rubric_version", "judge").unique().sort(pl.all())
        for rubric, version, judge in made.iter_rows():
            if rubric in fitting:
                found.pop(rubric, None)
            else:
                found[rubric] = f"version {version} and {judge}"
    return found
