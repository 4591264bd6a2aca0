"""Whether a judge errs alike everywhere: its errors per route, cohort and cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from gitloop.stats.corrected import differential_errors
from gitloop.stats.multiplicity import holm
from gitloop.stats.thresholds import Confusion, ConfusionRates, confusion_rates

COLUMNS = ("route", "user_cohort", "cluster_id")
LEAST = 5
"""Fewest rows of a slice; smaller ones are left to the whole."""


@dataclass(frozen=True, slots=True)
class SliceErrors:
    """A judge on the rows that share a value.

    Attributes:
        column: "route", "user_cohort" or "cluster_id".
        value: What the rows share.
        confusion: Judge against people.
        rates: Of that table.
        judged_rate: Share that the judge passes.
        people_rate: Share that people pass.
        p: Fisher's exact test that the judge errs here as on the other rows, sensitivity and
            specificity combined; None where neither can be tested.
        p_adjusted: Holm's correction over all slices of the card.
    """

    column: str
    value: str
    confusion: Confusion
    rates: ConfusionRates
    judged_rate: float
    people_rate: float
    p: float | None
    p_adjusted: float | None = None


def slice_errors(judged: pl.DataFrame) -> tuple[SliceErrors, ...]:
    """The slices with at least `LEAST` rows, in the order of `COLUMNS`, then by value.

    Args:
        judged: Columns `judge` and `people` (True is pass) and those of `COLUMNS`.
    """
    found = []
    for column in COLUMNS:
        for value in sorted(judged[column].drop_nulls().unique().to_list()):
            inside = judged.filter(pl.col(column) == value)
            if LEAST <= inside.height < judged.height:
                outside = judged.filter(pl.col(column).ne_missing(value))
                found.append(_slice(column, value, inside, outside))
    adjusted = holm([one.p for one in found])
    return tuple(replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True))


def _slice(column: str, value: str, inside: pl.DataFrame, outside: pl.DataFrame) -> SliceErrors:
    here, there = _confusion(inside), _confusion(outside)
    n = inside.height
    return SliceErrors(
        column=column,
        value=value,
        confusion=here,
        rates=confusion_rates(here),
        judged_rate=(here.tp + here.fp) / n,
        people_rate=(here.tp + here.fn) / n,
        p=differential_errors(_arms(there), _arms(here)).p,
    )


def _confusion(judged: pl.DataFrame) -> Confusion:
    judge, people = judged["judge"], judged["people"]
    tp, fp = int((judge & people).sum()), int((judge & ~people).sum())
    return Confusion(tp, fp, int(people.sum()) - tp, int((~people).sum()) - fp)


def _arms(confusion: Confusion) -> tuple[tuple[int, int], tuple[int, int]]:
    """((judge passes, rows people pass), (judge fails, rows people fail))."""
    return (
        (confusion.tp, confusion.tp + confusion.fn),
        (confusion.tn, confusion.tn + confusion.fp),
    )
