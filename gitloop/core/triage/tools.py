"""The agent's tools: eight ways to read a casebook, and none to change anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gitloop.core.triage.casebook import Casebook, Span, squeezed
from gitloop.core.triage.records import Evidence, Lift

_Entry = TypeVar("_Entry")

PAGE = 20
"""Traces or hits of one answer."""
_LINE = 160
_SHORT_SPAN = 600
WINDOW = 12_000
"""Characters of a span that one answer shows: a span of a megabyte fits no model's context."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a tool.

    Attributes:
        tool: Its name.
        trace_id: The trace that it is about, or "".
        span_id: The span, or "".
        text: What to search for, or what to look for in a long span.
        offset: How many entries to pass over; of a span, how many characters.
    """

    tool: str
    trace_id: str = ""
    span_id: str = ""
    text: str = ""
    offset: int = 0


def run(use: Use, casebook: Casebook, evidence: Evidence) -> str:
    """What a tool answers; a use that makes no sense is told, never an error."""
    tool = _TOOLS.get(use.tool)
    if tool is None:
        return f"there is no tool {use.tool!r}; there are {', '.join([*_TOOLS, 'submit'])}"
    return tool(use, casebook, evidence)


def _list_failures(use: Use, casebook: Casebook, _: Evidence) -> str:
    return _page(casebook.failing, use.offset, lambda t: _row(casebook, t))


def _list_passing(use: Use, casebook: Casebook, _: Evidence) -> str:
    return _page(casebook.passing, use.offset, lambda t: _row(casebook, t))


def _read_trace(use: Use, casebook: Casebook, _: Evidence) -> str:
    spans = casebook.spans.get(use.trace_id)
    if spans is None:
        return f"there is no trace {use.trace_id!r} here; use list_failures or list_passing"
    facts = ", ".join(f"{k} {v}" for k, v in casebook.facts[use.trace_id].items() if v)
    shown = _page(
        spans,
        use.offset,
        lambda span: f"[{span.span_id}] {span.title}, {len(span.text)} characters\n{_head(span)}\n",
    )
    return f"trace {use.trace_id} ({facts})\n\n{shown}"


def _read_span(use: Use, casebook: Casebook, _: Evidence) -> str:
    span = casebook.span(use.trace_id, use.span_id)
    if span is None:
        return f"there is no span {use.span_id!r} in trace {use.trace_id!r}; use read_trace"
    return f"[{span.span_id}] {span.title}\n{window(span.text, use.offset)}"


def window(text: str, offset: int) -> str:
    """The part of a long text that starts at the offset, and where the next one does."""
    part = text[offset : offset + WINDOW]
    more = len(text) - offset - len(part)
    return f"{part}\n(and {more} more characters: offset {offset + WINDOW})" if more > 0 else part


def _search(use: Use, casebook: Casebook, _: Evidence) -> str:
    wanted = squeezed(use.text).casefold()
    if not wanted:
        return "search needs a text"
    hits = []
    for trace_id, spans in casebook.spans.items():
        kind = "failing" if trace_id in set(casebook.failing) else "passing"
        for span in spans:
            text = squeezed(span.text)
            at = text.casefold().find(wanted)
            if at >= 0:
                part = text[max(0, at - 60) : at + _LINE]
                hits.append(f"{kind} {trace_id} [{span.span_id}] …{part}…")
    return _page(hits, use.offset, str) if hits else f"no span holds {use.text!r}"


def _read_feedback(use: Use, casebook: Casebook, _: Evidence) -> str:
    wanted = [use.trace_id] if use.trace_id else list(casebook.failing)
    said = [
        f"{trace_id} [{span.span_id}] {span.title}: {squeezed(span.text)[:_SHORT_SPAN]}"
        for trace_id in wanted
        for span in casebook.spans.get(trace_id, ())
        if span.span_id.startswith(("feedback:", "edit:"))
    ]
    return _page(said, use.offset, str) if said else "nobody wrote anything"


def _statistics(_: Use, __: Casebook, evidence: Evidence) -> str:
    share = f"{evidence.weight_share:.1%} of the weight of all"
    lines = [f"{evidence.n_failures} failures, {share}; severity by that: {evidence.severity}"]
    for dimension, found in evidence.affected.items():
        lines += [f"{dimension} {_lift(lift)}" for lift in found]
    return "\n".join(lines)


def _contrast(_: Use, __: Casebook, evidence: Evidence) -> str:
    lines = [
        f"{_lift(one.lift)}; e.g. {one.quote.trace_id} [{one.quote.span_id}] {one.quote.text}"
        for one in evidence.contrast
    ]
    return "\n".join(lines) or "no term tells the failing from the passing traces"


def _page(entries: Sequence[_Entry], offset: int, show: Callable[[_Entry], str]) -> str:
    part = entries[max(0, offset) : max(0, offset) + PAGE]
    more = len(entries) - max(0, offset) - len(part)
    tail = [f"and {more} more: offset {offset + PAGE}"] if more > 0 else []
    return "\n".join([*(show(entry) for entry in part), *tail]) or "nothing there"


def _row(casebook: Casebook, trace_id: str) -> str:
    asked = casebook.span(trace_id, "input")
    return f"{trace_id}: {squeezed(asked.text)[:_LINE] if asked else '(no input)'}"


def _head(span: Span) -> str:
    whole = len(span.text) <= _SHORT_SPAN
    return span.text if whole else f"{span.text[:_SHORT_SPAN]}\n… (read_span shows all)"


def _lift(lift: Lift) -> str:
    return (
        f"{lift.value}: {lift.n} of {lift.n_of} here, {lift.n_else} of {lift.n_else_of} elsewhere,"
        f" lift {lift.lift:.2f} [{lift.low:.2f}, {lift.high:.2f}]"
    )


_TOOLS: dict[str, Callable[[Use, Casebook, Evidence], str]] = {
    "list_failures": _list_failures,
    "list_passing": _list_passing,
    "read_trace": _read_trace,
    "read_span": _read_span,
    "search": _search,
    "read_feedback": _read_feedback,
    "statistics": _statistics,
    "contrast": _contrast,
}
TOOLS = (*_TOOLS, "submit")
"""What the agent may use; `submit` ends its reading."""
