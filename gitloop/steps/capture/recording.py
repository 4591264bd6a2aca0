"""Record: one event, from the command line, durable in the spool when the command returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.capture import Recorder
from gitloop.storage import spool
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RecordReport:
    """The event that was recorded.

    Attributes:
        feedback_id: Its id.
        path: The spool file that holds it, relative to the root.
    """

    feedback_id: str
    path: str


def record(directory: Path, fields: Mapping[str, Any]) -> RecordReport:
    """Record one event.

    Args:
        directory: A directory in the repository.
        fields: Columns of `tables.FEEDBACK`; what is None is left out.

    Raises:
        DataError: The event has a fault, or the spool cannot be written.
    """
    root = Workspace(directory).root
    recorder = Recorder(str(root / spool.FOLDERS["feedback"]), is_strict=True)
    receipt = recorder.record(fields)
    recorder.close()
    return RecordReport(receipt.feedback_id, Path(receipt.path).relative_to(root).as_posix())
