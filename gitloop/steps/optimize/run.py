"""The search itself: headroom first, then the optimizer, then the one look at the holdout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitloop.core.optimize import (
    Acceptance,
    Headroom,
    History,
    HoldoutVerdict,
    Limits,
    Trial,
    finalist,
    headroom_of,
    judge_holdout,
    run_search,
)
from gitloop.errors import ConfigError
from gitloop.evaluation import call_store
from gitloop.protocols import Progress, silent
from gitloop.records import Ask, as_json
from gitloop.steps.optimize.artefacts import save
from gitloop.steps.optimize.ledger import Look, look_at
from gitloop.steps.optimize.searched import FOLDER, Searched, obstacle, open_search
from gitloop.steps.optimize.world import Evaluator
from gitloop.storage.calls import CallStore
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class OptimizeReport:
    """What the optimizer came to.

    Attributes:
        outcome: "proposed", "no improvement", "no headroom", "too few rows" or "nothing to search".
        message: The fact, in a sentence.
        optimizer: Its plug-in, with version.
        space_size: Number of different candidates that the prompt declares, examples aside.
        n_trials: Candidates tried, the incumbent included.
        n_failed: Attempts that came to no candidate, or to one that must not be tried.
        n_evaluations: Rows scored, the look at the holdout included.
        n_teacher_calls: Questions to the teacher.
        finish_reason: Why the search ended, or "" where it never began.
        incumbent_mean: Validation score of the prompt as it is, or None.
        best_mean: Best validation score, or None.
        control_mean: Best validation score of the random control, or None where there was none.
        headroom: What there was to gain, or None where the search never began.
        finalist: Id of the finalist, or None where the incumbent won.
        holdout: The one look at the holdout, or None where there was no finalist.
        look: Which look at this holdout it was, and its level; None where there was none.
        n_rows: Split → golden rows.
    """

    outcome: str
    message: str
    optimizer: str
    space_size: int
    n_trials: int
    n_failed: int
    n_evaluations: int
    n_teacher_calls: int
    finish_reason: str
    incumbent_mean: float | None
    best_mean: float | None
    control_mean: float | None
    headroom: Headroom | None
    finalist: str | None
    holdout: HoldoutVerdict | None
    look: Look | None
    n_rows: dict[str, int]


def optimize(directory: Path, *, progress: Progress = silent) -> OptimizeReport:
    """Run the search that params.yaml describes; write its artefacts and its verdict.

    Killed at any point and run again, it replays what was answered and goes on from there.

    Raises:
        ConfigError: No prompt file, a misconfigured optimizer, or a budget too small for one look.
        DataError: No golden rows, or no calibrated thresholds.
    """
    searched = open_search(Workspace(directory))
    store = call_store(searched.workspace, f"{FOLDER}/calls.parquet")
    hindered = obstacle(searched)
    report, history = (
        (_unsearched(searched, *hindered), None)
        if hindered
        else _searched(searched, store, progress)
    )
    save(searched, as_json(report), history, store)
    return report


def _searched(
    searched: Searched, store: CallStore, progress: Progress
) -> tuple[OptimizeReport, History]:
    if searched.budget < searched.n_rows["val"]:
        raise ConfigError(
            "the budget does not cover one look at the validation and the holdout rows",
            hint="edit params.yaml: optimize.max_evaluations",
        )
    evaluator = Evaluator(searched, store, progress)
    params = searched.workspace.params
    optimizer = searched.plugin(params.optimize.parameters)
    history = run_search(
        optimizer.search(searched.task()), searched.incumbent, evaluator.world(), _limits(searched)
    )
    headroom = headroom_of(history.trials[0], searched.n_rows["holdout"], _least_gain(searched))
    best = finalist(history)
    looked = _look(searched, evaluator, best) if best.number else None
    return _report(searched, history, best, headroom, looked), history


def _limits(searched: Searched) -> Limits:
    own = searched.workspace.params.optimize
    return Limits(
        max_evaluations=searched.budget,
        patience=own.patience,
        min_delta=own.min_delta,
        min_score=own.min_score,
        max_teacher_calls=own.max_teacher_calls,
        max_cost_usd=own.max_cost_usd,
        max_tokens=own.max_tokens,
        max_seconds=own.max_seconds,
        min_headroom=_least_gain(searched),
    )


def _least_gain(searched: Searched) -> float:
    """The least gain that would be proposed: min_delta, or the judges' noise where it is larger."""
    return max(searched.workspace.params.optimize.min_delta, _noise(searched))


def _noise(searched: Searched) -> float:
    labels = searched.golden["labels"].to_list()
    rubrics = {label["rubric"] for row in labels for label in row}
    return max(searched.workspace.rubric(name).noise_floor for name in rubrics)


def _look(searched: Searched, evaluator: Evaluator, best: Trial) -> tuple[HoldoutVerdict, Look]:
    """The one look: it stands in the ledger before it is taken."""
    own = searched.workspace.params.optimize
    proposed = evaluator.prompt_of(best.candidate)
    pair = f"{searched.prompt.sha256[:16]}-{proposed.sha256[:16]}"
    look = look_at(searched.workspace.root, searched.holdout_sha256(), pair, own.alpha)
    policy = Acceptance(look.alpha, own.min_delta, _noise(searched), own.max_length_ratio)
    before = evaluator.evaluate(Ask(searched.incumbent, "holdout"))
    after = evaluator.evaluate(Ask(best.candidate, "holdout"))
    places = searched.golden.select("row_id", "group_id", "user_cohort").iter_rows()
    rows = {row_id: (group, cohort or "unknown") for row_id, group, cohort in places}
    ratio = len(proposed.text()) / len(searched.prompt.text())
    return judge_holdout(before, after, rows, ratio, policy), look


def _report(
    searched: Searched,
    history: History,
    best: Trial,
    headroom: Headroom,
    looked: tuple[HoldoutVerdict, Look] | None,
) -> OptimizeReport:
    verdict, look = looked or (None, None)
    if history.finish_reason == "no headroom":
        outcome = "no headroom"
        message = (
            f"the prompt falls short by {headroom.room:.3f}; {headroom.least:.3f} is the least"
        )
    elif verdict is None:
        outcome, message = "no improvement", "no candidate beats the prompt as it is on validation"
    elif verdict.is_accepted:
        outcome, message = "proposed", f"candidate {best.candidate.id} gains {verdict.gain:+.3f}"
    else:
        outcome, message = "no improvement", verdict.reasons[0]
    control = [trial.mean for trial in history.trials if trial.arm == "random" and trial.mean]
    return OptimizeReport(
        outcome=outcome,
        message=message,
        optimizer=f"{searched.plugin.id}/{searched.plugin.version}",
        space_size=searched.space.size,
        n_trials=sum(not trial.fault for trial in history.trials),
        n_failed=sum(bool(trial.fault) for trial in history.trials),
        n_evaluations=history.n_evaluations + (2 * searched.n_rows["holdout"] if looked else 0),
        n_teacher_calls=history.n_teacher_calls,
        finish_reason=history.finish_reason,
        incumbent_mean=history.trials[0].mean,
        best_mean=best.mean,
        control_mean=max(control, default=None),
        headroom=headroom,
        finalist=best.candidate.id if best.number else None,
        holdout=verdict,
        look=look,
        n_rows=searched.n_rows,
    )


def _unsearched(searched: Searched, outcome: str, message: str) -> OptimizeReport:
    return OptimizeReport(
        outcome=outcome,
        message=message,
        optimizer=f"{searched.plugin.id}/{searched.plugin.version}",
        space_size=searched.space.size,
        n_trials=0,
        n_failed=0,
        n_evaluations=0,
        n_teacher_calls=0,
        finish_reason="",
        incumbent_mean=None,
        best_mean=None,
        control_mean=None,
        headroom=None,
        finalist=None,
        holdout=None,
        look=None,
        n_rows=searched.n_rows,
    )
