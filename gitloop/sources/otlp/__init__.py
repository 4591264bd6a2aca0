"""OTLP: requests of spans as JSON (one document, or one a line) or as protobuf, gzip or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import polars as pl

from gitloop.sources.otel import OtelSpan
from gitloop.sources.otlp.files import requests
from gitloop.sources.otlp.requests import KEYS, request_spans
from gitloop.sources.spanned import Fault, feedback_frames, trace_frames

_KEY = re.compile(rb'"(resourceSpans|resource_spans)"\s*:')


class OtlpSource:
    """Reads what an OpenTelemetry exporter sends, or what a collector writes to a file."""

    id: ClassVar[str] = "otlp"
    version: ClassVar[str] = "1"
    reads_attributes: ClassVar[bool] = True

    def accepts(self, path: Path, head: bytes) -> bool:
        """Whether it begins with a request's JSON, or is named and begins as its protobuf."""
        if _KEY.search(head[:4096]):
            return head.lstrip()[:1] in (b"{", b"[")
        name = path.name.removesuffix(".gz")
        return name.endswith((".pb", ".bin", ".otlp", ".protobuf")) and head[:1] == b"\n"

    def traces(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.TRACES`.

        Raises:
            TableError: It is no OTLP, or a span has no ids or a time that is none.
        """
        return trace_frames(_spans, path, self.id, columns)

    def feedback(self, path: Path, columns: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        """Batches that fit `tables.FEEDBACK`: the annotations and evaluations on the spans."""
        return feedback_frames(_spans, path, self.id, columns)


def _spans(path: Path, fault: Fault) -> Iterator[OtelSpan]:
    for place, request in requests(path, fault):
        if any(name in request for name in KEYS):
            yield from request_spans(place, request, fault)
        else:
            fault(place, "no OTLP request of spans: it has no resourceSpans")
