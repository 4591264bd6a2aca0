"""Spans as the column `traces.spans` holds them."""

from __future__ import annotations

from typing import Any

import orjson

from gitloop.sources import cells
from gitloop.sources.cells import CellError

TEXTS = ("span_id", "parent_span_id", "name", "kind", "status", "input", "output")
TIMES = ("started_at", "ended_at")


def spans(value: Any) -> list[dict[str, Any]] | None:  # noqa: ANN401 -- foreign data
    """A list of spans, or its JSON text, in start order.

    A span's fields beside those of the table move into its `attributes`.

    Raises:
        CellError: It is no list of objects, or a time in it is none.
    """
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise CellError("text that is no JSON list of spans") from None
    if not isinstance(value, list) or not all(isinstance(span, dict) for span in value):
        raise CellError(f"{type(value).__name__}, not a list of spans")
    return in_order([_span(span) for span in value])


def in_order(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spans by start, then by id; those without a start come last."""
    return sorted(
        found,
        key=lambda span: (
            span["started_at"] is None,
            span["started_at"].timestamp() if span["started_at"] else 0.0,
            span["span_id"] or "",
        ),
    )


def _span(raw: dict[str, Any]) -> dict[str, Any]:
    left = dict(raw)
    span: dict[str, Any] = {}
    for name in TEXTS:
        given = left.pop(name, None)
        span[name] = None if given is None else cells.text(given)
    for name in TIMES:
        given = left.pop(name, None)
        span[name] = None if given is None else cells.time(given)
    attributes = left.pop("attributes", None)
    found = cells.mapping(attributes) if attributes is not None else {}
    left |= {"attributes": attributes} if found is None else found
    span["attributes"] = cells.json_text(left) if left else None
    return span
