"""How far people agree on pairs, and what that lets train."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gitloop.core.pairs.agreement import PositionReport, StratumAgreement, position_report
from gitloop.core.pairs.fates import counted
from gitloop.errors import DataError
from gitloop.records import as_json
from gitloop.steps.pairs.standing import first_side, standing
from gitloop.storage.files import write_json
from gitloop.workspace import Workspace

SCHEMA = "gitloop.pairs-agreement/v1"
AGREEMENT_PATH = "loop/pairs/agreement.json"


@dataclass(frozen=True, slots=True)
class AgreeReport:
    """How far people agree on pairs.

    Attributes:
        strata: All pairs, then each source, cluster and route.
        statistic: Which coefficient decides.
        drop_below: Bands: a stratum below is dropped.
        train_from: A stratum from here on trains.
        states: State → reason → pairs.
        position: Whether annotators favour the answer that they see first.
        n_labels: Labels of pairs under the current guidance.
        path: Where it is written.
    """

    strata: tuple[StratumAgreement, ...]
    statistic: str
    drop_below: float
    train_from: float
    states: dict[str, dict[str, int]]
    position: PositionReport
    n_labels: int
    path: str


def agree_pairs(directory: Path) -> AgreeReport:
    """Measure agreement per stratum, and write loop/pairs/agreement.json.

    Raises:
        DataError: Pairs were not built, or nobody has labelled or voted on any.
    """
    workspace = Workspace(directory)
    policy = workspace.params.pairs.agreement
    where = standing(workspace)
    if not where.said:
        raise DataError("nobody has compared pairs yet", hint="run: gitloop pairs label")
    report = AgreeReport(
        strata=where.strata,
        statistic=policy.statistic,
        drop_below=policy.drop_below,
        train_from=policy.train_from,
        states=counted(where.fates),
        position=position_report(where.said_of_pairs(), partial(first_side, workspace.params.seed)),
        n_labels=sum(len(by) for by in where.said.values()),
        path=AGREEMENT_PATH,
    )
    value: dict[str, Any] = as_json(report)
    del value["path"]
    write_json(workspace.root / AGREEMENT_PATH, {"schema": SCHEMA, **value})
    return report
