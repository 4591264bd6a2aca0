"""What people agree on: one verdict per item and rubric, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "trace_id": pl.String,
    "rubric": pl.String,
    "verdict": pl.String,
    "annotators": pl.List(pl.String),
    "agreement": pl.Float64,
    "is_unanimous": pl.Boolean,
    "settled_by": pl.String,
    "reference": pl.String,
    "guidance_version": pl.String,
    "reason": pl.String,
}
"""Columns of what `consensus` returns.

verdict: "pass" or "fail", or null where people do not agree. annotators: who gave a verdict,
sorted. agreement: share of them behind the verdict, (0, 1]; the largest share where there is none.
is_unanimous: whether all said the same; null when only one person spoke. settled_by: the senior
whose word decided, or null. reason: why there is no verdict, or null.
"""

PASS_FROM = 0.5
"""Normalised score from which a graded label counts as "pass", where its rubric does not say."""


@dataclass(frozen=True, slots=True)
class _Voice:
    """One person's word on an item, as it stands now."""

    annotator: str
    is_senior: bool
    verdict: str
    reference: str | None
    guidance_version: str
    order: tuple[Any, str]


def consensus(
    labels: pl.DataFrame,
    n_annotators: int,
    min_agreement: float,
    pass_from: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """The verdict of each labelled item under each rubric, sorted by trace_id and rubric.

    A person's newest label of an item counts. A senior's verdict settles the item alone; seniors
    who differ settle nothing. Otherwise at least `n_annotators` people must have spoken, and a
    share of at least `min_agreement` of them, and more than half, must say the same. A label that
    is neither a verdict nor a score ("unsure") is an abstention and counts for nobody.

    Args:
        labels: Columns trace_id, rubric, label, score ([0, 1], higher is better), reference,
            annotator, role ("annotator" or "senior"), guidance_version, created_at, label_id.
        n_annotators: Fewest people that an item needs, at least 1.
        min_agreement: Least share behind a verdict, in (0.5, 1].
        pass_from: Rubric → score from which a graded label counts as "pass"; `PASS_FROM` for
            rubrics that it does not name.

    Returns:
        Columns as in `SCHEMA`; one row per (trace_id, rubric) of the input.
    """
    rows = labels.sort("trace_id", "rubric", "created_at", "label_id").iter_rows(named=True)
    lines = pass_from or {}
    found = []
    for (trace_id, rubric), said in groupby(rows, lambda row: (row["trace_id"], row["rubric"])):
        voices = _voices(said, lines.get(rubric, PASS_FROM))
        settled = _settle(voices, n_annotators, min_agreement)
        found.append({"trace_id": trace_id, "rubric": rubric, **settled})
    return pl.DataFrame(found, schema=SCHEMA)


def _voices(rows: Iterable[dict[str, Any]], pass_from: float) -> list[_Voice]:
    """The newest word of each person, sorted by name; abstentions are left out."""
    newest = {row["annotator"]: row for row in rows}
    voices = []
    for annotator, row in sorted(newest.items()):
        verdict = verdict_of(row["label"], row["score"], pass_from)
        if verdict is not None:
            voices.append(
                _Voice(
                    annotator=annotator,
                    is_senior=row["role"] == "senior",
                    verdict=verdict,
                    reference=row["reference"],
                    guidance_version=row["guidance_version"],
                    order=(row["created_at"], row["label_id"]),
                )
            )
    return voices


def verdict_of(label: str, score: float | None, pass_from: float = PASS_FROM) -> str | None:
    """The verdict that a label means, "pass" or "fail", or None for an abstention.

    Args:
        label: As given.
        score: What it is worth, [0, 1], or None.
        pass_from: Least score that passes.
    """
    if label in ("pass", "fail"):
        return label
    if score is None:
        return None
    return "pass" if score >= pass_from else "fail"


def _settle(voices: list[_Voice], n_annotators: int, min_agreement: float) -> dict[str, Any]:
    """The outcome of one item, without its names."""
    verdicts = [voice.verdict for voice in voices]
    seniors = [voice for voice in voices if voice.is_senior]
    if seniors:
        said = {voice.verdict for voice in seniors}
        verdict = said.pop() if len(said) == 1 else None
        reason = None if verdict else "seniors disagree"
    else:
        verdict = max(("fail", "pass"), key=verdicts.count)
        reason = _doubt(len(voices), verdicts.count(verdict), n_annotators, min_agreement)
        verdict = None if reason else verdict
    behind = [voice for voice in voices if voice.verdict == verdict]
    deciding = [voice for voice in behind if voice.is_senior] or behind
    largest = max(verdicts.count("pass"), verdicts.count("fail"))
    return {
        "verdict": verdict,
        "annotators": [voice.annotator for voice in voices],
        "agreement": (len(behind) if verdict else largest) / len(voices) if voices else None,
        "is_unanimous": len(set(verdicts)) == 1 if len(voices) > 1 else None,
        "settled_by": _newest(deciding).annotator if seniors and deciding else None,
        "reference": _reference(deciding, behind),
        "guidance_version": _newest(deciding).guidance_version if deciding else None,
        "reason": reason,
    }


def _doubt(n: int, n_behind: int, n_annotators: int, min_agreement: float) -> str | None:
    """Why these votes give no verdict, or None when they do."""
    if n < n_annotators:
        return f"{n} of {n_annotators} annotators"
    share = n_behind / n
    if share <= 0.5 or share < min_agreement:
        return f"{n_behind} of {n} annotators agree"
    return None


def _newest(voices: list[_Voice]) -> _Voice:
    return max(voices, key=lambda voice: voice.order)


def _reference(deciding: list[_Voice], behind: list[_Voice]) -> str | None:
    """The newest reference among those who decided, else among those who agree with them."""
    for voices in (deciding, behind):
        given = [voice for voice in voices if voice.reference]
        if given:
            return _newest(given).reference
    return None
