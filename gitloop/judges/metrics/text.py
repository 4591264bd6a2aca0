"""Metrics of the output's wording alone: equals, contains, regex."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from gitloop.arguments import Argument
from gitloop.judges.metrics.metric import Fields, Metric, Scorer, each, quoted, unjudgeable, verdict
from gitloop.records import Judgement

_IGNORE_CASE = Argument("flag", "whether upper and lower case are the same", default=False)
MAX_PATTERN = 1000
"""Longest pattern, in characters."""


def _plain(*, ignore_case: bool) -> Callable[[str], str]:
    """Text with runs of blanks made one and, where asked for, its case folded."""
    if ignore_case:
        return lambda text: " ".join(text.split()).casefold()
    return lambda text: " ".join(text.split())


def _make_equals(arguments: Mapping[str, Any]) -> Scorer:
    plain = _plain(ignore_case=arguments["ignore_case"])
    fixed = arguments["to"]

    def score(fields: Fields) -> Judgement:
        expected = fields.get("reference") if fixed is None else fixed
        if expected is None:
            return unjudgeable("the row has no reference, and the rubric says no text to equal")
        same = plain(fields["output"]) == plain(expected)
        return verdict(passes=same, reason="" if same else f"expected {quoted([expected])}")

    return each(score)


EQUALS = Metric(
    name="equals",
    doc="the output is the reference, or a fixed text, but for blanks",
    needs=("output",),
    takes=("reference",),
    returns="0 or 1",
    make=_make_equals,
    arguments={
        "to": Argument("text", "the text to equal; by default the row's reference", default=None),
        "ignore_case": _IGNORE_CASE,
    },
)


def _make_contains(arguments: Mapping[str, Any]) -> Scorer:
    if not (arguments["all"] or arguments["any"] or arguments["none"]):
        raise ValueError("says neither all, nor any, nor none: it would pass everything")
    holds = _finder(ignore_case=arguments["ignore_case"], whole_words=arguments["whole_words"])

    def score(fields: Fields) -> Judgement:
        output = fields["output"]
        missing = [word for word in arguments["all"] if not holds(output, word)]
        forbidden = [word for word in arguments["none"] if holds(output, word)]
        wanted = arguments["any"]
        none_of = bool(wanted) and not any(holds(output, word) for word in wanted)
        told = [f"lacks {quoted(missing)}"] if missing else []
        told += [f"has {quoted(forbidden)}"] if forbidden else []
        told += [f"has none of {quoted(list(wanted))}"] if none_of else []
        return verdict(passes=not told, reason="; ".join(told))

    return each(score)


def _finder(*, ignore_case: bool, whole_words: bool) -> Callable[[str, str], bool]:
    """Tells whether a text holds a word; blanks in either count as one."""
    plain = _plain(ignore_case=ignore_case)
    if not whole_words:
        return lambda text, word: plain(word) in plain(text)

    def holds(text: str, word: str) -> bool:
        pattern = rf"(?<!\w){re.escape(plain(word))}(?!\w)"
        return re.search(pattern, plain(text)) is not None

    return holds


CONTAINS = Metric(
    name="contains",
    doc="the output holds all, any or none of some words",
    needs=("output",),
    returns="0 or 1",
    make=_make_contains,
    arguments={
        "all": Argument("words", "texts that must all be there", default=()),
        "any": Argument("words", "texts of which one must be there", default=()),
        "none": Argument("words", "texts that must not be there", default=()),
        "ignore_case": Argument("flag", "whether upper and lower case are the same", default=True),
        "whole_words": Argument(
            "flag", "whether a text counts only where no letter or digit adjoins", default=False
        ),
    },
)


def matcher(pattern: str, *, ignore_case: bool = False) -> Callable[[list[str]], list[bool]]:
    """Tells in which texts the pattern matches somewhere, in time linear in their length.

    The engine is that of polars (Rust's regex crate): it has no backtracking, so no pattern is
    catastrophic, and therefore neither look-around nor back-references.

    Raises:
        ValueError: The pattern is too long, or not valid.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"has {len(pattern)} characters, more than {MAX_PATTERN}")
    flagged = f"(?i){pattern}" if ignore_case else pattern
    try:
        pl.Series([""]).str.contains(flagged, strict=True)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"is not a valid pattern: {_told(str(error))}") from error
    return lambda texts: pl.Series(texts, dtype=pl.String).str.contains(flagged).to_list()


def _told(message: str) -> str:
    """The engine's own words, without the drawing of where the fault is."""
    lines = [line.strip() for line in message.splitlines()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (told or [lines[0].removeprefix("regex error: ")])[0]


def _make_regex(arguments: Mapping[str, Any]) -> Scorer:
    if arguments["match"] is None and arguments["forbid"] is None:
        raise ValueError("says neither match nor forbid: it would pass everything")
    patterns = {}
    for name in ("match", "forbid"):
        if arguments[name] is not None:
            try:
                patterns[name] = matcher(arguments[name], ignore_case=arguments["ignore_case"])
            except ValueError as error:
                raise ValueError(f"{name} {error}") from error

    def score(rows: Sequence[Fields]) -> list[Judgement]:
        outputs = [row["output"] for row in rows]
        told: list[list[str]] = [[] for _ in rows]
        for name, matches in patterns.items():
            for faults, hit in zip(told, matches(outputs), strict=True):
                if hit != (name == "match"):
                    faults.append(f"{_BROKEN[name]} {arguments[name]}")
        return [verdict(passes=not faults, reason="; ".join(faults)) for faults in told]

    return score


_BROKEN = {"match": "does not match", "forbid": "matches"}

REGEX = Metric(
    name="regex",
    doc="the output matches a pattern, and does not match another",
    needs=("output",),
    returns="0 or 1",
    make=_make_regex,
    arguments={
        "match": Argument("text", "pattern that must match somewhere", default=None),
        "forbid": Argument("text", "pattern that must match nowhere", default=None),
        "ignore_case": _IGNORE_CASE,
    },
)
