"""Which failures to label next, for those who want more than the representatives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitloop.core.cluster import Doubt, by_boundary, by_disagreement
from gitloop.errors import DataError
from gitloop.records import parse_thresholds
from gitloop.steps.cluster.nights import MEMBERS_PATH
from gitloop.storage.files import read_json
from gitloop.storage.labels import read_labels
from gitloop.tables import MEMBERS, SCORES
from gitloop.workspace import Workspace

_SCORES = "loop/calibrate/scores.parquet"
_THRESHOLDS = "loop/calibrate/thresholds.json"


@dataclass(frozen=True, slots=True)
class Ordered:
    """Failures in the order in which a label would teach most.

    Attributes:
        order: "boundary" or "disagreement".
        doubts: The least certain first.
        n_left: Further ones that are not shown.
        n_labelled: Failures that somebody labelled already; they are left out.
    """

    order: str
    doubts: tuple[Doubt, ...]
    n_left: int
    n_labelled: int


def order_failures(directory: Path, order: str, limit: int) -> Ordered:
    """The unlabelled failures that the loop is least sure about.

    Args:
        directory: A directory of the checkout.
        order: "boundary": near the line between two clusters. "disagreement": complained about, and
            passed by a calibrated judge.
        limit: How many are shown.

    Raises:
        DataError: There are no clusters, or for disagreement no judge is calibrated.
    """
    workspace = Workspace(directory)
    members = workspace.read(MEMBERS_PATH, MEMBERS)
    if order == "boundary":
        found = by_boundary(members)
    else:
        found = by_disagreement(members, workspace.read(_SCORES, SCORES), _lines(workspace))
    labelled = set(read_labels(workspace.root)["trace_id"].to_list())
    open_ones = [doubt for doubt in found if doubt.trace_id not in labelled]
    return Ordered(
        order=order,
        doubts=tuple(open_ones[:limit]),
        n_left=max(0, len(open_ones) - limit),
        n_labelled=len(found) - len(open_ones),
    )


def _lines(workspace: Workspace) -> dict[str, float]:
    """Rubric → threshold, of the calibrated ones."""
    found = parse_thresholds(read_json(workspace.root / _THRESHOLDS))
    lines = {
        name: one.threshold
        for name, one in found.items()
        if one.threshold is not None and one.threshold <= 1
    }
    if not lines:
        raise DataError("no judge has a calibrated threshold", hint="run: gitloop calibrate")
    return lines
