"""What the gate says: checks, summaries, rows and their trails."""

from __future__ import annotations

from dataclasses import dataclass

from gitloop.records.intervals import Interval

OUTCOMES = ("pass", "fail", "warn", "inconclusive", "stale", "error")
"""What a check of the gate can come to; "stale" is an answer that belongs to other inputs."""

CHECK_KINDS = (
    "data",
    "errors",
    "judge",
    "floor",
    "delta",
    "ratchet",
    "assertion",
    "route",
    "cohort",
    "cell",
    "cluster",
    "veto",
    "gain",
    "holdout",
    "ahead",
)
"""In the order of a report. The first three appear only where there is something to say, the last
four only where a tuned model is held against its base (`gitloop pairs evaluate`)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the gate.

    Attributes:
        kind: One of `CHECK_KINDS`.
        rubric: The rubric it speaks of, or None for the whole run.
        slice: The route, cohort or cluster it speaks of, or None for all rows.
        outcome: One of `OUTCOMES`.
        exit_code: What this check alone asks for: 0, 2 (no), 3 (a warning), 5, 6 or 7.
        message: The fact, in one sentence.
        n: Rows (floor, assertion, errors), pairs (delta and slices) or must-pass rows (ratchet).
        n_groups: Independent groups among them; None where it was not counted.
        n_discordant: Pairs whose verdicts differ; None where nothing is paired.
        observed: What was measured on this run: a rate in [0, 1], or an assertion's metric.
        baseline: The same on the baseline, over the same rows.
        bound: What decides: the floor, the noise floor, the error budget, the assertion's value.
        effect: `observed` minus what it is held against; below 0 is worse.
        interval: Of `effect` in paired checks, of `observed` in all others.
        p: One-sided, against "not worse"; None where no test decides.
        p_adjusted: After the family's correction; this is what alpha is compared with.
        mde: Smallest loss that a check of this size sees four times in five, ≥ 0.
        method: How it was decided, e.g. "mcnemar-exact+holm".
    """

    kind: str
    rubric: str | None
    slice: str | None
    outcome: str
    exit_code: int
    message: str
    n: int = 0
    n_groups: int | None = None
    n_discordant: int | None = None
    observed: float | None = None
    baseline: float | None = None
    bound: float | None = None
    effect: float | None = None
    interval: Interval | None = None
    p: float | None = None
    p_adjusted: float | None = None
    mde: float | None = None
    method: str = ""


@dataclass(frozen=True, slots=True)
class RowTrail:
    """A golden row whose verdict matters to a reviewer, and where it came from.

    Attributes:
        row_id: The golden row.
        set: Its golden set.
        rubric: The rubric it was judged by.
        state: must_pass (the newest baseline run passes it), known_failing, or new.
        change: lost (must_pass that fails now), won (known_failing that passes), or failing (new).
        route: Its route, or None.
        user_cohort: Its cohort, or None.
        cluster_id: The failure cluster it was promoted from, or None.
        source_trace_id: The production trace that it was.
        baseline: Mean verdict over the baseline runs, [0, 1]; None for a new row.
        observed: Mean verdict over this run's replicates, [0, 1].
        score: Mean score of this run, [0, 1].
    """

    row_id: str
    set: str
    rubric: str
    state: str
    change: str
    route: str | None
    user_cohort: str | None
    cluster_id: str | None
    source_trace_id: str
    baseline: float | None
    observed: float
    score: float


@dataclass(frozen=True, slots=True)
class RubricSummary:
    """One rubric over the whole run.

    Attributes:
        name: The rubric.
        version: Its version.
        judge: Who scored it, as in the scores table.
        threshold: Score from which an output passes, [0, 1]; None when there is none.
        comparison: ">=" or ">".
        n_rows: Golden rows labelled for it.
        n_passed: Rows that pass (most of their replicates do).
        n_failed: Rows that do not.
        n_errors: Rows without any score.
        pass_rate: Mean verdict over the rows that have one; None without such a row.
        mean_score: Mean score over the same rows.
        n_must_pass: Rows that the newest baseline run passes.
        n_known_failing: Rows that it fails.
        n_new: Rows that it does not have.
        n_lost: must_pass rows that fail now.
        n_won: known_failing rows that pass now.
        baseline_pass_rate: Mean verdict of the baseline over the paired rows.
        noise_floor: Smallest difference in pass rate that means anything.
        corrected_pass_rate: pass_rate, corrected for the judge's known errors; None if unknown.
        corrected_interval: Of the corrected rate.
    """

    name: str
    version: str
    judge: str
    threshold: float | None
    comparison: str
    n_rows: int
    n_passed: int
    n_failed: int
    n_errors: int
    pass_rate: float | None
    mean_score: float | None
    n_must_pass: int
    n_known_failing: int
    n_new: int
    n_lost: int
    n_won: int
    baseline_pass_rate: float | None
    noise_floor: float
    corrected_pass_rate: float | None = None
    corrected_interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the gate says.

    Attributes:
        verdict: "pass", "warn" (nothing failed, something is open), "fail", or "none" (no verdict).
        exit_code: For CI: 0, 2, 5, 6 or 7.
        exit_code_strict: The same when warnings count: 3 in place of 0.
        n_rows: Golden rows that were read.
        checks: Every check, in the order of `CHECK_KINDS`, then by rubric and slice.
        rubrics: One summary per rubric, by name.
        lost: must_pass rows that fail now, the most important first.
        won: known_failing rows that pass now.
        failing_new: new rows that fail; they never block.
    """

    verdict: str
    exit_code: int
    exit_code_strict: int
    n_rows: int
    checks: tuple[Check, ...]
    rubrics: tuple[RubricSummary, ...]
    lost: tuple[RowTrail, ...]
    won: tuple[RowTrail, ...]
    failing_new: tuple[RowTrail, ...]
