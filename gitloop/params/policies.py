"""What the gate and the optimizer are held to."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gitloop.params.pins import Target
from gitloop.params.strict import Strict

Rate = float


class Assertion(Strict):
    """A condition on a metric of the gate's run.

    Attributes:
        metric: pass_rate, avg_score, … (DESIGN.md §5).
        rubric: The rubric it speaks of, or null for the whole run.
        route: The route it speaks of, or null for all.
        op: Comparison.
        value: Right-hand side; for "between", the lower bound.
        upper: Upper bound, for "between".
        on_fail: What a broken assertion does.
    """

    metric: str
    rubric: str | None = None
    route: str | None = None
    op: Literal[">=", "<=", "==", "!=", ">", "<", "between"] = ">="
    value: float
    upper: float | None = None
    on_fail: Literal["fail", "warn"] = "fail"


Slice = Literal["route", "user_cohort", "cluster_id", "route*user_cohort"]


class Gate(Strict):
    """The gate's policy.

    Attributes:
        alpha: Family-wise error of the rubric-level checks.
        cell_alpha: False discovery rate of the route × cohort cells.
        min_rows: Fewest rows for a floor, and fewest pairs for a delta.
        floors: Rubric → least pass rate, in place of the rubric file's.
        floor_on: Whether the floor is held against the rate or against its interval's lower bound.
        slices: Columns whose values are checked apart; route*user_cohort checks every route of
            every cohort.
        require_calibration: Whether a rubric without a calibrated threshold is stale.
        ratchet: What a must-pass row that fails now does.
        delta_on: What is compared with the baseline: verdicts (pass rate) or scores (their mean).
        margin: Largest loss that does not matter; set, a delta passes only where it is ruled out.
        window_days: Days of main-line commits that `gitloop baseline` pins.
        assertions: Further conditions.
    """

    alpha: float = Field(default=0.05, gt=0, lt=1)
    cell_alpha: float = Field(default=0.1, gt=0, lt=1)
    min_rows: int = Field(default=10, ge=2)
    floors: dict[str, float] = Field(default_factory=dict)
    floor_on: Literal["rate", "lower_bound"] = "rate"
    slices: tuple[Slice, ...] = ("route", "user_cohort")
    require_calibration: bool = True
    ratchet: Literal["fail", "warn", "off"] = "warn"
    delta_on: Literal["verdict", "score"] = "verdict"
    margin: float | None = Field(default=None, gt=0, lt=1)
    window_days: int = Field(default=7, ge=1)
    assertions: tuple[Assertion, ...] = ()


class Optimize(Strict):
    """The optimizer and its budget.

    Attributes:
        targets: What is optimised: the prompt, the rubrics' thresholds, or both.
        optimizer: Plug-in name.
        parameters: Whatever the plug-in takes.
        max_evaluations: Rows scored at most, all splits together.
        patience: Candidates in a row without a better one after which the search stops; 0 is off.
        min_delta: Least gain in pass rate worth a proposal.
        alpha: Level of the one look at the holdout.
        min_rows: Fewest golden rows for prompt optimisation.
        max_length_ratio: Longest candidate, in lengths of the incumbent.
        max_cost_ratio: Dearest candidate, in costs (or, untold, tokens) of the incumbent's answers.
        best_of: Answers per validation row that the headroom check draws, where they can differ.
        teacher: The model that writes prompts, pinned like a target: its input is a question.
        min_score: Validation mean from which the search is content, or null.
        max_calls: Calls of target, judges and teacher at most, or null.
        max_teacher_calls: Questions to the teacher at most, or null.
        max_cost_usd: US dollars at most, as far as calls tell their price, or null.
        max_tokens: Tokens at most, as far as calls tell them, or null.
        max_seconds: Wall time at most, or null; the one limit that depends on the machine.
    """

    targets: tuple[Literal["prompt", "thresholds"], ...] = Field(default=("prompt",), min_length=1)
    optimizer: str = "random"
    parameters: dict[str, Any] = Field(default_factory=dict)
    max_evaluations: int = Field(default=2000, ge=1)
    patience: int = Field(default=0, ge=0)
    min_delta: float = Field(default=0.02, ge=0, le=1)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    min_rows: int = Field(default=40, ge=4)
    max_length_ratio: float = Field(default=2.0, ge=1)
    max_cost_ratio: float = Field(default=2.0, ge=1)
    best_of: int = Field(default=3, ge=1, le=20)
    teacher: Target | None = None
    min_score: float | None = Field(default=None, gt=0, le=1)
    max_calls: int | None = Field(default=None, ge=1)
    max_teacher_calls: int | None = Field(default=None, ge=1)
    max_cost_usd: float | None = Field(default=None, gt=0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_seconds: float | None = Field(default=None, gt=0)
