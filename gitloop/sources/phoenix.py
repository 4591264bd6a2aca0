"""Phoenix: spans and annotations, as its data frames and its REST API export them.

A span's row has `context.trace_id` and `attributes.*` columns, or nested objects of the same names.
An annotation's row has a span_id, an annotation_name (or name) and a result; the interchange form
with `annotation.<name>.<score|label|…>` columns is read as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from gitloop.errors import DataError
from gitloop.sources import cells
from gitloop.sources.annotations import Annotation, event_row
from gitloop.sources.csv import csv_rows
from gitloop.sources.documents import items
from gitloop.sources.lines import objects, open_plain
from gitloop.sources.openinference import hex_id, sdk_span
from gitloop.sources.otel import OtelSpan
from gitloop.sources.parquet import parquet_names, parquet_rows
from gitloop.sources.spanned import Fault, feedback_frames, row_frames, trace_frames
from gitloop.tables import FEEDBACK

Row = dict[str, Any]

_SPAN_ID = ("context.span_id", "span_id")
_NAME = ("annotation_name", "name")
_INTERCHANGE = "annotation."
_THUMBS = {"true": "thumbs_up", "1": "thumbs_up", "up": "thumbs_up"}
_USED = frozenset(
    {
        *_SPAN_ID, *_NAME, "annotator_kind", "result", "score", "label", "explanation",
        "metadata", "created_at", "updated_at", "context.trace_id", "trace_id",
    }
)  # fmt: skip


class PhoenixSource:
    """Reads exports of Arize Phoenix."""

    id: ClassVar[str] = "phoenix"
    version: ClassVar[str] = "1"
    reads_attributes: ClassVar[bool] = True

    def accepts(self, path: Path, head: bytes) -> bool:
        """Whether its first row has a span's context and kind, or an annotation of a span."""
        if head[:4] == b"PAR1":
            try:
                return _is_phoenix(dict.fromkeys(parquet_names(path), ""))
            except DataError:
                return False
        if path.name.removesuffix(".gz").endswith(".csv"):
            header = head.split(b"\n", 1)[0].decode(errors="replace").strip()
            return _is_phoenix(dict.fromkeys(header.split(","), ""))
        if head.lstrip()[:1] not in (b"{", b"["):
            return False
        first = next(_rows(path, lambda _n, _words: None), None)
        return first is not None and _is_phoenix(first[1])

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`; none where the file holds annotations.

        Raises:
            TableError: A row is no span.
        """
        first = next(_rows(path, lambda _n, _words: None), None)
        if first is None or _is_span(first[1]):
            yield from trace_frames(_spans, path, self.id, columns)

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`: annotations on the spans, or the file's own.

        Raises:
            TableError: A row is no annotation.
        """
        first = next(_rows(path, lambda _n, _words: None), None)
        if first is None or _is_span(first[1]):
            yield from feedback_frames(_spans, path, self.id, columns)
        else:
            yield from row_frames(_events, path, FEEDBACK, self.id, columns)


def _is_phoenix(row: Mapping[str, Any]) -> bool:
    is_annotation = any(name in row for name in _SPAN_ID) and (
        "annotation_name" in row
        or ("annotator_kind" in row and "name" in row)
        or any(name.startswith(_INTERCHANGE) for name in row)
    )
    return is_annotation or ("span_kind" in row and _is_span(row))


def _is_span(row: Mapping[str, Any]) -> bool:
    return "context.trace_id" in row or "trace_id" in (cells.mapping(row.get("context")) or {})


def _rows(path: Path, fault: Fault) -> Iterator[tuple[int, Row]]:
    """The file's rows, whatever its form; a REST page is a row per item of its data."""
    name = path.name.removesuffix(".gz")
    with open_plain(path) as handle:
        head = handle.read(4)
    if head == b"PAR1":
        yield from parquet_rows(path)
    elif name.endswith(".csv"):
        for n, row in csv_rows(path, fault):
            yield n, {column: value for column, value in row.items() if value != ""}
    elif name.endswith((".jsonl", ".ndjson")):
        yield from objects(path, fault)
    else:
        yield from items(path, fault, ("data",))


def _spans(path: Path, fault: Fault) -> Iterator[OtelSpan]:
    for place, row in _rows(path, fault):
        try:
            yield sdk_span(place, _as_sdk(row))
        except KeyError as error:
            fault(place, f"a span without {error.args[0]}")
        except (cells.CellError, TypeError, AttributeError, ValueError) as error:
            fault(place, f"no span: {error}")


def _as_sdk(row: Row) -> Row:
    """A span's row as an SDK prints a span."""
    attributes = _flat(cells.mapping(row.get("attributes")) or {}, "")
    for name, value in row.items():
        if name.startswith("attributes.") and value is not None:
            attributes |= _flat({name.removeprefix("attributes."): value}, "")
    if row.get("span_kind"):
        attributes.setdefault("openinference.span.kind", row["span_kind"])
    context = cells.mapping(row.get("context")) or {
        "trace_id": row.get("context.trace_id"),
        "span_id": row.get("context.span_id"),
    }
    events = row.get("events")
    return {
        "name": row.get("name"),
        "context": {"trace_id": context["trace_id"], "span_id": context["span_id"]},
        "parent_id": row.get("parent_id"),
        "start_time": row.get("start_time"),
        "end_time": row.get("end_time"),
        "status": {
            "status_code": row.get("status_code") or "",
            "description": row.get("status_message") or "",
        },
        "attributes": attributes,
        "events": events if isinstance(events, list) else [],
    }


def _flat(value: Mapping[str, Any], prefix: str) -> Row:
    """Nested attributes under the dotted names that OpenInference gives them; nulls are absent."""
    found: Row = {}
    for name, item in value.items():
        key = f"{prefix}{name}"
        if isinstance(item, dict) and key != "metadata":
            found |= _flat(item, f"{key}.")
        elif isinstance(item, list) and item and all(isinstance(member, dict) for member in item):
            for n, member in enumerate(item):
                found |= _flat(member, f"{key}.{n}.")
        elif item is not None:
            found[key] = item
    return found


def _events(path: Path, fault: Fault) -> Iterator[tuple[int, Row]]:
    """The place and the row of FEEDBACK of every annotation in a file of annotations."""
    for place, row in _rows(path, fault):
        span_id = hex_id(next((row[name] for name in _SPAN_ID if row.get(name)), None))
        if span_id is None:
            fault(place, "an annotation without a span_id")
            continue
        target = {"span_id": span_id}
        trace_id = hex_id(row.get("context.trace_id") or row.get("trace_id"))
        if trace_id:
            target["trace_id"] = trace_id
        found = _interchange(row) or [_annotation(row)]
        for annotation in found:
            if annotation is None:
                fault(place, "an annotation without a name")
                continue
            at = row.get("created_at") or row.get("updated_at")
            yield place, event_row(annotation, target, at)


def _annotation(row: Row) -> Annotation | None:
    name = next((row[key] for key in _NAME if row.get(key)), None)
    if name is None:
        return None
    result = cells.mapping(row.get("result")) or {
        part: row.get(f"result.{part}", row.get(part)) for part in ("score", "label", "explanation")
    }
    left = {
        key: value
        for key, value in row.items()
        if key not in _USED and not key.startswith("result.") and value is not None
    }
    return Annotation(
        "span",
        str(name),
        result.get("score"),
        result.get("label"),
        result.get("explanation"),
        row.get("annotator_kind"),
        left | (cells.mapping(row.get("metadata")) or {}),
    )


def _interchange(row: Row) -> list[Annotation | None]:
    """The annotations in columns `annotation.<name>.<part>`, and the notes beside them."""
    parts: dict[str, Row] = {}
    for key, value in row.items():
        if key.startswith(_INTERCHANGE) and value is not None:
            name, _, part = key.removeprefix(_INTERCHANGE).rpartition(".")
            parts.setdefault(name or part, {})[part if name else "text"] = value
    found: list[Annotation | None] = []
    for name, said in sorted(parts.items()):
        label = said.get("label")
        if "thumbs" in said:
            label = _THUMBS.get(str(said["thumbs"]).lower(), "thumbs_down")
        score = said.get("score", said.get("rating"))
        found.append(Annotation("span", name, score, label, said.get("text"), "HUMAN"))
    return found
