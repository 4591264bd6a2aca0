"""Derive: implicit signals in the traces become tracked events, each with its rule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitloop.core.capture import RULES
from gitloop.core.capture import derive as derive_events
from gitloop.steps.capture.intake import Intake, Tally, alone
from gitloop.steps.capture.stores import StoreReport, Stores
from gitloop.storage.parts import FOLDERS, read_parts
from gitloop.tables import FEEDBACK, TRACES
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class DeriveReport:
    """What was found in the traces.

    Attributes:
        n_traces: Traces looked at.
        n_silent: Of those, the ones without a session or a time, in which nothing can be found.
        n_found: Signal → events that were not there before.
        feedback: What became of the events.
        stores: Where each further store stands.
    """

    n_traces: int
    n_silent: int
    n_found: dict[str, int]
    feedback: Tally
    stores: tuple[StoreReport, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every store has every part."""
        return not any(store.n_behind for store in self.stores)


def derive(directory: Path) -> DeriveReport:
    """Find retry, regenerate, edit, escalate and abandon in the traces and record them.

    Run again, it finds what new traces show; what it found before is there already.

    Raises:
        DataError: Another process seals or imports just now, or a part cannot be read.
    """
    workspace = Workspace(directory)
    root, dvc = workspace.root, workspace.dvc
    stores = Stores(workspace)
    with alone(workspace), Intake(workspace, FEEDBACK, stores) as intake:
        traces = read_parts(root, dvc, FOLDERS["traces"], TRACES)
        events = derive_events(traces, read_parts(root, dvc, FOLDERS["feedback"], FEEDBACK))
        intake.add([events])
        tally = intake.publish()
        standing = stores.catch_up()
    counts = dict(events["signal_type"].value_counts().iter_rows())
    told = traces.drop_nulls(["session_id", "created_at"])
    return DeriveReport(
        n_traces=traces.height,
        n_silent=traces.height - told.height,
        n_found={signal: int(counts.get(signal, 0)) for signal in RULES},
        feedback=tally,
        stores=standing,
    )
