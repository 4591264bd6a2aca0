"""What may be promoted: a floor under the agreement of each stratum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from gitloop.core.agree.scales import scale_of
from gitloop.params import AgreementFloor, LabelForm
from gitloop.stats.agreement import (
    Agreement,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    raw_agreement,
    tabulate,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one stratum of one rubric stands to the floor.

    Attributes:
        rubric: The rubric.
        stratum: Value of the column that makes strata; "" for the whole rubric.
        figure: The agreement that is held to the floor.
        is_borrowed: Whether the stratum is too small, and the whole rubric's figure is taken.
        is_met: Whether its rows may be promoted.
        reason: Why not, or "".
    """

    rubric: str
    stratum: str
    figure: Agreement
    is_borrowed: bool
    is_met: bool
    reason: str


def standings(
    labels: pl.DataFrame,
    floor: AgreementFloor,
    *,
    seed: int,
    forms: Mapping[str, LabelForm] | None = None,
) -> list[Standing]:
    """How each rubric, and each stratum of it, stands to the floor; sorted.

    Args:
        labels: Fits `tables.LABELS`, labels of traces under one guidance, with the column that
            `floor.by` names. Seniors' labels are left out.
        floor: The policy.
        seed: Of alpha's bootstrap.
        forms: Rubric → how people answer under it.
    """
    found = []
    own = labels.filter(pl.col("role") == "annotator")
    for rubric in sorted(own["rubric"].unique().to_list()):
        of_rubric = own.filter(pl.col("rubric") == rubric)
        form = (forms or {}).get(rubric)
        whole = _figure(of_rubric, floor, form, seed)
        found.append(_standing(rubric, "", whole, floor, is_borrowed=False))
        if floor.by is None:
            continue
        for value in sorted(of_rubric[floor.by].drop_nulls().unique().to_list()):
            figure = _figure(of_rubric.filter(pl.col(floor.by) == value), floor, form, seed)
            is_small = figure.n_items < floor.min_items
            taken = whole if is_small else figure
            found.append(_standing(rubric, value, taken, floor, is_borrowed=is_small))
    return found


def hold_back(
    verdicts: pl.DataFrame, strata: Mapping[str, str | None], found: list[Standing]
) -> pl.DataFrame:
    """The verdicts, without those of strata under the floor; their reason says which and why.

    A verdict that a senior settled stays: the senior's word is what such a stratum waits for.

    Args:
        verdicts: As `stats.consensus.consensus` returns them.
        strata: trace_id → its stratum.
        found: As `standings` returns them.
    """
    known = {(one.rubric, one.stratum): one for one in found}
    rows = []
    for row in verdicts.iter_rows(named=True):
        stratum = strata.get(row["trace_id"]) or ""
        standing = known.get((row["rubric"], stratum)) or known.get((row["rubric"], ""))
        is_held = standing is not None and not standing.is_met and row["settled_by"] is None
        if is_held and standing is not None and row["verdict"] is not None:
            rows.append(row | {"verdict": None, "reason": standing.reason})
        else:
            rows.append(row)
    return pl.DataFrame(rows, schema=verdicts.schema)


def _figure(
    labels: pl.DataFrame, floor: AgreementFloor, form: LabelForm | None, seed: int
) -> Agreement:
    scale = scale_of(labels["label"].to_list(), form)
    if scale.level == "words":
        return Agreement(floor.measure, None, None, 0, 0, 0, "people answer in words")
    units = labels.group_by("trace_id", maintain_order=True).agg("label")["label"].to_list()
    table = tabulate([scale.coded_all(unit) for unit in units], scale.categories)
    weights = "linear" if scale.is_ordered else "identity"
    match floor.measure:
        case "raw":
            return raw_agreement(table)
        case "fleiss":
            return fleiss_kappa(table, weights=weights)
        case "alpha":
            return krippendorff_alpha(table, scale.level, seed=seed)
    return gwet_ac(table, weights=weights)


def _standing(
    rubric: str, stratum: str, figure: Agreement, floor: AgreementFloor, *, is_borrowed: bool
) -> Standing:
    value = figure.value
    if floor.on == "lower_bound":
        value = figure.interval.low if figure.interval else None
    where = f"{floor.by}={stratum}" if stratum and not is_borrowed else "the whole rubric"
    reason = ""
    if value is None:
        reason = f"no {floor.measure} in {where}: {figure.reason or 'no interval'}"
    elif value < floor.least:
        kind = f"{floor.measure}'s lower bound" if floor.on == "lower_bound" else floor.measure
        reason = f"{kind} {value:.2f} in {where} is under the floor {floor.least:g}"
    return Standing(rubric, stratum, figure, is_borrowed, not reason, reason)
