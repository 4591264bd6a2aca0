"""Where a rubric and people disagree, clause by clause, without any model.

A row speaks of the clause that people's comments on it share most words with, or the judge's reason
where people wrote none; rarer words count more. A clause on whose rows judge and people differ more
often than on others is one that the two read differently; rows that speak of no clause tell what
the rubric leaves out.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from gitloop.records import Interval
from gitloop.stats.distributions import fisher_exact
from gitloop.stats.intervals import wilson_interval
from gitloop.stats.multiplicity import holm

ALIKE = 0.1
"""Least similarity in [0, 1] for a row to speak of a clause."""

TOLD = 0.25
"""Least similarity in [0, 1] for a clause of the guidance to be told to the judge as well."""

SHOWN = 3
"""Rows of disagreement that are named per clause."""

MOST_WORDS = 6

_LIST_MARK = re.compile(r"^\s*(?:[-*•#>]+|\(?\d{1,2}[.)])\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?…;])\s+|(?<=[。！？])")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_MEANINGFUL = frozenset("no not never none nothing without only every all more most must".split())  # noqa: SIM905
_SILENT = (ENGLISH_STOP_WORDS - _MEANINGFUL) | frozenset("pass passes fail fails answer".split())  # noqa: SIM905
_ENDINGS = (
    "ations",
    "ation",
    "ments",
    "ment",
    "ness",
    "ings",
    "ing",
    "ies",
    "ied",
    "ed",
    "es",
    "s",
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that a rubric says.

    Attributes:
        source: "instructions", which the judge reads, or "guidance", which people read.
        number: Its place in that text, from 1.
        text: As it stands there, on one line.
    """

    source: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class ClauseFigures:
    """How judge and people get on under one clause.

    Attributes:
        clause: The clause.
        n: Rows that speak of it.
        n_lenient: Rows that the judge passes and people fail.
        n_strict: Rows that the judge fails and people pass.
        rate: Share of its rows on which they differ; None without rows.
        interval: Wilson's, of it; None without rows.
        p: Fisher's exact, that they differ here as often as on the other rows; None without rows.
        p_adjusted: Holm's correction over the clauses.
        is_told: Whether the other text says something alike; None where there is no other.
        examples: Trace ids of rows on which they differ, at most `SHOWN`.
    """

    clause: Clause
    n: int
    n_lenient: int
    n_strict: int
    rate: float | None
    interval: Interval | None
    p: float | None
    p_adjusted: float | None
    is_told: bool | None
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dispute:
    """Where one rubric and people disagree.

    Attributes:
        n: Labelled and scored rows.
        n_differ: Rows on which judge and people differ.
        n_silent: Those of them about which neither judge nor people gave a reason.
        clauses: In the order of the texts.
        n_unspoken: Rows of disagreement whose reasons speak of no clause.
        words: What is said about those and stands in no clause, the commonest first.
    """

    n: int
    n_differ: int
    n_silent: int
    clauses: tuple[ClauseFigures, ...]
    n_unspoken: int
    words: tuple[str, ...]


def split_clauses(text: str, source: str) -> list[Clause]:
    """The clauses of a text: its list items and sentences; wrapped lines are joined."""
    blocks: list[str] = []
    is_open = False
    for line in text.splitlines():
        if not line.strip():
            is_open = False
        elif is_open and not _LIST_MARK.match(line):
            blocks[-1] += f" {line.strip()}"
        else:
            blocks.append(_LIST_MARK.sub("", line).strip())
            is_open = True
    found = [part.strip() for block in blocks for part in _SENTENCE_END.split(block)]
    return [Clause(source, n, part) for n, part in enumerate(filter(_words, found), start=1)]


def dispute(rows: pl.DataFrame, clauses: Sequence[Clause]) -> Dispute:
    """Where judge and people disagree, clause by clause.

    Args:
        rows: Columns trace_id, judge and people (True is pass), said (people's comments, or else
            the judge's reason; "" where there is neither).
        clauses: Of the rubric; those of one text follow each other.
    """
    rows = rows.sort("trace_id")
    texts = [_words(clause.text) for clause in clauses]
    said = [_words(text) for text in rows["said"]]
    weights = _rarity([*texts, *said])
    places = [_nearest(words, texts, weights) for words in said]
    told = rows.with_columns(place=pl.Series(places, dtype=pl.Int64))
    figures = [_figures(told, place, clause) for place, clause in enumerate(clauses)]
    adjusted = holm([one.p for one in figures])
    differ = told.filter(pl.col("judge") != pl.col("people"))
    unspoken = differ.filter(pl.col("place").is_null())
    return Dispute(
        n=rows.height,
        n_differ=differ.height,
        n_silent=differ.filter(pl.col("said") == "").height,
        clauses=tuple(
            replace(one, p_adjusted=p, is_told=_is_told(one.clause, clauses, weights))
            for one, p in zip(figures, adjusted, strict=True)
        ),
        n_unspoken=unspoken.height,
        words=_unsaid(unspoken["said"], texts),
    )


def _figures(rows: pl.DataFrame, place: int, clause: Clause) -> ClauseFigures:
    """The figures of a clause, but for what depends on the others."""
    mine, others = rows.filter(pl.col("place") == place), rows.filter(pl.col("place") != place)
    rest = pl.concat([others, rows.filter(pl.col("place").is_null())])
    n_lenient = mine.filter(pl.col("judge") & ~pl.col("people")).height
    n_strict = mine.filter(~pl.col("judge") & pl.col("people")).height
    n, n_differ = mine.height, n_lenient + n_strict
    elsewhere = rest.filter(pl.col("judge") != pl.col("people")).height
    is_tested = bool(n and rest.height)
    wrong = mine.filter(pl.col("judge") != pl.col("people"))
    return ClauseFigures(
        clause=clause,
        n=n,
        n_lenient=n_lenient,
        n_strict=n_strict,
        rate=n_differ / n if n else None,
        interval=wilson_interval(n_differ, n) if n else None,
        p=fisher_exact((n_differ, n), (elsewhere, rest.height))[2] if is_tested else None,
        p_adjusted=None,
        is_told=None,
        examples=tuple(wrong["trace_id"].head(SHOWN)),
    )


def _is_told(
    clause: Clause, clauses: Sequence[Clause], weights: Mapping[str, float]
) -> bool | None:
    """Whether the other text says something alike; None where there is none."""
    others = [_words(one.text) for one in clauses if one.source != clause.source]
    if not others:
        return None
    words = _words(clause.text)
    return max(_similarity(words, other, weights) for other in others) >= TOLD


def _nearest(
    words: Counter[str], texts: Sequence[Counter[str]], weights: Mapping[str, float]
) -> int | None:
    """The place of the clause that shares most with the words; None where none is alike."""
    alike = [_similarity(words, text, weights) for text in texts]
    best = max(alike, default=0.0)
    return alike.index(best) if best >= ALIKE else None


def _similarity(one: Counter[str], other: Counter[str], weights: Mapping[str, float]) -> float:
    """Cosine of two texts, their words weighted by rarity."""
    dot = sum(weights[word] ** 2 for word in one.keys() & other.keys())
    norms = (sum(weights[word] ** 2 for word in text) for text in (one, other))
    size = math.prod(norms)
    return dot / math.sqrt(size) if size > 0.0 else 0.0


def _rarity(texts: Sequence[Counter[str]]) -> dict[str, float]:
    """Word → its inverse document frequency."""
    counts = Counter(word for text in texts for word in text)
    return {word: math.log(1.0 + len(texts) / n) for word, n in sorted(counts.items())}


def _unsaid(said: Iterable[str], clauses: Sequence[Counter[str]]) -> tuple[str, ...]:
    """Words that two rows or more say and no clause does."""
    known = {word for clause in clauses for word in clause}
    counts: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for text in said:
        for word in sorted(set(_plain(text))):
            shown.setdefault(_stem(word), word)
        counts.update(set(_words(text)) - known)
    ranked = sorted(counts, key=lambda stem: (-counts[stem], stem))
    return tuple(shown.get(stem, stem) for stem in ranked if counts[stem] > 1)[:MOST_WORDS]


def _words(text: str) -> Counter[str]:
    """The stems of a text's words that mean something."""
    return Counter(_stem(word) for word in _plain(text))


def _plain(text: str) -> list[str]:
    found = []
    for word in _WORD.findall(text.casefold()):
        if _UNSPACED.search(word):
            found += [word[place : place + 2] for place in range(max(1, len(word) - 1))]
        elif word not in _SILENT:
            found.append(word)
    return found


def _stem(word: str) -> str:
    """The word without its commonest ending, as far as three letters are left."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
