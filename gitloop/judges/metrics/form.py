"""Metrics of the output's form: length, one_line, is_email, links, numeric, citations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from gitloop.arguments import Argument
from gitloop.judges.metrics.metric import (
    Fields,
    Metric,
    Scorer,
    each,
    quoted,
    unjudgeable,
    verdict,
)
from gitloop.judges.metrics.words import sentences, words
from gitloop.records import Judgement

_UNITS = ("characters", "words", "sentences", "lines")
_LINK = re.compile(r"(?i)\b(?:https?://|www\.)[^\s<>\"'`]+")
_CLOSERS = {")": "(", "]": "["}
_HOST = re.compile(
    r"(?i)^(?:(?!-)[a-z0-9\u00a1-\uffff-]{1,63}(?<!-)\.)+[a-z\u00a1-\uffff][a-z0-9\u00a1-\uffff-]{1,62}$"
)
_EMAIL = re.compile(
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([^@\s]{1,253})$"
)
_NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")
_CITATION = re.compile(r"\[(\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\]")
_CITED_AFTER = re.compile(r"([.!?]+)((?:\s*\[\d[\d\s,;–-]*\])+)")


def _measure(text: str, unit: str) -> int:
    if unit == "characters":
        return len(text.strip())
    if unit == "words":
        return len(words(text))
    if unit == "sentences":
        return len(sentences(text))
    return len([line for line in text.splitlines() if line.strip()])


def _make_length(arguments: Mapping[str, Any]) -> Scorer:
    least, most, unit = arguments["min"], arguments["max"], arguments["unit"]
    if least is None and most is None:
        raise ValueError("says neither min nor max: it would pass everything")
    if least is not None and most is not None and least > most:
        raise ValueError(f"min is {least}, above max, {most}")

    def score(fields: Fields) -> Judgement:
        size = _measure(fields["output"], unit)
        low, high = least is not None and size < least, most is not None and size > most
        limit = f", fewer than {least}" if low else f", more than {most}" if high else ""
        return verdict(passes=not (low or high), reason=f"{size} {unit}{limit}")

    return each(score)


LENGTH = Metric(
    name="length",
    doc="the output is neither too short nor too long",
    needs=("output",),
    returns="0 or 1",
    make=_make_length,
    arguments={
        "min": Argument("integer", "least length", default=None, low=0),
        "max": Argument("integer", "greatest length", default=None, low=0),
        "unit": Argument("text", ", ".join(_UNITS), default="words", choices=_UNITS),
    },
)


def _one_line(fields: Fields) -> Judgement:
    lines = len(fields["output"].strip().splitlines())
    return verdict(passes=lines == 1, reason="" if lines == 1 else f"{lines} lines")


ONE_LINE = Metric(
    name="one_line",
    doc="the output is one line, blanks around it aside",
    needs=("output",),
    returns="0 or 1",
    make=lambda _: each(_one_line),
)


def is_email(text: str) -> bool:
    """Whether the text is one e-mail address with a public host (RFC 5321, without quoting)."""
    found = _EMAIL.match(text)
    return bool(found and len(text) <= 254 and _HOST.match(found[1]))


IS_EMAIL = Metric(
    name="is_email",
    doc="the output is one e-mail address and nothing else",
    needs=("output",),
    returns="0 or 1",
    make=lambda _: each(lambda fields: verdict(passes=is_email(fields["output"].strip()))),
)


def links(text: str) -> list[str]:
    """The web addresses in a text, in order, without the punctuation that follows them."""
    found = []
    for match in _LINK.finditer(text):
        link = match[0]
        while link and (link[-1] in ".,;:!?*_" or _is_stray(link)):
            link = link[:-1]
        found.append(link)
    return found


def _is_stray(link: str) -> bool:
    """Whether the link ends in a bracket that opened before it."""
    opener = _CLOSERS.get(link[-1])
    return opener is not None and link.count(link[-1]) > link.count(opener)


def host(link: str) -> str:
    """The link's host in lower case, or "" where it has no valid one."""
    try:
        found = urlsplit(link if "://" in link else f"http://{link}").hostname or ""
    except ValueError:
        return ""
    return found if _HOST.match(found) else ""


def _make_links(arguments: Mapping[str, Any]) -> Scorer:
    least, most = arguments["min"], arguments["max"]
    hosts = [name.lower().lstrip(".") for name in arguments["hosts"]]

    def is_allowed(name: str) -> bool:
        return not hosts or any(name == known or name.endswith(f".{known}") for known in hosts)

    def score(fields: Fields) -> Judgement:
        found = links(fields["output"])
        broken = [link for link in found if not host(link)]
        foreign = [link for link in found if host(link) and not is_allowed(host(link))]
        told = [f"not valid: {quoted(broken)}"] if broken else []
        told += [f"another host: {quoted(foreign)}"] if foreign else []
        if len(found) < least:
            told.append(f"{len(found)} links, fewer than {least}")
        if most is not None and len(found) > most:
            told.append(f"{len(found)} links, more than {most}")
        return verdict(passes=not told, reason="; ".join(told))

    return each(score)


LINKS = Metric(
    name="links",
    doc="the output's web addresses are well formed, on known hosts, and neither too few nor too"
    " many; no address is visited",
    needs=("output",),
    returns="0 or 1",
    make=_make_links,
    arguments={
        "min": Argument("integer", "fewest addresses", default=0, low=0),
        "max": Argument("integer", "most addresses", default=None, low=0),
        "hosts": Argument("words", "hosts that may be named, with all below them", default=()),
    },
)


def numbers(text: str) -> list[Decimal]:
    """The numbers in a text, in order; a comma groups thousands, a point starts decimals."""
    found = []
    for match in _NUMBER.finditer(text):
        try:
            found.append(Decimal(match[0].replace(",", "").replace("−", "-")))
        except InvalidOperation:
            continue
    return found


def _make_numeric(arguments: Mapping[str, Any]) -> Scorer:
    tolerance = Decimal(str(arguments["tolerance"]))
    relative = arguments["relative"]
    last = arguments["take"] == "last"

    def score(fields: Fields) -> Judgement:
        wanted = numbers(fields["reference"])
        if not wanted:
            return unjudgeable("the reference holds no number")
        expected, said = wanted[-1 if last else 0], numbers(fields["output"])
        if not said:
            return verdict(passes=False, reason=f"no number; expected {expected}")
        allowed = tolerance * abs(expected) if relative else tolerance
        candidates = said if arguments["take"] == "any" else [said[-1 if last else 0]]
        passes = any(abs(number - expected) <= allowed for number in candidates)
        shown = quoted([str(number) for number in candidates])
        return verdict(passes=passes, reason="" if passes else f"{shown}; expected {expected}")

    return each(score)


NUMERIC = Metric(
    name="numeric",
    doc="the number in the output is the reference's",
    needs=("output", "reference"),
    returns="0 or 1",
    make=_make_numeric,
    arguments={
        "tolerance": Argument(
            "number", "greatest difference that counts as equal", default=0.0, low=0
        ),
        "relative": Argument(
            "flag", "whether tolerance is a share of the expected number", default=False
        ),
        "take": Argument(
            "text",
            "which number of the output counts",
            default="last",
            choices=("first", "last", "any"),
        ),
    },
)


def cited(text: str) -> list[int]:
    """The numbers of the sources that a text cites as [1], [2, 3] or [4-6], in order."""
    found: list[int] = []
    for match in _CITATION.finditer(text):
        for part in re.split(r"\s*[,;]\s*", match[1]):
            first, *rest = (int(number) for number in re.split(r"\s*[–-]\s*", part))
            found += range(first, rest[-1] + 1) if rest else [first]
    return found


def _make_citations(arguments: Mapping[str, Any]) -> Scorer:
    n_sources = arguments["sources"]

    def score(fields: Fields) -> Judgement:
        # "It is so. [1]" cites as "It is so [1]." does.
        claims = sentences(_CITED_AFTER.sub(r"\2\1", fields["output"]))
        if not claims:
            return unjudgeable("the output holds no word")
        alien = sorted(
            {n for n in cited(fields["output"]) if n_sources and not 1 <= n <= n_sources}
        )
        bare = [claim.text for claim in claims if not cited(claim.text)]
        share = 1 - len(bare) / len(claims)
        told = [f"no source: {quoted(bare, most=2)}"] if bare else []
        told += [f"no such source: {', '.join(map(str, alien))}"] if alien else []
        return Judgement("ok", 0.0 if alien else round(share, 6), "; ".join(told))

    return each(score)


CITATIONS = Metric(
    name="citations",
    doc="the share of the output's sentences that cite a source as [1]; 0 where one is made up",
    needs=("output",),
    returns="0 to 1",
    make=_make_citations,
    arguments={"sources": Argument("integer", "how many sources there are", default=None, low=1)},
    takes_empty=False,
)
