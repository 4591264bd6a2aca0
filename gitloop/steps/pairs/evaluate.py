"""The release gate of a tuned model: the gate, with its base as baseline, and the holdout."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from gitloop.core.gate import (
    BaselineRun,
    GateInputs,
    as_document,
    decide,
    evidence,
    exit_code,
    judged_cells,
    verdict,
)
from gitloop.core.pairs.release import Preferred, gain_check, holdout_checks, veto_checks
from gitloop.digests import sha256_of
from gitloop.errors import ConfigError, DataError
from gitloop.evaluation import call_store, keep_calls
from gitloop.params import Policy
from gitloop.plugins import load as plugin
from gitloop.protocols import Progress, silent
from gitloop.records import CHECK_KINDS, Check, GateReport
from gitloop.steps.gate.loading import gate_rubrics, golden_rows
from gitloop.steps.pairs.policies import answered, preferred
from gitloop.steps.pairs.standing import PATH, every_golden_row, exportable, standing
from gitloop.storage.files import md5, write_json, write_text
from gitloop.storage.looks import Look, look_at
from gitloop.workspace import Workspace

RELEASE_PATH = "loop/pairs/release.json"
REPORT_PATH = "loop/pairs/release.html"
LEDGER_PATH = "loop/pairs/ledger.jsonl"
CALLS_PATH = "loop/pairs/release_calls.parquet"


@dataclass(frozen=True, slots=True)
class ReleaseOutcome:
    """What the release gate said.

    Attributes:
        path: Where it is written.
        document: Its content, of the schema of gate.json.
    """

    path: str
    document: dict[str, Any]

    def exit_code(self, *, is_strict: bool) -> int:
        """For CI: 0, 2, 3, 5, 6 or 7."""
        return int(self.document["exit_code_strict" if is_strict else "exit_code"])


def evaluate_pairs(directory: Path, progress: Progress = silent) -> ReleaseOutcome:
    """Hold the tuned model against its base; write loop/pairs/release.json and release.html.

    Looks at one holdout are counted in loop/pairs/ledger.jsonl, and each is held against less.

    Raises:
        ConfigError: params.yaml names no tuned model, or a veto that is no rubric in use.
        DataError: An input is missing or broken.
        StaleError: Mode replay, and a call was never recorded.
        ApiError: More calls failed than `score.max_error_rate` allows.
        CallTimeoutError: The same, and most were too slow.
    """
    workspace = Workspace(directory)
    tuned = _tuned(workspace)
    release = workspace.params.pairs.release
    golden, datasets = golden_rows(workspace)
    if golden.is_empty():
        raise DataError("no golden set has a row", hint="run: gitloop promote")
    pairs = _holdout(workspace)
    store = call_store(workspace, CALLS_PATH)
    base_outputs, base_scores = answered(workspace, release.base, golden, store, progress)
    outputs, scores = answered(workspace, tuned, golden, store, progress)
    given = Preferred(
        pairs,
        preferred(workspace, release.base, pairs, store, key="pairs.release.base"),
        preferred(workspace, tuned, pairs, store, key="pairs.release.tuned"),
    )
    look = _look(workspace, given)
    inputs = GateInputs(
        golden=golden,
        outputs=outputs,
        scores=scores,
        rubrics=gate_rubrics(workspace),
        policy=workspace.params.gate,
        max_error_rate=workspace.params.score.max_error_rate,
        baseline=(BaselineRun(base_scores, base_outputs),),
        seed=workspace.params.seed,
    )
    judged = judged_cells(inputs)
    report = _with(decide(inputs, judged), _more_checks(workspace, inputs, given, look))
    document = as_document(
        report,
        inputs=_inputs(workspace),
        datasets=datasets,
        baseline=[],
        policies={
            "base": release.base.model_dump(mode="json"),
            "tuned": tuned.model_dump(mode="json"),
            "n_holdout_pairs": len(pairs),
            "look": asdict(look) if look else None,
        },
    )
    value = document | {"evidence": evidence(inputs, report, judged)}
    keep_calls(workspace, CALLS_PATH, store)
    write_text(workspace.root / REPORT_PATH, plugin("reports", "html")().render(value))
    write_json(workspace.root / RELEASE_PATH, document)
    return ReleaseOutcome(RELEASE_PATH, document)


def _tuned(workspace: Workspace) -> Policy:
    release = workspace.params.pairs.release
    unknown = sorted(set(release.veto) - set(workspace.params.rubrics))
    if unknown:
        raise ConfigError(
            f"pairs.release.veto names {', '.join(unknown)}, which params.yaml does not pin",
            hint=f"pinned: {', '.join(sorted(workspace.params.rubrics)) or 'none'}",
        )
    if release.tuned is None or release.tuned.target is None:
        raise ConfigError(
            "params.yaml names no tuned model",
            hint="set pairs.release.tuned: {target: {use: openai, …}, preferences: …}",
        )
    return release.tuned


def _holdout(workspace: Workspace) -> list[dict[str, Any]]:
    """The pairs of the holdout that an export would hold."""
    golden, _ = every_golden_row(workspace)
    kept = exportable(workspace, standing(workspace), golden).pairs
    return kept.filter(pl.col("split") == "holdout").to_dicts()


def _look(workspace: Workspace, given: Preferred) -> Look | None:
    """The look at the holdout, which stands in the ledger before anything is decided on it.

    Two models are compared that prefer as these do: one that was trained further is another look.
    None where there are too few pairs for a verdict, and nothing is seen.
    """
    told = {
        pair["pair_id"]: [given.base.get(pair["pair_id"]), given.tuned.get(pair["pair_id"])]
        for pair in given.pairs
    }
    n_both = sum(None not in numbers for numbers in told.values())
    if n_both < workspace.params.pairs.release.min_pairs:
        return None
    return look_at(
        workspace.root,
        LEDGER_PATH,
        holdout_sha256=sha256_of(sorted(told)),
        pair=sha256_of(sorted(told.items())),
        alpha=workspace.params.gate.alpha,
    )


def _more_checks(
    workspace: Workspace, inputs: GateInputs, given: Preferred, look: Look | None
) -> list[Check]:
    """What the gate of prompts does not ask: vetoes, the average, the holdout."""
    params = workspace.params
    alpha, seed = params.gate.alpha, params.seed
    judged = judged_cells(inputs)
    cells = judged.cells.filter(pl.col("rubric").is_in(judged.usable))
    noise = {name: rubric.noise_floor for name, rubric in inputs.rubrics.items()}
    release = params.pairs.release
    return [
        *veto_checks(cells, release.veto, noise, alpha=alpha, seed=seed),
        gain_check(cells, alpha=alpha, seed=seed),
        *holdout_checks(
            given,
            release,
            alpha=look.alpha if look else alpha,
            max_error_rate=params.score.max_error_rate,
        ),
    ]


def _with(report: GateReport, more: list[Check]) -> GateReport:
    """The report with further checks, and the verdict that all of them make."""
    checks = tuple(sorted([*report.checks, *more], key=lambda check: CHECK_KINDS.index(check.kind)))
    return replace(
        report,
        checks=checks,
        verdict=verdict(checks),
        exit_code=exit_code(checks, is_strict=False),
        exit_code_strict=exit_code(checks, is_strict=True),
    )


def _inputs(workspace: Workspace) -> list[dict[str, str]]:
    params = workspace.params
    policy = {
        "gate": params.gate.model_dump(mode="json"),
        "release": params.pairs.release.model_dump(mode="json"),
        "seed": params.seed,
    }
    return [
        {"name": PATH, "digest": md5(workspace.root / PATH)},
        {"name": "params.yaml: pairs.release", "digest": sha256_of(policy)},
    ]
