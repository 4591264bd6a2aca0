"""Which failures a label would teach most about, by what the loop knows of them."""

from __future__ import annotations

from gitloop.core.doubting import Doubt, by_boundary, by_disagreement
from gitloop.errors import DataError
from gitloop.records import parse_thresholds
from gitloop.storage.files import read_json
from gitloop.tables import MEMBERS, SCORES
from gitloop.workspace import Workspace

_MEMBERS = "loop/cluster/members.parquet"
_SCORES = "loop/calibrate/scores.parquet"
_THRESHOLDS = "loop/calibrate/thresholds.json"


def doubted(workspace: Workspace, order: str) -> list[Doubt]:
    """The failures in the order in which a label would teach most, labelled ones too.

    Args:
        workspace: The checkout.
        order: "boundary": near the line between two clusters. "disagreement": complained about, and
            passed by a calibrated judge.

    Raises:
        DataError: There are no clusters, or for disagreement no judge is calibrated.
    """
    if not (workspace.root / _MEMBERS).is_file():
        raise DataError("failures have not been clustered yet", hint="run: dvc repro cluster")
    members = workspace.read(_MEMBERS, MEMBERS)
    if order == "boundary":
        return by_boundary(members)
    if not (workspace.root / _SCORES).is_file():
        raise DataError("no judge has been calibrated yet", hint="run: gitloop calibrate")
    return by_disagreement(members, workspace.read(_SCORES, SCORES), _lines(workspace))


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
