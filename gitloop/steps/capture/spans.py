"""Sealing spans: requests that the collector wrote down become traces, and the events on them.

Traces that are still arriving go back into the spool first, then the others are published, then
the claimed files go away: killed at any moment, every span is in one of the two, or in both, and a
span that came twice counts once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import orjson
import polars as pl

from gitloop.core.capture import Arrival, still_arriving
from gitloop.digests import sha256
from gitloop.errors import TableError
from gitloop.sources import cells
from gitloop.sources.otlp import OtlpSource
from gitloop.sources.otlp.requests import RECEIVED_AT, filtered, request_spans
from gitloop.steps.capture.intake import Intake, Tally
from gitloop.steps.capture.mapping import columns_of
from gitloop.steps.capture.stores import Stores
from gitloop.storage import spool
from gitloop.storage.files import replacing
from gitloop.storage.parts import sync_folder
from gitloop.tables import FEEDBACK, TRACES
from gitloop.workspace import Workspace

_NOTHING = Tally(0, 0, 0)
_MOST_REASONS = 10


@dataclass(frozen=True, slots=True)
class SpanReport:
    """What became of the requests of spans.

    Attributes:
        n_files: Spool files sealed.
        n_requests: Requests in them.
        n_waiting: Traces that are still arriving, and wait in the spool.
        n_aside: Lines that are no requests; kept in data/traces/spool/aside.
        n_torn: Of those, last lines that a killed process left half-written.
        reasons: Why lines were set aside or scores on spans left out, one sentence each.
        traces: What became of the traces.
        feedback: What became of the events that spans carry.
    """

    n_files: int = 0
    n_requests: int = 0
    n_waiting: int = 0
    n_aside: int = 0
    n_torn: int = 0
    reasons: tuple[str, ...] = ()
    traces: Tally = _NOTHING
    feedback: Tally = _NOTHING


def seal_spans(workspace: Workspace, stores: Stores, *, is_whole: bool) -> SpanReport:
    """Publish the traces in the spool that have arrived.

    Args:
        workspace: The repository.
        stores: Where events go as well.
        is_whole: Whether traces that are still arriving are taken as they are.
    """
    folder = workspace.root / spool.FOLDERS["traces"]
    paths = spool.claim(folder)
    if not paths:
        return SpanReport()
    arrivals, n_requests, n_aside, n_torn, reasons = _survey(folder, paths)
    waiting = frozenset[str]() if is_whole else still_arriving(arrivals, workspace.now())
    with (
        tempfile.TemporaryDirectory(dir=folder) as room,
        Intake(workspace, TRACES) as traces,
        Intake(workspace, FEEDBACK, stores) as events,
    ):
        settled = Path(room) / "spool"
        with settled.open("wb") as handle:
            _part(folder, paths, waiting, handle)
        if settled.stat().st_size:
            source = OtlpSource()
            columns = columns_of(workspace.params.capture, source, {})
            traces.add(_tolerant(source.traces(settled, columns), reasons))
            events.add(_tolerant(source.feedback(settled, columns), reasons))
        told, heard = traces.publish(), events.publish()
    spool.discard(paths)
    return SpanReport(
        n_files=len(paths),
        n_requests=n_requests,
        n_waiting=len(waiting),
        n_aside=n_aside,
        n_torn=n_torn,
        reasons=tuple(reasons[:_MOST_REASONS]),
        traces=told,
        feedback=heard,
    )


def _survey(folder: Path, paths: list[Path]) -> tuple[dict[str, Arrival], int, int, int, list[str]]:
    """What has come of each trace, the numbers of requests, of other lines and of torn ones."""
    arrivals: dict[str, Arrival] = {}
    n_requests = n_aside = n_torn = 0
    reasons: list[str] = []
    for path in paths:
        file = spool.read(path)
        n_requests += len(file.events)
        for _, request in file.events:
            at = _received_at(request)
            for span in request_spans(1, request, lambda _n, words: reasons.append(words)):
                is_root = span.parent_span_id is None
                before = arrivals.get(span.trace_id, Arrival(None, has_root=False))
                arrivals[span.trace_id] = before.with_request(at, has_root=is_root)
        if file.broken:
            spool.set_aside(folder, file, file.broken)
            n_aside += len(file.broken)
            n_torn += file.is_torn and len(file.lines) in file.broken
            reasons.append(f"{path.name}, line {file.broken[0]}: no OTLP request")
    return arrivals, n_requests, n_aside, n_torn, reasons


def _part(folder: Path, paths: list[Path], waiting: frozenset[str], settled: BinaryIO) -> None:
    """Write settled spans where they are read from, and the others back into the spool."""
    for path in paths:
        kept: list[bytes] = []
        for _, request in spool.read(path).events:
            at = request.get(RECEIVED_AT)
            left, n_left = filtered(request, _unheard, lambda span: span.trace_id in waiting)
            whole, n_whole = filtered(request, _unheard, lambda span: span.trace_id not in waiting)
            if n_left:
                kept.append(orjson.dumps(left | {RECEIVED_AT: at}) + b"\n")
            if n_whole:
                settled.write(orjson.dumps(whole | {RECEIVED_AT: at}) + b"\n")
        if kept:
            content = b"".join(kept)
            # The name follows from the content: a run that is killed and repeated writes no double.
            with replacing(folder / f"{sha256(content.decode())[:16]}.jsonl") as temporary:
                temporary.write_bytes(content)
    sync_folder(folder)


def _unheard(_place: int, _words: str) -> None:
    """Nobody needs to hear it twice."""


def _received_at(request: dict[str, object]) -> datetime | None:
    try:
        return cells.time(request[RECEIVED_AT])
    except (KeyError, cells.CellError):
        return None


def _tolerant(frames: Iterable[pl.DataFrame], reasons: list[str]) -> Iterator[pl.DataFrame]:
    """The frames; what is wrong with a row is told, and does not keep the others out for ever."""
    try:
        yield from frames
    except TableError as error:
        reasons += error.problems
