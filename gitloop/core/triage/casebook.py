"""All that a brief may cite: the spans of a cluster's traces and what users said about them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

PLACES = ("input", "context", "output")
"""Fields of a trace that can be cited like spans."""


@dataclass(frozen=True, slots=True)
class Span:
    """A text that can be cited.

    Attributes:
        span_id: The span's id, a field of the trace, or "feedback:<id>" or "edit:<id>".
        title: What it is, in a few words.
        text: Its text.
    """

    span_id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Casebook:
    """The traces of a cluster, and some that passed.

    Attributes:
        spans: trace_id → its spans, in order; every trace here may be cited.
        failing: The cluster's traces, representatives first.
        passing: Traces on the same routes that nobody complained about.
        facts: trace_id → route, user_cohort and prompt_version.
    """

    spans: Mapping[str, tuple[Span, ...]]
    failing: tuple[str, ...]
    passing: tuple[str, ...]
    facts: Mapping[str, Mapping[str, str | None]]

    def span(self, trace_id: str, span_id: str) -> Span | None:
        """The span with that id, or None."""
        found = (span for span in self.spans.get(trace_id, ()) if span.span_id == span_id)
        return next(found, None)

    def holds(self, trace_id: str, span_id: str, quote: str) -> bool:
        """Whether the quote stands in that span, word for word; runs of blanks are one."""
        span = self.span(trace_id, span_id)
        wanted = squeezed(quote)
        return span is not None and bool(wanted) and wanted in squeezed(span.text)


def squeezed(text: str) -> str:
    """The text in NFC with each run of blanks as one."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def build_casebook(
    traces: pl.DataFrame, events: pl.DataFrame, failing: Sequence[str], passing: Sequence[str]
) -> Casebook:
    """The casebook of these traces.

    Args:
        traces: Fits `tables.TRACES`.
        events: Fits `tables.JOINED`.
        failing: trace_ids of the cluster, representatives first.
        passing: trace_ids of traces that passed.
    """
    wanted = [*failing, *passing]
    rows = {
        row["trace_id"]: row
        for row in traces.filter(pl.col("trace_id").is_in(wanted)).iter_rows(named=True)
    }
    said: dict[str, list[Span]] = {}
    own = events.filter(pl.col("trace_id").is_in(list(failing))).sort("feedback_id")
    for event in own.iter_rows(named=True):
        said.setdefault(event["trace_id"], []).extend(_said(event))
    present = [trace_id for trace_id in wanted if trace_id in rows]
    return Casebook(
        spans={t: (*_spans(rows[t]), *said.get(t, ())) for t in present},
        failing=tuple(t for t in failing if t in rows),
        passing=tuple(t for t in passing if t in rows),
        facts={
            t: {name: rows[t][name] for name in ("route", "user_cohort", "prompt_version")}
            for t in present
        },
    )


def _spans(trace: Mapping[str, Any]) -> list[Span]:
    found = [Span(name, name, trace[name]) for name in PLACES if trace[name]]
    for span in trace["spans"] or ():
        texts = [text for text in (span["input"], span["output"]) if text]
        title = f"{span['kind'] or 'span'} {span['name'] or ''}".strip()
        if texts:
            found.append(Span(str(span["span_id"]), title, "\n".join(texts)))
    return found


def _said(event: Mapping[str, Any]) -> list[Span]:
    name = event["feedback_id"]
    found = []
    if event["comment"]:
        found.append(
            Span(f"feedback:{name}", f"comment ({event['signal_type']})", event["comment"])
        )
    if event["edited_output"]:
        found.append(Span(f"edit:{name}", "what a user made of it", event["edited_output"]))
    return found
