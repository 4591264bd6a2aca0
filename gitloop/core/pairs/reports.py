"""What a set of pairs would teach besides the preference: length, position, and by whom."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from gitloop.records import Interval
from gitloop.stats.intervals import mean_interval, wilson_interval

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class LengthReport:
    """Whether the chosen answer is simply the longer one.

    Attributes:
        n: Pairs whose answers differ in length.
        longer_rate: Share of them whose chosen answer is the longer, or None.
        interval: Of that share; 0.5 has no length bias.
        log_ratio: Mean of ln(chosen characters / rejected characters) over all pairs, or None.
        log_ratio_interval: Of that mean, or None.
        is_biased: Whether the interval of the share leaves 0.5 out.
    """

    n: int
    longer_rate: float | None
    interval: Interval | None
    log_ratio: float | None
    log_ratio_interval: Interval | None
    is_biased: bool


@dataclass(frozen=True, slots=True)
class SourceReport:
    """The pairs of one source.

    Attributes:
        source: The source.
        n: Pairs.
        n_review: Pairs that a person looks at first.
        n_prompts: Prompt classes.
        mean_margin: Mean margin of the pairs that have one, or None.
        length: Their lengths.
    """

    source: str
    n: int
    n_review: int
    n_prompts: int
    mean_margin: float | None
    length: LengthReport


def length_report(pairs: pl.DataFrame) -> LengthReport:
    """How the lengths of chosen and rejected answers compare, in characters.

    Args:
        pairs: Fits `tables.PAIRS`.
    """
    sizes = pairs.select(
        pl.col("chosen").str.len_chars().alias("chosen"),
        pl.col("rejected").str.len_chars().alias("rejected"),
    ).sort("chosen", "rejected")
    differ = sizes.filter(pl.col("chosen") != pl.col("rejected"))
    n, longer = differ.height, differ.filter(pl.col("chosen") > pl.col("rejected")).height
    ratios = [math.log(max(c, 1) / max(r, 1)) for c, r in sizes.iter_rows()]
    interval = wilson_interval(longer, n, level=LEVEL) if n else None
    return LengthReport(
        n=n,
        longer_rate=round(longer / n, 6) if n else None,
        interval=interval,
        log_ratio=round(math.fsum(ratios) / len(ratios), 6) if ratios else None,
        log_ratio_interval=mean_interval(ratios, bounds=None) if len(ratios) > 1 else None,
        is_biased=interval is not None and not interval.low <= 0.5 <= interval.high,
    )


def source_reports(pairs: pl.DataFrame) -> list[SourceReport]:
    """One report per source, by name."""
    found = []
    for source in sorted(pairs["source"].unique().to_list()):
        own = pairs.filter(pl.col("source") == source)
        margins = own["margin"].drop_nulls().sort().to_list()
        found.append(
            SourceReport(
                source=source,
                n=own.height,
                n_review=own.height - own["review"].null_count(),
                n_prompts=own["prompt_class"].n_unique(),
                mean_margin=round(math.fsum(margins) / len(margins), 6) if margins else None,
                length=length_report(own),
            )
        )
    return found
