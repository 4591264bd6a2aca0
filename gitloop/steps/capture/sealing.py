"""Seal: the open spools become tracked parts of data/feedback, its stores, and data/traces.

Killed at any moment, nothing is lost and nothing doubled: claimed files stay until their events are
durable in a part, and an event that a part holds already is a repetition. What a killed run left
claimed is sealed on its own first, so that it makes the same part again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gitloop.core.capture import in_order
from gitloop.protocols import Progress, silent
from gitloop.sources.rows import RowReader
from gitloop.steps.capture.intake import Intake, Tally, alone
from gitloop.steps.capture.spans import SpanReport, seal_spans
from gitloop.steps.capture.stores import StoreReport, Stores
from gitloop.storage import spool
from gitloop.storage.spool import SpoolFile
from gitloop.tables import FEEDBACK
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class SealReport:
    """What a seal did.

    Attributes:
        n_files: Spool files sealed.
        n_lines: Lines in them: n_new + n_repeated + n_conflicts + n_aside.
        n_new: Events that are in a part now.
        n_repeated: Events that were there already, and are skipped.
        n_conflicts: Events whose id was there with other content; kept in data/conflicts.
        n_aside: Lines that are no events; kept in data/feedback/spool/aside.
        n_torn: Of those, last lines that a killed process left half-written.
        reasons: Why the first lines were set aside, one sentence each.
        parts: The parts written, relative to the root.
        spans: What became of the spans that the collector took in.
        stores: Where each further store stands.
    """

    n_files: int
    n_lines: int
    n_new: int
    n_repeated: int
    n_conflicts: int
    n_aside: int
    n_torn: int
    reasons: tuple[str, ...]
    parts: tuple[str, ...]
    spans: SpanReport
    stores: tuple[StoreReport, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every store has every part."""
        return not any(store.n_behind for store in self.stores)


@dataclass(frozen=True, slots=True)
class _Pass:
    """What one set of claimed files came to."""

    n_files: int
    n_lines: int
    n_aside: int
    n_torn: int
    reasons: tuple[str, ...]
    tally: Tally


def seal(directory: Path, progress: Progress = silent, *, is_whole: bool = False) -> SealReport:
    """Turn the spools into parts of data/feedback and data/traces.

    Args:
        directory: A directory in the repository.
        progress: Told how far it has come.
        is_whole: Whether traces whose spans are still arriving are taken as they are.

    Raises:
        DataError: Another process seals just now, or a part cannot be read.
    """
    workspace = Workspace(directory)
    folder = workspace.root / spool.FOLDERS["feedback"]
    stores = Stores(workspace)
    passes = []
    with alone(workspace):
        for take in (spool.claimed, spool.claim):
            files = take(folder)
            if files:
                progress("sealing files", 0, len(files))
                passes.append(_seal(workspace, stores, folder, files))
                progress("sealing files", len(files), len(files))
        spans = seal_spans(workspace, stores, is_whole=is_whole)
        standing = stores.catch_up()
    return SealReport(
        n_files=sum(done.n_files for done in passes),
        n_lines=sum(done.n_lines for done in passes),
        n_new=sum(done.tally.n_new for done in passes),
        n_repeated=sum(done.tally.n_repeated for done in passes),
        n_conflicts=sum(done.tally.n_conflicts for done in passes),
        n_aside=sum(done.n_aside for done in passes),
        n_torn=sum(done.n_torn for done in passes),
        reasons=tuple(reason for done in passes for reason in done.reasons)[:10],
        parts=tuple(path for done in passes for path in done.tally.parts),
        spans=spans,
        stores=standing,
    )


def _seal(workspace: Workspace, stores: Stores, folder: Path, paths: list[Path]) -> _Pass:
    """Publish the events of claimed files, then discard the files."""
    n_lines = n_aside = n_torn = 0
    reasons: list[str] = []
    arrived: list[pl.DataFrame] = []
    with Intake(workspace, FEEDBACK, stores) as intake:
        for path in paths:  # one at a time: as frames they are small
            file = spool.read(path)
            rows, aside, why = _events(file)
            arrived.append(rows)
            if aside:
                spool.set_aside(folder, file, aside)
            n_lines += len(file.events) + len(file.broken)
            n_torn += file.is_torn and len(file.lines) in file.broken
            n_aside += len(aside)
            reasons += why
        intake.add([in_order(pl.concat(arrived), FEEDBACK)])
        tally = intake.publish()
    spool.discard(paths)
    return _Pass(len(paths), n_lines, n_aside, n_torn, tuple(reasons), tally)


def _events(file: SpoolFile) -> tuple[pl.DataFrame, list[int], list[str]]:
    """The events of one file, the numbers of its other lines, and what is wrong with those."""
    reader = RowReader(FEEDBACK, {}, "spool", file.path.name, are_keys_unique=False)
    places = [n for n, _ in file.events]
    rows = reader.frame([event for _, event in file.events], places)
    for n in file.broken:
        is_last = file.is_torn and n == len(file.lines)
        reader.fault(n, "cut off: its process was killed" if is_last else "no JSON object")
    why = [f"{file.path.name}, {words}" for words in reader.take_faults()]
    return rows, sorted([*reader.refused, *file.broken]), why
