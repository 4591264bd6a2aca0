"""How far annotators agree, per rubric and stratum, and who disagrees with whom on what.

Seniors are left out: they saw what the others said, so their verdict is no independent one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from gitloop.stats.agreement import (
    Agreement,
    Label,
    Share,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    prevalence,
    raw_agreement,
    tabulate,
)

BINARY = ("fail", "pass")
SHOWN = 200
"""Most disagreements listed per rubric; `n_disputed` counts them all."""


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """How far two annotators agree.

    Attributes:
        annotators: The two, sorted.
        n_items: Items that both labelled.
        n_agreed: Items with the same label.
        kappa: Cohen's kappa; weighted (linear) on an ordinal scale.
    """

    annotators: tuple[str, str]
    n_items: int
    n_agreed: int
    kappa: Agreement


@dataclass(frozen=True, slots=True)
class Dispute:
    """An item on which annotators differ.

    Attributes:
        trace_id: The trace.
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
        stratum: "column=value", or "" for all items.
        guidance_versions: Which guidance the labels follow, sorted.
        n_labels: Labels by annotators.
        n_items: Items labelled.
        n_disputed: Items with two different labels.
        prevalence: How often each label was given.
        raw: Share of pairs of labels that agree.
        fleiss: Fleiss' kappa.
        alpha: Krippendorff's alpha; ordinal where labels are numbers, nominal otherwise.
        ac1: Gwet's AC1; AC2 (linear) where labels are numbers.
        pairs: Every two annotators who share an item.
        disputes: The first `SHOWN` disputed items, by trace id.
        warnings: What makes the figures weaker than they look.
    """

    rubric: str
    stratum: str
    guidance_versions: tuple[str, ...]
    n_labels: int
    n_items: int
    n_disputed: int
    prevalence: tuple[Share, ...]
    raw: Agreement
    fleiss: Agreement
    alpha: Agreement
    ac1: Agreement
    pairs: tuple[PairAgreement, ...]
    disputes: tuple[Dispute, ...]
    warnings: tuple[str, ...]


def agree(labels: pl.DataFrame, *, seed: int, by: str | None = None) -> list[RubricAgreement]:
    """The agreement on each rubric, sorted by name; with `by`, on each stratum after the whole.

    Args:
        labels: Fits `tables.LABELS`; with `by`, it has that column too.
        seed: Of alpha's bootstrap.
        by: A column whose values are the strata.
    """
    found = []
    for rubric in sorted(labels["rubric"].unique().to_list()):
        own = labels.filter(pl.col("rubric") == rubric).sort("trace_id", "annotator")
        found.append(_agreement(rubric, "", own, seed))
        for value in _values(own, by):
            stratum = own.filter(pl.col(by or "") == value)
            found.append(_agreement(rubric, f"{by}={value}", stratum, seed))
    return found


def _values(labels: pl.DataFrame, by: str | None) -> list[str]:
    return [] if by is None else sorted(labels[by].drop_nulls().unique().to_list())


def _agreement(rubric: str, stratum: str, labels: pl.DataFrame, seed: int) -> RubricAgreement:
    own = labels.filter(pl.col("role") == "annotator")
    given = _by_item(own)
    scale = _scale(own["label"].to_list())
    is_ordinal = scale is None
    units = [
        [_coded(label, is_ordinal=is_ordinal) for label in said.values()] for said in given.values()
    ]
    table = tabulate(units, scale)
    weights = "linear" if is_ordinal else "identity"
    disputes = {item: said for item, said in given.items() if len(set(said.values())) > 1}
    return RubricAgreement(
        rubric=rubric,
        stratum=stratum,
        guidance_versions=tuple(sorted(own["guidance_version"].unique().to_list())),
        n_labels=own.height,
        n_items=len(given),
        n_disputed=len(disputes),
        prevalence=prevalence(table),
        raw=raw_agreement(table),
        fleiss=fleiss_kappa(table),
        alpha=krippendorff_alpha(table, "ordinal" if is_ordinal else "nominal", seed=seed),
        ac1=gwet_ac(table, weights=weights),
        pairs=tuple(_pairs(given, scale, weights)),
        disputes=tuple(_disputes(labels, disputes)),
        warnings=tuple(_warnings(own, given)),
    )


def _by_item(labels: pl.DataFrame) -> dict[str, dict[str, str]]:
    """trace_id → annotator → label."""
    given: dict[str, dict[str, str]] = {}
    for trace_id, annotator, label in labels.select("trace_id", "annotator", "label").iter_rows():
        given.setdefault(trace_id, {})[annotator] = label
    return given


def _scale(labels: Sequence[str]) -> tuple[str, ...] | None:
    """The categories, or None where every label is a number and so has its own order."""
    if set(labels) <= set(BINARY):
        return BINARY
    if all(_is_number(label) for label in labels):
        return None
    return tuple(sorted(set(labels)))


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def _coded(label: str, *, is_ordinal: bool) -> Label:
    return float(label) if is_ordinal else label


def _pairs(
    given: dict[str, dict[str, str]], scale: tuple[str, ...] | None, weights: str
) -> list[PairAgreement]:
    people = sorted({annotator for said in given.values() for annotator in said})
    found = []
    for one, other in combinations(people, 2):
        both = [said for said in given.values() if one in said and other in said]
        if not both:
            continue
        first = [_coded(said[one], is_ordinal=scale is None) for said in both]
        second = [_coded(said[other], is_ordinal=scale is None) for said in both]
        agreed = sum(a == b for a, b in zip(first, second, strict=True))
        kappa = cohen_kappa(first, second, weights=weights, categories=scale)
        found.append(PairAgreement((one, other), len(both), agreed, kappa))
    return found


def _disputes(labels: pl.DataFrame, disputed: dict[str, dict[str, str]]) -> list[Dispute]:
    shown = sorted(disputed)[:SHOWN]
    rows = labels.filter(pl.col("trace_id").is_in(shown))
    comments: dict[str, dict[str, str]] = {}
    settled: dict[str, str] = {}
    for row in rows.sort("created_at").iter_rows(named=True):
        if row["role"] == "senior":
            settled[row["trace_id"]] = row["label"]
        elif row["comment"]:
            comments.setdefault(row["trace_id"], {})[row["annotator"]] = row["comment"]
    return [
        Dispute(
            item, disputed[item], dict(sorted(comments.get(item, {}).items())), settled.get(item)
        )
        for item in shown
    ]


def _warnings(labels: pl.DataFrame, given: dict[str, dict[str, str]]) -> list[str]:
    found = []
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
