"""Say whether preference tuning is the right lever now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.pairs.readiness import Diagnosis, Facts, diagnose
from gitloop.errors import ConfigError
from gitloop.evaluation import judge_name, judge_sha256
from gitloop.params import parse_rubric
from gitloop.records import parse_thresholds
from gitloop.steps.pairs.standing import PATH, every_golden_row, exportable, standing
from gitloop.storage.files import read_json
from gitloop.storage.parts import read_parts
from gitloop.tables import TRACES
from gitloop.workspace import Workspace

_DAYS = 30


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Whether to tune.

    Attributes:
        diagnosis: Verdict, reasons and findings.
        n_pairs: Pairs.
        n_train: Pairs that may train.
    """

    diagnosis: Diagnosis
    n_pairs: int
    n_train: int


def examine_pairs(directory: Path) -> DoctorReport:
    """Look at volume, rubrics, calibration, agreement and pairs; nothing is written.

    Raises:
        ConfigError: params.yaml or a rubric is at fault.
        DataError: A table, a label file or a golden set is broken.
    """
    workspace = Workspace(directory)
    facts = _facts(workspace)
    found = diagnose(facts, workspace.params.pairs.readiness)
    return DoctorReport(found, facts.n_pairs, facts.n_train)


def _facts(workspace: Workspace) -> Facts:
    params = workspace.params
    n_conversations, days = _volume(workspace)
    judge = params.pairs.judge
    facts = Facts(
        n_conversations=n_conversations,
        days=days,
        n_pairs=0,
        n_train=0,
        n_prompts=0,
        per_route={},
        rubric_days={name: age_of(workspace, name) for name in sorted(params.rubrics)},
        calibration=_calibration(workspace),
        strata=(),
        search=_search(workspace),
        judge_model=judge.model if judge and "judge" in params.pairs.sources else None,
        target_model=params.target.parameters.get("model"),
    )
    if not (workspace.root / PATH).is_file():
        return facts
    where = standing(workspace)
    golden, _ = every_golden_row(workspace)
    trained = exportable(workspace, where, golden).pairs
    routes = trained["route"].fill_null("no route").value_counts().sort("route")
    return replace(
        facts,
        n_pairs=where.pairs.height,
        n_train=trained.height,
        n_prompts=trained["prompt_class"].n_unique(),
        per_route=dict(routes.iter_rows()),
        strata=where.strata,
    )


def _volume(workspace: Workspace) -> tuple[int, float]:
    """(conversations, days) of the newest thirty days that traces cover."""
    traces = read_parts(workspace.root, workspace.dvc, "data/traces", TRACES)
    dated = traces.filter(pl.col("created_at").is_not_null())
    if dated.is_empty():
        return 0, 0.0
    newest: Any = dated["created_at"].max()
    recent = dated.filter(pl.col("created_at") > newest - timedelta(days=_DAYS))
    oldest: Any = recent["created_at"].min()
    talks = recent.select(pl.coalesce("session_id", "trace_id")).to_series().n_unique()
    return talks, max(1.0, (newest - oldest).total_seconds() / 86_400)


def age_of(workspace: Workspace, name: str) -> int | None:
    """Days for which a rubric's content, as far as it changes a score, has been what it is."""
    path = f"rubrics/{name}.yaml"
    now = workspace.rubric(name).sha256
    since = None
    log = workspace.git.text("log", "--format=%H %ct", "--", path) if workspace.git.head() else ""
    for line in log.splitlines():
        commit, seconds = line.split()
        blob = workspace.git.files(commit, path).get(path)
        if blob is None:
            break
        try:
            then = parse_rubric(workspace.git.blobs([blob])[0].decode(), source=path).sha256
        except (ConfigError, UnicodeDecodeError):
            break
        if then != now:
            break
        since = int(seconds)
    if since is None:
        return None
    return max(0, int((workspace.now().timestamp() - since) // 86_400))


def _calibration(workspace: Workspace) -> dict[str, str]:
    path = workspace.root / "loop/calibrate/thresholds.json"
    known = parse_thresholds(read_json(path)) if path.is_file() else {}
    found = {}
    for name, pin in sorted(workspace.params.rubrics.items()):
        entry = known.get(name)
        sha256 = judge_sha256(workspace.rubric(name), pin.judge)
        if entry is None or entry.threshold is None:
            found[name] = "is not calibrated"
        elif entry.judge_sha256 != sha256:
            found[name] = f"was calibrated for another text or judge than {judge_name(pin.judge)}"
        else:
            found[name] = "is calibrated with findings" if entry.status == "warned" else ""
    return found


def _search(workspace: Workspace) -> str:
    path = workspace.root / "loop/optimize/metrics.json"
    return str(read_json(path).get("outcome", "")) if path.is_file() else ""
