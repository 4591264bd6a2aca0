"""How far people agree on pairs, per stratum, and what that lets train.

A kappa belongs to a set of pairs and never to one pair. So strata (all, source, cluster, route) are
measured and banded, and within a stratum a pair is held to its own majority.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import polars as pl

from gitloop.core.pairs.labelling import SIDES, chosen_side
from gitloop.core.pairs.preferences import Traces
from gitloop.params import PairAgreement as Policy
from gitloop.records import Interval
from gitloop.stats.agreement import (
    Agreement,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    mean_kappa,
    raw_agreement,
    tabulate,
)
from gitloop.stats.intervals import wilson_interval

KINDS = ("all", "source", "cluster", "route")
BANDS = ("train", "review", "drop", "unmeasured")
_FEW_RESAMPLES = 1000

Said = Mapping[str, Mapping[str, str]]
"""pair_id → annotator → side: "a", "b" or "tie"."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Two answers that people may have compared.

    Attributes:
        unit_id: The pair's id, or that of a comparison that was voted on.
        strata: (kind, name) of the strata it belongs to, the widest first.
        chosen_side: The side of the chosen answer; None where votes themselves chose it.
    """

    unit_id: str
    strata: tuple[tuple[str, str], ...]
    chosen_side: str | None


@dataclass(frozen=True, slots=True)
class Duo:
    """How far two annotators agree.

    Attributes:
        annotators: The two, sorted.
        n_items: Pairs that both labelled.
        n_agreed: Those of them with the same label.
        n_decided: Those of them that neither calls a tie.
        n_decided_agreed: Those of n_decided with the same label.
        kappa: Cohen's kappa.
    """

    annotators: tuple[str, str]
    n_items: int
    n_agreed: int
    n_decided: int
    n_decided_agreed: int
    kappa: Agreement


@dataclass(frozen=True, slots=True)
class StratumAgreement:
    """The agreement on a set of pairs.

    Attributes:
        kind: One of `KINDS`.
        name: The source, cluster or route; "" for all.
        n_pairs: Pairs in it, labelled or not.
        n_labelled: Pairs with two labels or more.
        n_majority: Those of them of which one answer has a majority.
        n_ties: Those of them that a majority calls a tie.
        n_judged: Those of n_majority whose chosen answer another source than votes named.
        n_backed: Those of them whose majority prefers the chosen answer.
        backed: Interval of n_backed / n_judged: what the source's word is worth; None without.
        raw: Share of pairs of labels that agree.
        cohen: Cohen's kappa of the two annotators, or the mean over every two of them.
        fleiss: Fleiss' kappa.
        alpha: Krippendorff's alpha, nominal.
        ac1: Gwet's AC1.
        duos: Every two annotators who share a pair.
        band: One of `BANDS`.
        reason: Why it has that band.
    """

    kind: str
    name: str
    n_pairs: int
    n_labelled: int
    n_majority: int
    n_ties: int
    n_judged: int
    n_backed: int
    backed: Interval | None
    raw: Agreement
    cohen: Agreement
    fleiss: Agreement
    alpha: Agreement
    ac1: Agreement
    duos: tuple[Duo, ...]
    band: str
    reason: str


@dataclass(frozen=True, slots=True)
class PositionReport:
    """Whether annotators favour the answer that they see first.

    Attributes:
        n: Labels that prefer one answer.
        first_rate: Share of them that prefer the one shown first, or None.
        interval: Of that share; 0.5 has no position bias.
    """

    n: int
    first_rate: float | None
    interval: Interval | None


def sides_said(labels: pl.DataFrame) -> dict[str, dict[str, str]]:
    """pair_id → annotator → side, of annotators; a senior saw the others' word and is none.

    Args:
        labels: As `labelling.pair_labels` gives them.
    """
    found: dict[str, dict[str, str]] = {}
    own = labels.filter(pl.col("role") == "annotator").sort("item_id", "annotator")
    for pair_id, who, label in own.select("item_id", "annotator", "label").iter_rows():
        found.setdefault(pair_id, {})[who] = label
    return found


def strata_of(pair: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(kind, name) of the strata that a pair belongs to, the widest first."""
    named = (("source", pair["source"]), ("cluster", pair["cluster_id"]), ("route", pair["route"]))
    return [("all", ""), *((kind, name) for kind, name in named if name is not None)]


def units_of(pairs: Iterable[Mapping[str, Any]]) -> list[Unit]:
    """One unit per pair; those of votes are left to `units_of_votes`, which has the ties too.

    Args:
        pairs: Rows of `tables.PAIRS`.
    """
    return [
        Unit(
            pair["pair_id"],
            tuple(strata_of(pair)),
            chosen_side(pair["chosen"], pair["rejected"]),
        )
        for pair in pairs
        if pair["source"] != "votes"
    ]


def units_of_votes(
    votes: pl.DataFrame, traces: Traces
) -> tuple[list[Unit], dict[str, dict[str, str]]]:
    """One unit per comparison that was voted on, decided or not, and what voters said of it.

    Undecided comparisons make no pair, but an agreement without them would be that of the easy ones
    alone. No text is needed.

    Args:
        votes: Fits `tables.VOTES`.
        traces: All traces.
    """
    units: dict[str, Unit] = {}
    said: dict[str, dict[str, str]] = {}
    for vote in votes.sort("pair_id", "annotator").iter_rows(named=True):
        key = f"votes {vote['pair_id']}"
        trace = traces.get(vote["trace_id_a"], {"route": None})
        place = {"source": "votes", "cluster_id": None, "route": trace["route"]}
        units.setdefault(key, Unit(key, tuple(strata_of(place)), None))
        said.setdefault(key, {})[vote["annotator"]] = vote["winner"]
    return list(units.values()), said


def measure(
    units: Iterable[Unit], said: Said, policy: Policy, *, seed: int
) -> list[StratumAgreement]:
    """The agreement on each stratum, in the order of `KINDS`, then by name.

    Args:
        units: Everything that may have been compared.
        said: What annotators said.
        policy: Which figure decides, and where the bands lie.
        seed: Of alpha's bootstrap.
    """
    members: dict[tuple[str, str], list[Unit]] = {}
    for unit in units:
        for stratum in unit.strata:
            members.setdefault(stratum, []).append(unit)
    ordered = sorted(members, key=lambda one: (KINDS.index(one[0]), one[1]))
    return [_stratum(stratum, members[stratum], said, policy, seed) for stratum in ordered]


def _stratum(
    stratum: tuple[str, str], units: Sequence[Unit], said: Said, policy: Policy, seed: int
) -> StratumAgreement:
    rated = {one.unit_id: said[one.unit_id] for one in units if one.unit_id in said}
    labelled = {unit_id: by for unit_id, by in rated.items() if len(by) > 1}
    table = tabulate([list(by.values()) for by in rated.values()], SIDES)
    majorities = {unit_id: majority(by.values()) for unit_id, by in labelled.items()}
    decided = {unit_id: side for unit_id, side in majorities.items() if side in ("a", "b")}
    sides = {one.unit_id: one.chosen_side for one in units if one.chosen_side}
    judged = [side == sides[unit_id] for unit_id, side in decided.items() if unit_id in sides]
    duos = tuple(_duos(rated))
    figures = {
        "cohen": mean_kappa(list(rated.values()), categories=SIDES),
        "fleiss": fleiss_kappa(table),
        "alpha": krippendorff_alpha(table, seed=seed, n_resamples=_FEW_RESAMPLES),
        "ac1": gwet_ac(table),
    }
    band, reason = band_of(figures[policy.statistic], len(labelled), policy)
    return StratumAgreement(
        kind=stratum[0],
        name=stratum[1],
        n_pairs=len(units),
        n_labelled=len(labelled),
        n_majority=len(decided),
        n_ties=sum(side == "tie" for side in majorities.values()),
        n_judged=len(judged),
        n_backed=sum(judged),
        backed=wilson_interval(sum(judged), len(judged)) if judged else None,
        raw=raw_agreement(table),
        duos=duos,
        band=band,
        reason=reason,
        **figures,
    )


def band_of(figure: Agreement, n_labelled: int, policy: Policy) -> tuple[str, str]:
    """The band of a stratum, and why."""
    if n_labelled < policy.min_items:
        few = f"{n_labelled} pairs have two labels; {policy.min_items} are wanted"
        return "unmeasured", few
    value = figure.value
    if policy.on == "lower_bound":
        value = figure.interval.low if figure.interval else None
    if value is None:
        return "unmeasured", figure.reason or "no interval"
    what = f"{figure.name} {value:.3f}" + (" (lower bound)" * (policy.on == "lower_bound"))
    if value < policy.drop_below:
        return "drop", f"{what} is below {policy.drop_below:g}"
    if value < policy.train_from:
        return "review", f"{what} is below {policy.train_from:g}"
    return "train", f"{what} is at least {policy.train_from:g}"


def majority(sides: Iterable[str]) -> str | None:
    """What more than half say, or None."""
    counts = Counter(sides)
    side, most = max(counts.items(), key=lambda one: (one[1], one[0]), default=("", 0))
    return side if 2 * most > counts.total() else None


def _duos(rated: Said) -> list[Duo]:
    both: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for by in rated.values():
        for one, other in combinations(sorted(by), 2):
            both.setdefault((one, other), []).append((by[one], by[other]))
    found = []
    for people, labels in sorted(both.items()):
        first, second = [one for one, _ in labels], [other for _, other in labels]
        decided = [(one, other) for one, other in labels if "tie" not in (one, other)]
        found.append(
            Duo(
                annotators=people,
                n_items=len(labels),
                n_agreed=sum(one == other for one, other in labels),
                n_decided=len(decided),
                n_decided_agreed=sum(one == other for one, other in decided),
                kappa=cohen_kappa(first, second, categories=SIDES),
            )
        )
    return found


def position_report(said: Said, first_side: Callable[[str, str], str]) -> PositionReport:
    """How often annotators prefer the answer that they saw first.

    Args:
        said: What annotators said of pairs.
        first_side: pair_id and annotator → the side that they saw first, "a" or "b".
    """
    picks = [
        side == first_side(pair_id, who)
        for pair_id, by in said.items()
        for who, side in by.items()
        if side != "tie"
    ]
    n, first = len(picks), sum(picks)
    interval = wilson_interval(first, n) if n else None
    return PositionReport(n, round(first / n, 6) if n else None, interval)
