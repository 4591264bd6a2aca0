"""`gitloop gate`: the verdict on this commit's scores, and what CI makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitloop.core.gate import (
    as_document,
    decide,
    evidence,
    judged_cells,
    rates_csv,
    read_document,
)
from gitloop.errors import StaleError
from gitloop.plugins import load as plugin
from gitloop.protocols import Progress, silent
from gitloop.steps.gate.loading import BASELINE, input_digests, load, moved
from gitloop.storage.files import read_json, write_json, write_text
from gitloop.workspace import Workspace

PATH = "loop/gate/gate.json"
REPORT = "loop/gate/report.html"
RATES = "loop/gate/rates.csv"


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """What the gate said.

    Attributes:
        path: Where it is written.
        document: The content of gate.json.
    """

    path: str
    document: dict[str, Any]

    def exit_code(self, *, is_strict: bool) -> int:
        """For CI: 0, 2, 3, 5, 6 or 7."""
        return int(self.document["exit_code_strict" if is_strict else "exit_code"])


def gate(directory: Path, *, progress: Progress = silent) -> GateOutcome:
    """Decide, and write gate.json, report.html and, for `dvc plots`, rates.csv into loop/gate.

    The verdict is a value: a failed gate is written like a passed one, and DVC records it.

    Raises:
        ConfigError: params.yaml or a rubric is at fault, or names what does not exist.
        DataError: An input is missing, broken or not at its pinned version.
    """
    workspace = Workspace(directory)
    progress("gate", 0, 3)
    loaded = load(workspace)
    progress("gate", 1, 3)
    judged = judged_cells(loaded.inputs)
    report = decide(loaded.inputs, judged)
    document = as_document(
        report,
        inputs=[{"name": name, "digest": digest} for name, digest in loaded.digests.items()],
        datasets=loaded.datasets,
        baseline=[
            {
                "commit": run.commit,
                "committed_at": run.committed_at,
                "scores_md5": run.scores_md5,
                "datasets": {name: pinned.sha256 for name, pinned in run.datasets.items()},
            }
            for run in loaded.runs
        ],
    )
    progress("gate", 2, 3)
    value = document | {"evidence": evidence(loaded.inputs, report, judged)}
    write_text(workspace.root / REPORT, plugin("reports", "html")().render(value))
    write_text(workspace.root / RATES, rates_csv(document))
    write_json(workspace.root / PATH, document)
    progress("gate", 3, 3)
    return GateOutcome(PATH, document)


def check(directory: Path) -> GateOutcome:
    """The recorded verdict, if it belongs to what lies in the work tree.

    Raises:
        DataError: There is no gate.json.
        StaleError: It was made from other inputs; they are named.
    """
    workspace = Workspace(directory)
    document = read_document(read_json(workspace.root / PATH), source=PATH)
    recorded = {one["name"]: one["digest"] for one in document["inputs"]}
    differ = moved(recorded, input_digests(workspace))
    if differ:
        raise StaleError(
            f"{PATH} was made from other inputs; these moved: {', '.join(differ)}",
            hint="run: dvc repro gate",
        )
    return GateOutcome(PATH, document)


__all__ = ["BASELINE", "PATH", "REPORT", "GateOutcome", "check", "gate"]
