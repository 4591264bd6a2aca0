"""Rows that the set has already, word for word or nearly so."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gitloop.core.promote.cases import LeftOut
from gitloop.stats.shingles import Index, frequencies, least_alike, shingles


@dataclass(frozen=True, slots=True)
class _Text:
    """What two rows are compared by."""

    row_id: str
    route: str | None
    parts: tuple[frozenset[str], ...]

    @property
    def input(self) -> frozenset[str]:
        """Its first part; the context, where there is one, is the other."""
        return self.parts[0]


def drop_duplicates(
    rows: pl.DataFrame, present: pl.DataFrame, *, threshold: float, keeps_near: bool = False
) -> tuple[pl.DataFrame, list[LeftOut]]:
    """The rows that are new to the set, and the others, each with its twin.

    Rows are taken in the order of `source_trace_id`; of two that are alike, the first stays. Two
    rows of one route are near duplicates when both their inputs and their contexts are alike:
    Jaccard's similarity of three-word shingles (Broder 1997), case and punctuation ignored.

    Args:
        rows: Candidates with the columns row_id, source_trace_id, route, input and context; each
            trace once.
        present: The set's rows with the same columns.
        threshold: Least similarity of near duplicates, in (0, 1].
        keeps_near: Whether near duplicates stay.
    """
    rows = rows.sort("source_trace_id")
    present_ids = set(present["row_id"].to_list())
    first: dict[str, str] = {}
    left_out = []
    for row_id, trace_id in rows.select("row_id", "source_trace_id").iter_rows():
        if row_id in present_ids:
            left_out.append(LeftOut(trace_id, "already in the set", f"row {row_id}"))
        elif row_id in first:
            told = f"row {row_id}, from trace {first[row_id]}"
            left_out.append(LeftOut(trace_id, "twice among these cases", told))
        else:
            first[row_id] = trace_id
    new = rows.filter(pl.col("source_trace_id").is_in(list(first.values())))
    near = {} if keeps_near or new.is_empty() else _near_duplicates(new, present, threshold)
    for row_id, (twin, similarity) in near.items():
        told = f"row {row_id} is {similarity:.2f} like row {twin}"
        left_out.append(LeftOut(first[row_id], "near duplicate", told))
    return new.filter(~pl.col("row_id").is_in(list(near))), left_out


def _near_duplicates(
    new: pl.DataFrame, present: pl.DataFrame, threshold: float
) -> dict[str, tuple[str, float]]:
    """row_id of each near duplicate → row_id and similarity of the row that it is most like."""
    candidates = _texts(new)
    index = Index(threshold, frequencies(one.input for one in candidates))
    for candidate in candidates:
        index.add(candidate.input)
    likely = present.filter(_words("input").str.contains_any(index.keys()))
    found: dict[str, tuple[str, float]] = {}
    for other in _texts(likely):
        for position, _ in index.like(other.input):
            _compare(candidates[position], other, threshold, found)
    for position, other in enumerate(candidates):
        if other.row_id not in found:
            for later, _ in index.like(other.input):
                if later > position:
                    _compare(candidates[later], other, threshold, found)
    return found


def _compare(
    candidate: _Text, other: _Text, threshold: float, found: dict[str, tuple[str, float]]
) -> None:
    """Note in `found` that the candidate is like the other, if it is, and more than any before."""
    if candidate.route != other.route or len(candidate.parts) != len(other.parts):
        return
    similarity = least_alike(candidate.parts, other.parts)
    before = found.get(candidate.row_id)
    if similarity >= threshold and (before is None or similarity > before[1]):
        found[candidate.row_id] = (other.row_id, similarity)


def _words(column: str) -> pl.Expr:
    """The text as lower-case words with one blank between them."""
    return (
        pl.col(column)
        .str.to_lowercase()
        .str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
        .str.strip_chars(" ")
    )


def _texts(rows: pl.DataFrame) -> list[_Text]:
    chosen = rows.select("row_id", "route", _words("input"), _words("context"))
    return [
        _Text(row_id, route, tuple(shingles(text) for text in texts if text is not None))
        for row_id, route, *texts in chosen.iter_rows()
    ]
