"""Who disagrees with whom, on what: every two annotators, and each against the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from gitloop.core.agree.scales import Scale
from gitloop.records import Interval
from gitloop.stats.agreement import Agreement, cohen_kappa
from gitloop.stats.intervals import wilson_interval

MOST_PAIRS = 300
"""Most pairs of annotators that are looked at; those who share most items, and all are counted."""

MOST_DIFFERENCES = 20
"""Most kinds of difference listed per pair."""

By_item = Mapping[str, Mapping[str, str]]
"""Item → annotator → label."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which two annotators differ.

    Attributes:
        first: What the first of them said.
        second: What the second said of the same item.
        n: On how many items.
    """

    first: str
    second: str
    n: int


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """How far two annotators agree.

    Attributes:
        annotators: The two, sorted.
        n_items: Items that both labelled.
        n_agreed: Items with the same label.
        kappa: Cohen's kappa; weighted (linear) where labels have an order.
        further: Where labels have an order: the unweighted and the quadratic kappa.
        differences: How they differ, the most frequent first.
    """

    annotators: tuple[str, str]
    n_items: int
    n_agreed: int
    kappa: Agreement
    further: tuple[Agreement, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class PersonAgreement:
    """How one annotator stands to the others.

    Attributes:
        annotator: Who.
        n_labels: Their labels.
        n_items: Items on which the others have a majority to compare with.
        n_against: Items on which they say something else than that majority.
        rate: `n_against` over `n_items`, [0, 1]; None where there is none.
        interval: Wilson's interval of the rate.
        leans: What they say where they are against the others, the most frequent first.
    """

    annotator: str
    n_labels: int
    n_items: int
    n_against: int
    rate: float | None
    interval: Interval
    leans: tuple[Difference, ...]


def pair_agreements(given: By_item, scale: Scale) -> tuple[list[PairAgreement], int]:
    """The agreement of every two annotators who share an item, and how many such pairs there are.

    Args:
        given: The labels.
        scale: Their scale.
    """
    shared: Counter[tuple[str, str]] = Counter()
    for said in given.values():
        shared.update(combinations(sorted(said), 2))
    chosen = sorted(shared, key=lambda pair: (-shared[pair], pair))[:MOST_PAIRS]
    return [_pair(one, other, given, scale) for one, other in sorted(chosen)], len(shared)


def _pair(one: str, other: str, given: By_item, scale: Scale) -> PairAgreement:
    both = [(said[one], said[other]) for said in given.values() if one in said and other in said]
    first = scale.coded_all(a for a, _ in both)
    second = scale.coded_all(b for _, b in both)
    weights = ("linear", "identity", "quadratic") if scale.is_ordered else ("identity",)
    kappa, *further = (
        cohen_kappa(first, second, weights=weight, categories=scale.categories)
        for weight in weights
    )
    return PairAgreement(
        annotators=(one, other),
        n_items=len(both),
        n_agreed=sum(a == b for a, b in zip(first, second, strict=True)),
        kappa=kappa,
        further=tuple(further),
        differences=_differences(Counter(pair for pair in both if pair[0] != pair[1])),
    )


def person_agreements(given: By_item) -> list[PersonAgreement]:
    """How each annotator stands to the majority of the others, sorted by name.

    Args:
        given: The labels. Items on which the others are even, or alone, compare with nothing.
    """
    n_labels: Counter[str] = Counter()
    n_items: Counter[str] = Counter()
    against: dict[str, Counter[tuple[str, str]]] = {}
    for said in given.values():
        for annotator, label in said.items():
            n_labels[annotator] += 1
            others = Counter(other for name, other in said.items() if name != annotator)
            best = others.most_common(2)
            if not best or (len(best) > 1 and best[0][1] == best[1][1]):
                continue
            n_items[annotator] += 1
            if label != best[0][0]:
                against.setdefault(annotator, Counter())[label, best[0][0]] += 1
    return [
        _person(name, n_labels[name], n_items[name], against.get(name, Counter()))
        for name in sorted(n_labels)
    ]


def _person(
    name: str, n_labels: int, n_items: int, against: Counter[tuple[str, str]]
) -> PersonAgreement:
    n_against = against.total()
    return PersonAgreement(
        annotator=name,
        n_labels=n_labels,
        n_items=n_items,
        n_against=n_against,
        rate=n_against / n_items if n_items else None,
        interval=wilson_interval(n_against, n_items),
        leans=_differences(against),
    )


def _differences(counts: Counter[tuple[str, str]]) -> tuple[Difference, ...]:
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple(Difference(*pair, n) for pair, n in ordered[:MOST_DIFFERENCES])
