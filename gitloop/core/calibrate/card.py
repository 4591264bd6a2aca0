"""The judge card: everything about one judge on one rubric that a reader should see before trust.

Figures over all rows rest on verdicts of rows that did not choose the line; slices and the rows
of disagreement on the line itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from gitloop.core.calibrate.findings import Finding
from gitloop.core.calibrate.results import Calibration
from gitloop.core.calibrate.slices import SliceErrors, slice_errors
from gitloop.records import Interval
from gitloop.stats.agreement import Agreement, cohen_kappa, gwet_ac, krippendorff_alpha, tabulate
from gitloop.stats.calibration import CalibrationError, calibration_error
from gitloop.stats.correlation import Correlation, pearson, spearman
from gitloop.stats.intervals import wilson_interval
from gitloop.stats.paired.rates import tango_interval
from gitloop.stats.thresholds import Confusion, ConfusionRates, confusion_rates, passes

BINS = 10
SHOWN = 20
"""Rows of disagreement on a card."""

LONGEST = 600
"""Characters of a text on a card."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows with scores of one size.

    Attributes:
        low: Scores are above it (the first bin's may be equal).
        high: Scores are at most it.
        n: Rows.
        mean_score: Mean score; None without rows.
        pass_rate: Share that people pass; None without rows.
        interval: Wilson's, of `pass_rate`.
    """

    low: float
    high: float
    n: int
    mean_score: float | None
    pass_rate: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row on which judge and people differ.

    Attributes:
        trace_id: The trace.
        route: Its route, or None.
        people: What people say: "pass" or "fail".
        score: What the judge says, [0, 1].
        distance: How far the score lies on the wrong side of the line.
        reason: The judge's reason, or None.
        input: What the user asked, shortened.
        output: What the application answered, shortened, or None.
        reference: What people would have it say, shortened, or None.
    """

    trace_id: str
    route: str | None
    people: str
    score: float
    distance: float
    reason: str | None
    input: str
    output: str | None
    reference: str | None


@dataclass(frozen=True, slots=True)
class JudgeCard:
    """One judge on one rubric.

    Attributes:
        calibration: The threshold and what was found on the way to it.
        confusion: Judge against people, on rows that did not choose the line.
        rates: Of that table.
        kappa: Cohen's kappa of judge and people.
        ac1: Gwet's AC1 of the same.
        alpha: Krippendorff's alpha of the same.
        human: How often two annotators say the same: nobody can ask more of a judge.
        bias: Share that the judge passes minus share that people pass.
        bias_interval: Tango's interval of it.
        pearson: Of score and verdict.
        spearman: Of score and verdict.
        errors: Brier score and calibration error of scores read as probabilities.
        bins: The calibration curve.
        length_bias: Spearman of the answer's length and (score - verdict): above 0, long answers
            are overrated.
        slices: Per route, cohort and cluster.
        disagreements: The `SHOWN` rows on which judge and people differ most.
        n_disagreements: All such rows.
        findings: What a reader must know.
    """

    calibration: Calibration
    confusion: Confusion
    rates: ConfusionRates
    kappa: Agreement
    ac1: Agreement
    alpha: Agreement
    human: Agreement
    bias: float
    bias_interval: Interval
    pearson: Correlation
    spearman: Correlation
    errors: CalibrationError
    bins: tuple[Bin, ...]
    length_bias: Correlation
    slices: tuple[SliceErrors, ...]
    disagreements: tuple[Disagreement, ...]
    n_disagreements: int
    findings: tuple[Finding, ...]


def judge_card(calibration: Calibration, items: pl.DataFrame, seed: int = 0) -> JudgeCard | None:
    """The card of a calibrated judge; None where there is no threshold.

    Args:
        calibration: What `fit` found.
        items: What `scored_items` gave, with the judge's `reason` where it has one.
        seed: Of alpha's bootstrap.
    """
    confusion = calibration.cross_fitted_confusion or calibration.confusion
    threshold = calibration.threshold
    if threshold is None or confusion is None:
        return None
    scores = items["score"].to_numpy().astype(np.float64)
    people = (items["verdict"] == "pass").to_numpy().astype(np.bool_)
    judge = passes(scores, threshold, strict=calibration.comparison == ">")
    judged = items.with_columns(judge=pl.Series(judge), people=pl.Series(people))
    first, second = _expanded(confusion)
    table = tabulate(list(zip(first, second, strict=True)), ("fail", "pass"))
    truth = people.astype(np.float64)
    lengths = items["output"].fill_null("").str.len_chars().to_numpy().astype(np.float64)
    wrong = judged.filter(pl.col("judge") != pl.col("people"))
    return JudgeCard(
        calibration=calibration,
        confusion=confusion,
        rates=confusion_rates(confusion),
        kappa=cohen_kappa(first, second, categories=("fail", "pass")),
        ac1=gwet_ac(table),
        alpha=krippendorff_alpha(table, seed=seed),
        human=calibration.agreement,
        bias=(confusion.fp - confusion.fn) / max(1, len(first)),
        bias_interval=tango_interval(confusion.fn, confusion.fp, len(first)),
        pearson=pearson(scores, truth),
        spearman=spearman(scores, truth),
        errors=calibration_error(scores, people, n_bins=BINS),
        bins=_bins(scores, people),
        length_bias=spearman(lengths, scores - truth),
        slices=slice_errors(judged),
        disagreements=_disagreements(wrong, threshold),
        n_disagreements=wrong.height,
        findings=calibration.findings,
    )


def _expanded(confusion: Confusion) -> tuple[list[str], list[str]]:
    """The confusion table as two lists of verdicts: the judge's and people's."""
    cells = (
        ("pass", "pass", confusion.tp),
        ("pass", "fail", confusion.fp),
        ("fail", "pass", confusion.fn),
        ("fail", "fail", confusion.tn),
    )
    judge = [verdict for verdict, _, n in cells for _ in range(n)]
    people = [verdict for _, verdict, n in cells for _ in range(n)]
    return judge, people


def _bins(scores: np.ndarray, people: np.ndarray) -> tuple[Bin, ...]:
    """The calibration curve over equally wide bins, as `calibration_error` cuts them."""
    edges = [n / BINS for n in range(BINS + 1)]
    places = np.searchsorted(np.asarray(edges[1:-1]), scores, side="left")
    found = []
    for place in range(BINS):
        inside = places == place
        n, passed = int(inside.sum()), int(people[inside].sum())
        found.append(
            Bin(
                low=edges[place],
                high=edges[place + 1],
                n=n,
                mean_score=float(scores[inside].mean()) if n else None,
                pass_rate=passed / n if n else None,
                interval=wilson_interval(passed, n) if n else None,
            )
        )
    return tuple(found)


def _disagreements(wrong: pl.DataFrame, threshold: float) -> tuple[Disagreement, ...]:
    """The rows whose score lies farthest on the wrong side of the line."""
    ranked = wrong.with_columns(distance=(pl.col("score") - threshold).abs()).sort(
        "distance", "trace_id", descending=[True, False]
    )
    return tuple(
        Disagreement(
            trace_id=row["trace_id"],
            route=row["route"],
            people=row["verdict"],
            score=row["score"],
            distance=row["distance"],
            reason=_short(row.get("reason")),
            input=_short(row["input"]) or "",
            output=_short(row["output"]),
            reference=_short(row["reference"]),
        )
        for row in ranked.head(SHOWN).iter_rows(named=True)
    )


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
