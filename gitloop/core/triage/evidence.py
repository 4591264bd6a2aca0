"""The extractive brief: what the data say without a model, and nothing that cannot be quoted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import polars as pl

from gitloop.core.triage.casebook import Casebook, Span, squeezed
from gitloop.core.triage.records import Contrast, Evidence, Lift, Quote
from gitloop.stats.ratios import risk_ratio

DIMENSIONS = ("route", "user_cohort", "prompt_version")
MOST_QUOTES = 5
MOST_TERMS = 5
MOST_VALUES = 5
_LEAST_LIFT = 1.5
_LEAST_TRACES = 3
_LONGEST_QUOTE = 240
_SEVERE = ((0.25, "critical"), (0.10, "high"), (0.03, "medium"))


def severity_of(weight_share: float) -> str:
    """How severe a cluster is by its share of the weight of all failures.

    From a quarter on it is critical, from a tenth high, from 3 % medium, else low.
    """
    return next((name for least, name in _SEVERE if weight_share >= least), "low")


def evidence_of(
    cluster: Mapping[str, object],
    members: pl.DataFrame,
    traces: pl.DataFrame,
    casebook: Casebook,
    terms: Sequence[str],
) -> Evidence:
    """What the data say about a cluster.

    Args:
        cluster: Its row of `tables.CLUSTERS`.
        members: Fits `tables.MEMBERS`; all failures, of all clusters.
        traces: trace_id and `DIMENSIONS` of all traces.
        casebook: Its traces and some that passed.
        terms: Candidates for the contrast, the most telling first.
    """
    own = members.filter(pl.col("cluster_id") == cluster["cluster_id"])
    share = round(float(own["weight"].sum()) / float(members["weight"].sum()), 6)
    inside = set(own["trace_id"].to_list())
    return Evidence(
        cluster_id=str(cluster["cluster_id"]),
        name=str(cluster["name"]),
        n_failures=own.height,
        n_traces=traces.height,
        weight_share=share,
        severity=severity_of(share),
        affected={name: lifts(traces, inside, name) for name in DIMENSIONS},
        comments=_said(casebook, "feedback:"),
        corrections=_said(casebook, "edit:"),
        contrast=_contrast(casebook, terms),
    )


def lifts(traces: pl.DataFrame, inside: Collection[str], column: str) -> tuple[Lift, ...]:
    """Per value of the column how much more often the cluster's traces have it than all others.

    Args:
        traces: trace_id and the column, of all traces.
        inside: The cluster's trace_ids.
        column: One of `DIMENSIONS`.

    Returns:
        Values that the cluster has, at most five, by the lower end of the interval, falling.
    """
    is_inside = traces["trace_id"].is_in(list(inside))
    here, there = traces.filter(is_inside), traces.filter(~is_inside)
    own, others = Counter(here[column].drop_nulls()), Counter(there[column].drop_nulls())
    found = [
        _lift(str(value), (n, here.height), (others[value], there.height))
        for value, n in own.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.low, one.value))[:MOST_VALUES])


def _lift(value: str, here: tuple[int, int], elsewhere: tuple[int, int]) -> Lift:
    ratio, interval = risk_ratio(here, (elsewhere[0], max(1, elsewhere[1])))
    rounded = [round(number, 3) for number in (ratio, interval.low, interval.high)]
    return Lift(value, *here, *elsewhere, *rounded)


def _said(casebook: Casebook, kind: str) -> tuple[Quote, ...]:
    """What users said, representatives first, each saying once."""
    found: dict[str, Quote] = {}
    for trace_id in casebook.failing:
        for span in casebook.spans[trace_id]:
            if span.span_id.startswith(kind):
                text = _cut(span.text)
                found.setdefault(text.casefold(), Quote(text, trace_id, span.span_id))
    return tuple(list(found.values())[:MOST_QUOTES])


def _contrast(casebook: Casebook, terms: Sequence[str]) -> tuple[Contrast, ...]:
    """The terms that failing traces hold clearly more often than passing ones, each quoted."""
    failing = {t: _lines(casebook.spans[t]) for t in casebook.failing}
    passing = {t: _lines(casebook.spans[t]) for t in casebook.passing}
    if not passing:
        return ()
    found = []
    seen: set[tuple[str, ...]] = set()
    for term in terms:
        here = {t: line for t, lines in failing.items() if (line := _first(lines, term))}
        n_else = sum(bool(_first(lines, term)) for lines in passing.values())
        lift = _lift(term, (len(here), len(failing)), (n_else, len(passing)))
        if tuple(here) in seen:  # two words of one phrase
            continue
        seen.add(tuple(here))
        if lift.n >= min(_LEAST_TRACES, len(failing)) and lift.low >= _LEAST_LIFT:
            trace_id, (span_id, words) = next(iter(here.items()))
            found.append(Contrast(lift, Quote(words, trace_id, span_id)))
    found.sort(key=lambda one: (-one.lift.low, one.lift.value))
    chosen: list[Contrast] = []
    for one in found:
        own = set(one.lift.value.split())
        if not any(own & set(other.lift.value.split()) for other in chosen):
            chosen.append(one)
    return tuple(chosen[:MOST_TERMS])


def _lines(spans: Iterable[Span]) -> list[tuple[str, str, str]]:
    """Span id, line, and the line as it is searched, of what the application saw and said."""
    return [
        (span.span_id, line, squeezed(line).casefold())
        for span in spans
        if not span.span_id.startswith(("feedback:", "edit:"))
        for line in span.text.splitlines()
        if line.strip()
    ]


def _first(lines: Sequence[tuple[str, str, str]], term: str) -> tuple[str, str] | None:
    found = next((line for line in lines if term in line[2]), None)
    return found and (found[0], _around(found[1], term))


def _around(line: str, term: str) -> str:
    """The line, or the part of a long one that holds the term; verbatim."""
    text = squeezed(line)
    if len(text) <= _LONGEST_QUOTE:
        return text
    start = max(0, text.casefold().find(term) - _LONGEST_QUOTE // 2)
    return text[start : start + _LONGEST_QUOTE].strip()


def _cut(text: str) -> str:
    """The first words of a text, verbatim but for runs of blanks."""
    whole = squeezed(text)
    return whole if len(whole) <= _LONGEST_QUOTE else whole[:_LONGEST_QUOTE].rsplit(" ", 1)[0]
