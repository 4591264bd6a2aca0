"""How far annotators agree, per rubric and stratum, and who disagrees with whom on what.

Seniors are left out: they saw what the others said, so their verdict is no independent one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from gitloop.core.agree.clauses import SectionAgreement, section_agreements
from gitloop.core.agree.people import (
    PairAgreement,
    PersonAgreement,
    pair_agreements,
    person_agreements,
)
from gitloop.core.agree.scales import Scale, scale_of
from gitloop.params import LabelForm, Section
from gitloop.stats.agreement import (
    Agreement,
    RatingTable,
    Share,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    prevalence,
    raw_agreement,
    tabulate,
)

SHOWN = 200
"""Most disagreements listed per rubric; `n_disputed` counts them all."""

WORDS = "people answer in words, which agree or not by what they mean"


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What is known of the rubrics.

    Attributes:
        forms: Rubric → how people answer under it.
        sections: Rubric → the sections of its guidance.
    """

    forms: Mapping[str, LabelForm] = field(default_factory=dict)
    sections: Mapping[str, Sequence[Section]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dispute:
    """An item on which annotators differ.

    Attributes:
        trace_id: The trace, or the item of another kind.
        labels: Annotator → what they said.
        comments: Annotator → why, for those who said so.
        settled: The senior's label, or None.
    """

    trace_id: str
    labels: dict[str, str]
    comments: dict[str, str]
    settled: str | None


@dataclass(frozen=True, slots=True)
class RubricAgreement:
    """The agreement on one rubric, in all items or in one stratum.

    Attributes:
        rubric: The rubric.
        kind: What was labelled, one of `tables.ITEM_KINDS`.
        stratum: "column=value", or "" for all items.
        level: The labels' level of measurement: nominal, ordinal, interval, ratio, or words.
        guidance_versions: Which guidance the labels follow, sorted.
        n_labels: Labels by annotators.
        n_items: Items labelled.
        n_disputed: Items with two different labels.
        n_open: Those of them that no senior has settled.
        prevalence: How often each label was given.
        raw: Share of pairs of labels that agree.
        fleiss: Fleiss' kappa; weighted (linear) where labels have an order.
        alpha: Krippendorff's alpha at the labels' level.
        alphas: Alpha at every level that the labels allow, from nominal to ratio.
        ac1: Gwet's AC1; AC2 (linear) where labels have an order.
        pairs: Every two annotators who share an item; of very many, those who share most.
        n_pairs: How many such pairs there are.
        people: Each annotator against the majority of the others.
        clauses: Sections of the guidance that decided, the most disputed first.
        disputes: The first `SHOWN` disputed items, by trace id.
        warnings: What makes the figures weaker than they look.
    """

    rubric: str
    kind: str
    stratum: str
    level: str
    guidance_versions: tuple[str, ...]
    n_labels: int
    n_items: int
    n_disputed: int
    n_open: int
    prevalence: tuple[Share, ...]
    raw: Agreement
    fleiss: Agreement
    alpha: Agreement
    alphas: tuple[Agreement, ...]
    ac1: Agreement
    pairs: tuple[PairAgreement, ...]
    n_pairs: int
    people: tuple[PersonAgreement, ...]
    clauses: tuple[SectionAgreement, ...]
    disputes: tuple[Dispute, ...]
    warnings: tuple[str, ...]


def agree(
    labels: pl.DataFrame, *, seed: int, by: str | None = None, rules: Rulebook | None = None
) -> list[RubricAgreement]:
    """The agreement on each rubric, by kind of item; with `by`, on each stratum after the whole.

    Args:
        labels: Fits `tables.LABELS`; with `by`, it has that column too.
        seed: Of alpha's bootstrap.
        by: A column whose values are the strata.
        rules: What is known of the rubrics; without it labels speak for themselves.
    """
    found = []
    named = labels.with_columns(item=pl.coalesce("item_id", "trace_id"))
    groups = named.select("rubric", "item_kind").unique().sort("rubric", "item_kind")
    for rubric, kind in groups.iter_rows():
        is_own = (pl.col("rubric") == rubric) & (pl.col("item_kind") == kind)
        own = named.filter(is_own).sort("item", "annotator")
        parts = [("", own)] + [
            (f"{by}={value}", own.filter(pl.col(by or "") == value)) for value in _values(own, by)
        ]
        found += [
            _agreement((rubric, kind, stratum), part, seed, rules or Rulebook())
            for stratum, part in parts
        ]
    return found


def _values(labels: pl.DataFrame, by: str | None) -> list[str]:
    return [] if by is None else sorted(labels[by].drop_nulls().unique().to_list())


def _agreement(
    what: tuple[str, str, str], labels: pl.DataFrame, seed: int, rules: Rulebook
) -> RubricAgreement:
    rubric, kind, stratum = what
    own = labels.filter(pl.col("role") == "annotator")
    given = _by_item(own)
    scale = scale_of(own["label"].to_list(), rules.forms.get(rubric) if kind != "pair" else None)
    is_words = scale.level == "words"
    units = [[] if is_words else scale.coded_all(said.values()) for said in given.values()]
    table = tabulate(units, scale.categories)
    weights = "linear" if scale.is_ordered else "identity"
    alphas = _alphas(table, scale, seed)
    disputes = {
        item: said for item, said in given.items() if len(set(said.values())) > 1 and not is_words
    }
    settled = set(labels.filter(pl.col("role") == "senior")["item"].to_list())
    pairs, n_pairs = ([], 0) if is_words else pair_agreements(given, scale)
    return RubricAgreement(
        rubric=rubric,
        kind=kind,
        stratum=stratum,
        level=scale.level,
        guidance_versions=tuple(sorted(own["guidance_version"].unique().to_list())),
        n_labels=own.height,
        n_items=len(given),
        n_disputed=len(disputes),
        n_open=len(set(disputes) - settled),
        prevalence=prevalence(table),
        raw=raw_agreement(table),
        fleiss=fleiss_kappa(table, weights=weights),
        alpha=alphas.get(scale.level, alphas["nominal"]),
        alphas=tuple(alphas.values()),
        ac1=gwet_ac(table, weights=weights),
        pairs=tuple(pairs),
        n_pairs=n_pairs,
        people=() if is_words else tuple(person_agreements(given)),
        clauses=() if is_words else tuple(_clauses(own, rules.sections.get(rubric, ()))),
        disputes=tuple(_disputes(labels, disputes)),
        warnings=tuple(_warnings(own, given, scale)),
    )


def _alphas(table: RatingTable, scale: Scale, seed: int) -> dict[str, Agreement]:
    """Level → alpha, for every level that the labels allow."""
    levels = ["nominal"]
    if scale.is_ordered:
        levels.append("ordinal")
    if scale.is_number and scale.is_ordered:
        levels.append("interval")
        if all(float(value) >= 0.0 for value in table.categories):
            levels.append("ratio")
    return {level: krippendorff_alpha(table, level, seed=seed) for level in levels}


def _clauses(labels: pl.DataFrame, sections: Sequence[Section]) -> list[SectionAgreement]:
    items: dict[str, list[dict[str, object]]] = {}
    for row in labels.iter_rows(named=True):
        items.setdefault(row["item"], []).append(row)
    return section_agreements(items, sections)


def _by_item(labels: pl.DataFrame) -> dict[str, dict[str, str]]:
    """Item → annotator → label."""
    given: dict[str, dict[str, str]] = {}
    for item, annotator, label in labels.select("item", "annotator", "label").iter_rows():
        given.setdefault(item, {})[annotator] = label
    return given


def _disputes(labels: pl.DataFrame, disputed: dict[str, dict[str, str]]) -> list[Dispute]:
    shown = sorted(disputed)[:SHOWN]
    rows = labels.filter(pl.col("item").is_in(shown))
    comments: dict[str, dict[str, str]] = {}
    settled: dict[str, str] = {}
    for row in rows.sort("created_at").iter_rows(named=True):
        if row["role"] == "senior":
            settled[row["item"]] = row["label"]
        elif row["comment"]:
            comments.setdefault(row["item"], {})[row["annotator"]] = row["comment"]
    return [
        Dispute(
            item, disputed[item], dict(sorted(comments.get(item, {}).items())), settled.get(item)
        )
        for item in shown
    ]


def _warnings(labels: pl.DataFrame, given: dict[str, dict[str, str]], scale: Scale) -> list[str]:
    if scale.level == "words":
        return [WORDS]
    found = [scale.warning] if scale.warning else []
    people = sorted(labels["annotator"].unique().to_list())
    shared = sum(len(said) > 1 for said in given.values())
    if len(people) == 1:
        found.append(f"{people[0]} is the only annotator: agreement is undefined")
    elif given and not shared:
        found.append("no item was labelled by two annotators: agreement is undefined")
    versions = sorted(labels["guidance_version"].unique().to_list())
    if len(versions) > 1:
        found.append(
            f"labels follow {len(versions)} versions of the guidance ({', '.join(versions)}):"
            " a difference may be the guidance's"
        )
    used = sorted(labels["label"].unique().to_list())
    if len(used) == 1 and shared:
        found.append(f"everybody said {used[0]}: kappa and alpha are undefined")
    return found
