"""Which sections of the guidance people disagree under.

Annotators tick the section that decided a label. Where they did not, their comment may still speak
of one: a section is taken when the comment shares more of its own words with it than with any
other. The two are counted apart, for the second is a guess.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitloop.params import Section
from gitloop.records import Interval
from gitloop.stats.intervals import wilson_interval

_WORD = re.compile(r"[^\W\d_]{4,}")
_LEAST_SHARED = 2
"""Fewest words that a comment must share with a section to speak of it."""


@dataclass(frozen=True, slots=True)
class SectionAgreement:
    """How far people agree where a section of the guidance decided.

    Attributes:
        section_id: The section; its title where the guidance still has it.
        title: Its title, or "".
        n_items: Items that two or more people labelled and somebody decided by this section.
        n_guessed: Those of them that only a comment's words connect with it.
        n_disputed: Items of them with two different labels.
        n_two_ways: Disputed items on which people who cite the section say different things: it is
            read in two ways.
        rate: `n_disputed` over `n_items`.
        interval: Wilson's interval of the rate.
        elsewhere: The share of disputed items among all others, or None.
        trace_ids: The first few disputed items.
    """

    section_id: str
    title: str
    n_items: int
    n_guessed: int
    n_disputed: int
    n_two_ways: int
    rate: float
    interval: Interval
    elsewhere: float | None
    trace_ids: tuple[str, ...]


def section_agreements(
    items: Mapping[str, Sequence[Mapping[str, Any]]], sections: Sequence[Section]
) -> list[SectionAgreement]:
    """The sections under which people disagree, the most disputed items first.

    Args:
        items: Item → its labels by annotators, rows of `tables.LABELS`.
        sections: The guidance as it is now.
    """
    shared = {item: rows for item, rows in items.items() if len(rows) > 1}
    words = _own_words(sections)
    disputed = {item for item, rows in shared.items() if len({row["label"] for row in rows}) > 1}
    cited: dict[str, dict[str, list[tuple[str, bool]]]] = {}
    for item, rows in shared.items():
        for row in rows:
            for name, is_guess in _sections_of(row, words):
                cited.setdefault(name, {}).setdefault(item, []).append((row["label"], is_guess))
    titles = {section.section_id: section.title for section in sections}
    found = [
        _finding(name, titles.get(name, ""), by_item, disputed, len(shared))
        for name, by_item in cited.items()
    ]
    return sorted(found, key=lambda one: (-one.n_disputed, one.n_items, one.section_id))


def _finding(
    name: str,
    title: str,
    by_item: Mapping[str, Sequence[tuple[str, bool]]],
    disputed: set[str],
    n_shared: int,
) -> SectionAgreement:
    own = sorted(disputed & set(by_item))
    n_elsewhere = n_shared - len(by_item)
    return SectionAgreement(
        section_id=name,
        title=title,
        n_items=len(by_item),
        n_guessed=sum(all(guess for _, guess in said) for said in by_item.values()),
        n_disputed=len(own),
        n_two_ways=sum(len({label for label, _ in by_item[item]}) > 1 for item in own),
        rate=len(own) / len(by_item),
        interval=wilson_interval(len(own), len(by_item)),
        elsewhere=(len(disputed) - len(own)) / n_elsewhere if n_elsewhere else None,
        trace_ids=tuple(own[:5]),
    )


def _sections_of(row: Mapping[str, Any], words: Mapping[str, set[str]]) -> list[tuple[str, bool]]:
    """The sections that decided a label, each with whether that is a guess."""
    if row["sections"]:
        return [(name, False) for name in row["sections"]]
    said = set(_WORD.findall((row["comment"] or "").lower()))
    shared = Counter({name: len(said & own) for name, own in words.items()}).most_common(2)
    if not shared or shared[0][1] < _LEAST_SHARED:
        return []
    if len(shared) > 1 and shared[0][1] == shared[1][1]:
        return []
    return [(shared[0][0], True)]


def _own_words(sections: Sequence[Section]) -> dict[str, set[str]]:
    """Section → its words of four letters and more that at most half of the sections have."""
    words = {
        section.section_id: set(_WORD.findall(f"{section.title} {section.text}".lower()))
        for section in sections
    }
    counts = Counter(word for own in words.values() for word in own)
    most = max(1, len(words) // 2)
    return {name: {word for word in own if counts[word] <= most} for name, own in words.items()}
