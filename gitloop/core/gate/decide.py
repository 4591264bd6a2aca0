"""The verdict: every check, and what all of them together ask of CI."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from gitloop.core.gate import assertions, changes, levels, pins, rows
from gitloop.core.gate.cells import cells
from gitloop.core.gate.inputs import GateInputs, Lines
from gitloop.errors import ExitCode
from gitloop.records import CHECK_KINDS, Check, GateReport

SLICES = frozenset(changes.KIND_OF_SLICE.values())
_RANK = {
    int(code): rank
    for rank, code in enumerate(
        (
            ExitCode.OK,
            ExitCode.WARNINGS,
            ExitCode.GATE_FAILED,
            ExitCode.DATA,
            ExitCode.API,
            ExitCode.TIMEOUT,
        )
    )
}


@dataclass(frozen=True, slots=True)
class JudgedCells:
    """The cells of a run and what their verdicts are worth.

    Attributes:
        cells: As `cells.cells` gives them.
        faults: A check per rubric whose verdicts are not valid.
        pinned: Rubrics that golden rows are labelled for and params.yaml pins, sorted.
        usable: Those of them whose verdicts are valid.
        lines: Where scores pass.
    """

    cells: pl.DataFrame
    faults: tuple[Check, ...]
    pinned: list[str]
    usable: list[str]
    lines: Lines


def decide(inputs: GateInputs, judged: JudgedCells | None = None) -> GateReport:
    """The gate's report on one run.

    Args:
        inputs: What the gate reads.
        judged: `judged_cells(inputs)`, where a caller has them already.

    Raises:
        ConfigError: The policy speaks of a metric or rubric that does not exist.
        DataError: A row stands in two golden sets.
    """
    pins.check_policy(inputs.policy, inputs.rubrics)
    found = judged or judged_cells(inputs)
    usable, checks = found.usable, list(found.faults)
    sound = found.cells.filter(pl.col("rubric").is_in(usable))
    checks += pins.data_checks(inputs, found.cells.filter(pl.col("rubric").is_in(found.pinned)))
    checks += levels.error_checks(sound, inputs.max_error_rate)
    checks += pins.judge_checks(inputs, usable)
    checks += levels.floor_checks(inputs, found.cells, usable)
    checks += changes.delta_checks(inputs, sound, usable)
    checks += rows.ratchet_checks(inputs, sound)
    checks += assertions.assertion_checks(inputs, sound, usable)
    ordered = tuple(sorted(checks, key=_order))
    trails = rows.trails(sound)
    return GateReport(
        verdict=verdict(ordered),
        exit_code=exit_code(ordered, is_strict=False),
        exit_code_strict=exit_code(ordered, is_strict=True),
        n_rows=inputs.golden.height,
        checks=ordered,
        rubrics=rows.summaries(inputs, found.cells, found.lines.rubrics),
        lost=trails["lost"],
        won=trails["won"],
        failing_new=trails["failing"],
    )


def judged_cells(inputs: GateInputs) -> JudgedCells:
    """The cells with their verdicts, and which rubrics' verdicts are valid."""
    lines, faults = pins.thresholds(inputs)
    pinned = [name for name in pins.labelled(inputs.golden) if name in inputs.rubrics]
    faults += pins.stale_scores(inputs, pinned)
    broken = {fault.rubric for fault in faults}
    usable = [name for name in pinned if name not in broken]
    return JudgedCells(cells(inputs, lines), tuple(faults), pinned, usable, lines)


def exit_code(checks: Iterable[Check], *, is_strict: bool) -> int:
    """The exit code that the checks ask for together.

    No verdict (7, 6, then 5) outranks a bad verdict (2), which outranks warnings (3), which count
    under --strict only.
    """
    worst = max((check.exit_code for check in checks), key=_RANK.__getitem__, default=0)
    return 0 if worst == ExitCode.WARNINGS and not is_strict else worst


def verdict(checks: Iterable[Check]) -> str:
    """One word: "pass", "warn", "fail" or "none".

    A slice that is too small to tell is named in its check and counts under --strict; alone it
    makes no "warn", or every gate with a small cohort would say so every day.
    """
    kept = list(checks)
    worst = exit_code(kept, is_strict=False)
    if worst:
        return "fail" if worst == ExitCode.GATE_FAILED else "none"
    open_ones = [c for c in kept if c.exit_code == ExitCode.WARNINGS and c.kind not in SLICES]
    return "warn" if open_ones else "pass"


def _order(check: Check) -> tuple[int, str, str, str]:
    return CHECK_KINDS.index(check.kind), check.rubric or "", check.slice or "", check.message
