"""Which failures to label next, for those who want more than the representatives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitloop.core.doubting import Doubt
from gitloop.evaluation import doubted
from gitloop.protocols import Progress, silent
from gitloop.storage.labels import read_labels
from gitloop.workspace import Workspace


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


def order_failures(directory: Path, order: str, limit: int, progress: Progress = silent) -> Ordered:
    """The unlabelled failures that the loop is least sure about.

    Args:
        directory: A directory of the checkout.
        order: "boundary": near the line between two clusters. "disagreement": complained about, and
            passed by a calibrated judge.
        limit: How many are shown.
        progress: Is told how far the judges are.

    Raises:
        DataError: There are no clusters, or for disagreement no judge is calibrated.
    """
    workspace = Workspace(directory)
    found = doubted(workspace, order, progress)
    labelled = set(read_labels(workspace.root)["trace_id"].to_list())
    open_ones = [doubt for doubt in found if doubt.trace_id not in labelled]
    return Ordered(
        order=order,
        doubts=tuple(open_ones[:limit]),
        n_left=max(0, len(open_ones) - limit),
        n_labelled=len(found) - len(open_ones),
    )
