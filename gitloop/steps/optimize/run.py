"""The search itself: headroom first, then the optimizer, then the one look at the holdout."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from gitloop.steps.optimize.ledger import look_at
from gitloop.steps.optimize.searched import FOLDER, Searched, obstacle, open_search
from gitloop.steps.optimize.thresholds import ThresholdReport, optimize_thresholds
from gitloop.steps.optimize.world import Evaluator
from gitloop.storage.calls import CallStore, Tally
from gitloop.storage.looks import Look
from gitloop.workspace import Workspace


@dataclass(frozen=True, slots=True)
class OptimizeReport:
    """What the optimizer came to.

    Attributes:
        outcome: "proposed", "no improvement", "no headroom", "too few rows", "nothing to search",
            or "not asked for" where optimize.targets names the thresholds alone.
        message: The fact, in a sentence.
        optimizer: Its plug-in, with version.
        space_size: Number of different candidates that the prompt declares, examples aside.
        n_trials: Different candidates tried, the incumbent included.
        n_failed: Attempts that came to no candidate, or to one that must not be tried.
        n_evaluations: Rows scored, the look at the holdout included.
        n_teacher_calls: Questions to the teacher.
        n_calls: Calls of target, judges and teacher; what the call store answered counts.
        tokens: What they took, as far as they told.
        cost_usd: What they cost, as far as they told, whenever it was paid.
        finish_reason: Why the search ended: a limit, "exhausted", "stalled", or the outcome where
            it never began.
        incumbent_mean: Validation score of the prompt as it is, or None.
        best_mean: Best validation score, or None.
        control_mean: Best validation score of the random control, or None where there was none.
        headroom: What there was to gain, or None where the search never began.
        finalist: Id of the finalist, or None where the incumbent won.
        holdout: The one look at the holdout, or None where there was no finalist.
        look: Which look at this holdout it was, and its level; None where there was none.
        n_rows: Split → golden rows.
        thresholds: What came of the thresholds, by rubric; () where they are no target.
    """

    outcome: str
    message: str
    optimizer: str
    space_size: int
    n_trials: int
    n_failed: int
    n_evaluations: int
    n_teacher_calls: int
    n_calls: int
    tokens: int
    cost_usd: float
    finish_reason: str
    incumbent_mean: float | None
    best_mean: float | None
    control_mean: float | None
    headroom: Headroom | None
    finalist: str | None
    holdout: HoldoutVerdict | None
    look: Look | None
    n_rows: dict[str, int]
    thresholds: tuple[ThresholdReport, ...] = ()

    @property
    def is_proposing(self) -> bool:
        """Whether there is anything to propose: a prompt, a threshold, or both."""
        return "proposed" in (self.outcome, *(found.outcome for found in self.thresholds))


def optimize(directory: Path, *, progress: Progress = silent) -> OptimizeReport:
    """Run the search that params.yaml describes; write its artefacts and its verdict.

    Killed at any point and run again, it replays what was answered and goes on from there.

    Raises:
        ConfigError: No prompt file, a misconfigured optimizer, or a budget too small for one look.
        DataError: No golden rows, no labels, or no calibrated thresholds.
    """
    workspace = Workspace(directory)
    targets = workspace.params.optimize.targets
    searched = open_search(workspace) if "prompt" in targets else None
    thresholds = optimize_thresholds(workspace) if "thresholds" in targets else ()
    store = call_store(workspace, f"{FOLDER}/calls.parquet")
    history = None
    if searched is None:
        report = _unsearched(None, "not asked for", "only the thresholds are optimised")
    elif hindered := obstacle(searched):
        report = _unsearched(searched, *hindered)
    else:
        report, history = _searched(searched, store, progress)
    report = replace(report, thresholds=thresholds)
    save(workspace, searched, as_json(report), history, store)
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
    most = searched.workspace.params.optimize.max_calls
    shown = (*searched.rows["val"], *searched.rows["holdout"], *searched.rows["holdout"])
    if most is not None and most < evaluator.calls_for(shown):
        raise ConfigError(
            f"{most} calls do not cover one look at the validation and the holdout rows,"
            f" which takes {evaluator.calls_for(shown)}",
            hint="edit params.yaml: optimize.max_calls",
        )
    optimizer = searched.plugin(searched.workspace.params.optimize.parameters)
    search = optimizer.search(searched.task())
    checked = _checked(searched, evaluator)
    history = run_search(search, searched.incumbent, evaluator.world(), _limits(searched, checked))
    evaluator.refuse_silence(_n_tried(history))
    best = finalist(history)
    looked = _look(searched, evaluator, best, checked.headroom) if best.number else None
    report = _report(searched, history, best, checked)
    return _priced(_judged(report, best, looked), store.tally), history


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was looked at before the search.

    Attributes:
        headroom: What there is to gain.
        n_extra: Rows that were scored for it beyond the incumbent's trial.
        n_calls: Calls that the look at the holdout needs.
    """

    headroom: Headroom
    n_extra: int
    n_calls: int


def _checked(searched: Searched, evaluator: Evaluator) -> _Checked:
    """The headroom check: more than one answer per row where they can differ and are affordable."""
    params, n_val = searched.workspace.params, searched.n_rows["val"]
    n_calls = 2 * evaluator.calls_for(searched.rows["holdout"])
    k = 1 if params.target.deterministic else params.optimize.best_of
    most = params.optimize.max_calls
    n_once = evaluator.calls_for(searched.rows["val"]) * (k + 1)
    if searched.budget < (k + 1) * n_val or (most is not None and most < n_calls + n_once):
        k = 1
    samples = evaluator.sample(k)
    mean = evaluator.mean_of_sampled()
    least = max(params.optimize.min_delta, _noise(searched))
    found = headroom_of(mean, searched.n_rows["holdout"], least, samples)
    return _Checked(found, (k - 1) * n_val, n_calls)


def _limits(searched: Searched, checked: _Checked) -> Limits:
    """When the search ends; what the look at the holdout needs is set aside."""
    own = searched.workspace.params.optimize
    return Limits(
        max_evaluations=searched.budget - checked.n_extra,
        patience=own.patience,
        min_delta=own.min_delta,
        min_score=own.min_score,
        max_calls=None if own.max_calls is None else own.max_calls - checked.n_calls,
        max_teacher_calls=own.max_teacher_calls,
        max_cost_usd=own.max_cost_usd,
        max_tokens=own.max_tokens,
        max_seconds=own.max_seconds,
        min_headroom=checked.headroom.least,
    )


def _noise(searched: Searched) -> float:
    """The largest noise floor of the rubrics that count."""
    labels = searched.golden["labels"].to_list()
    rubrics = {label["rubric"] for row in labels for label in row}
    return max(searched.workspace.rubric(name).noise_floor for name in rubrics)


def _look(
    searched: Searched, evaluator: Evaluator, best: Trial, headroom: Headroom
) -> tuple[HoldoutVerdict, Look]:
    """The one look: it stands in the ledger before it is taken."""
    own = searched.workspace.params.optimize
    proposed = evaluator.prompt_of(best.candidate)
    pair = f"{searched.prompt.sha256[:16]}-{proposed.sha256[:16]}"
    look = look_at(searched.workspace.root, searched.holdout_sha256(), pair, own.alpha)
    policy = Acceptance(
        alpha=look.alpha,
        min_delta=own.min_delta,
        noise_floor=max(_noise(searched), headroom.judge_noise),
        max_length_ratio=own.max_length_ratio,
        max_cost_ratio=own.max_cost_ratio,
    )
    before = evaluator.evaluate(Ask(searched.incumbent, "holdout"))
    after = evaluator.evaluate(Ask(best.candidate, "holdout"))
    places = searched.golden.select("row_id", "group_id", "user_cohort").iter_rows()
    rows = {row_id: (group, cohort or "unknown") for row_id, group, cohort in places}
    ratio = len(proposed.text()) / len(searched.prompt.text())
    return judge_holdout(before, after, rows, ratio, policy), look


def _report(searched: Searched, history: History, best: Trial, checked: _Checked) -> OptimizeReport:
    """What the search came to, before any look at the holdout."""
    headroom = checked.headroom
    outcome, message = "no improvement", "no candidate beats the prompt as it is on validation"
    if history.finish_reason == "no headroom":
        outcome = "no headroom"
        message = (
            f"the prompt falls short by {headroom.room:.3f}; {headroom.least:.3f} is the least"
        )
    control = [trial.mean for trial in history.trials if trial.arm == "random" and trial.mean]
    return replace(
        _unsearched(searched, outcome, message),
        n_trials=_n_tried(history),
        n_failed=sum(bool(trial.fault) for trial in history.trials),
        n_evaluations=history.n_evaluations + checked.n_extra,
        n_teacher_calls=history.n_teacher_calls,
        finish_reason=history.finish_reason,
        incumbent_mean=history.trials[0].mean,
        best_mean=best.mean,
        control_mean=max(control, default=None),
        headroom=headroom,
        finalist=best.candidate.id if best.number else None,
    )


def _n_tried(history: History) -> int:
    """Different candidates that were scored on anything."""
    return len({trial.candidate.id for trial in history.trials if not trial.fault})


def _judged(
    report: OptimizeReport, best: Trial, looked: tuple[HoldoutVerdict, Look] | None
) -> OptimizeReport:
    """The report with what the one look at the holdout came to."""
    if looked is None:
        return report
    verdict, look = looked
    outcome, message = "no improvement", "; ".join(verdict.reasons[:1])
    if verdict.is_accepted:
        outcome, message = "proposed", f"candidate {best.candidate.id} gains {verdict.gain:+.3f}"
    n_rows = report.n_evaluations + 2 * report.n_rows["holdout"]
    return replace(
        report, outcome=outcome, message=message, holdout=verdict, look=look, n_evaluations=n_rows
    )


def _priced(report: OptimizeReport, tally: Tally) -> OptimizeReport:
    cost = round(tally.cost_usd, 6)
    return replace(report, n_calls=tally.n_calls, tokens=tally.tokens, cost_usd=cost)


def _unsearched(searched: Searched | None, outcome: str, message: str) -> OptimizeReport:
    plugin = f"{searched.plugin.id}/{searched.plugin.version}" if searched else ""
    return OptimizeReport(
        outcome=outcome,
        message=message,
        optimizer=plugin,
        space_size=searched.space.size if searched else 0,
        n_trials=0,
        n_failed=0,
        n_evaluations=0,
        n_teacher_calls=0,
        n_calls=0,
        tokens=0,
        cost_usd=0.0,
        finish_reason=outcome,
        incumbent_mean=None,
        best_mean=None,
        control_mean=None,
        headroom=None,
        finalist=None,
        holdout=None,
        look=None,
        n_rows=searched.n_rows if searched else {},
    )
