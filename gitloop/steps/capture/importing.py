"""Import: files of other tools become tracked parts of traces and feedback.

All files are read and checked before anything is published: a fault in one means that nothing is
written. Importing a file again changes nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitloop import plugins
from gitloop.errors import ConfigError, DataError
from gitloop.protocols import Progress, Source, silent
from gitloop.sources.lines import BROKEN_GZIP, open_plain
from gitloop.steps.capture.intake import Intake, Tally, alone
from gitloop.steps.capture.mapping import columns_of
from gitloop.steps.capture.stores import StoreReport, Stores
from gitloop.tables import FEEDBACK, TRACES
from gitloop.workspace import Workspace

AUTO = "auto"
_HEAD_BYTES = 64 << 10
_TEMPLATE = {column.name for table in (TRACES, FEEDBACK) for column in table.columns}


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was in a file.

    Attributes:
        name: The file's name.
        form: The format it was read as.
        n_traces: Traces in it.
        n_events: Feedback events in it.
    """

    name: str
    form: str
    n_traces: int
    n_events: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        files: What was in each file.
        traces: What became of the traces.
        feedback: What became of the events.
        stores: Where each further store stands; empty when no event came in.
    """

    files: tuple[FileReport, ...]
    traces: Tally
    feedback: Tally
    stores: tuple[StoreReport, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every store has every part."""
        return not any(store.n_behind for store in self.stores)


def import_files(
    directory: Path,
    files: Sequence[Path],
    form: str = AUTO,
    constants: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Bring the files' traces and events into the repository.

    Args:
        directory: A directory in the repository.
        files: The files, in order: of two rows with one id the first stays.
        form: A source's name, or "auto" to ask every source.
        constants: Our column → what rows get that have no value of their own.
        progress: Told how far the import has come.

    Raises:
        ConfigError: A constant's column is not known.
        DataError: Every fault of every file; nothing was written.
    """
    workspace = Workspace(directory)
    capture = workspace.params.capture
    fixed = _constants(constants or {})
    stores = Stores(workspace)
    reports: list[FileReport] = []
    faults: list[str] = []
    hint = ""
    with (
        alone(workspace),
        _uncollected(),
        Intake(workspace, TRACES) as traces,
        Intake(workspace, FEEDBACK, stores) as feedback,
    ):
        for n, path in enumerate(files):
            progress("reading files", n, len(files))
            try:
                source = _source(path, form)
                columns = columns_of(capture, source, fixed)
                n_traces = traces.add(source.traces(path, columns))
                n_events = feedback.add(source.feedback(path, columns))
                reports.append(FileReport(path.name, source.id, n_traces, n_events))
            except DataError as error:
                faults.append(error.message)
                hint = hint or error.hint
        progress("reading files", len(files), len(files))
        if faults:
            raise DataError("\n".join([*faults, "nothing was written"]), hint=hint)
        told = traces.publish()
        heard = feedback.publish()
        has_events = any(report.n_events for report in reports)
        standing = stores.catch_up() if has_events else ()
    return ImportReport(tuple(reports), told, heard, standing)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: rows hold none, and it would visit each of them in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _source(path: Path, form: str) -> Source:
    """The source that reads the file.

    Raises:
        DataError: None of them takes it.
    """
    if form != AUTO:
        named: Source = plugins.load("sources", form)()
        return named
    with open_plain(path) as handle:
        try:
            head = handle.read(_HEAD_BYTES)
        except BROKEN_GZIP as error:
            raise DataError(
                f"{path.name}: the gzip data is broken: {error}", hint="copy the file again"
            ) from error
    known = plugins.names("sources")
    sources: list[Source] = [plugins.load("sources", name)() for name in known]
    # Formats that say what they are come before those that any text could be.
    for source in sorted(sources, key=lambda source: not source.reads_attributes):
        if source.accepts(path, head):
            return source
    raise DataError(
        f"{path.name} is in no format that is known here",
        hint=f"name it with --format: {', '.join(known)}",
    )


def _constants(given: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(set(given) - _TEMPLATE)
    if unknown:
        raise ConfigError(
            f"{unknown[0]} is no column of traces or feedback",
            hint=f"columns: {', '.join(sorted(_TEMPLATE))}",
        )
    return {name: f"={value}" for name, value in given.items()}
