"""Trials of the gate itself: judge noise, broken outputs, rows needed. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from gitloop.core.gate import (
    MUTATIONS,
    GateInputs,
    Proof,
    RowsNeeded,
    SelfTest,
    broken,
    judged_cells,
    rows_needed,
    self_test,
)
from gitloop.core.gate import prove as prove_core
from gitloop.core.score import cases_of, rubrics_of, selected
from gitloop.errors import DataError
from gitloop.evaluation import call_store, judge_selected, open_judge, settle_refresh
from gitloop.protocols import Progress, silent
from gitloop.records import Case
from gitloop.steps.gate.loading import Loaded, load
from gitloop.storage.runs import OUTPUTS
from gitloop.workspace import Workspace

_CALLS = "loop/score/calls.parquet"


@dataclass(frozen=True, slots=True)
class ProofReport:
    """What the gate made of broken outputs.

    Attributes:
        proofs: One per way to break them.
        n_rows: Golden rows of the run.
    """

    proofs: tuple[Proof, ...]
    n_rows: int

    @property
    def is_proven(self) -> bool:
        """Whether the gate caught every way to break the outputs."""
        return all(proof.is_caught for proof in self.proofs)


@dataclass(frozen=True, slots=True)
class PowerReport:
    """What the golden set can show.

    Attributes:
        loss: The loss to be seen.
        power: With what chance.
        lines: One per rubric and slice.
    """

    loss: float
    power: float
    lines: tuple[RowsNeeded, ...]


def aa(
    directory: Path, *, repeats: int, n_rows: int | None = None, progress: Progress = silent
) -> SelfTest:
    """Judge the recorded outputs again, and say how far each judge agrees with itself.

    Args:
        directory: A directory in the repository.
        repeats: Judgements of each output, ≥ 2.
        n_rows: Rows to judge, or None for all; the rows with the lowest ids are taken.
        progress: Told how far it has come.

    Raises:
        DataError: There is no output to judge.
        StaleError: calls.mode is replay, and a repetition was never recorded.
    """
    workspace, loaded = _open(directory)
    cases = _cases(loaded, n_rows)
    pure = {name: open_judge(workspace, name).judge.is_pure for name in _usable(loaded)}
    rubrics = _rubrics(loaded, list(pure))
    asked: dict[str, list[Case]] = {}
    for name, mine in selected(cases, rubrics).items():
        times = 1 if pure[name] else repeats
        asked[name] = [replace(case, replicate=r) for case in mine for r in range(times)]
    store = call_store(workspace, _CALLS)
    repeated = judge_selected(workspace, asked, store, progress)
    settle_refresh(workspace, "loop/gate", store)
    ids = {case.item_id for case in cases}
    return self_test(_only(loaded, ids), repeated, pure)


def prove(directory: Path, *, progress: Progress = silent) -> ProofReport:
    """Break the recorded outputs in every way of `MUTATIONS`, judge them, and gate them.

    Raises:
        DataError: There is no output to break.
    """
    workspace, loaded = _open(directory)
    cases = {case.item_id: case for case in _cases(loaded, None)}
    rubrics = _rubrics(loaded, _usable(loaded))
    store = call_store(workspace, _CALLS)
    proofs = []
    for mutation in MUTATIONS:
        texts = broken(loaded.inputs.outputs, loaded.inputs.golden, mutation)
        changed = [replace(cases[row_id], output=text) for row_id, text in texts.items()]
        rejudged = judge_selected(workspace, selected(changed, rubrics), store, progress)
        proofs.append(prove_core(loaded.inputs, mutation, rejudged))
    settle_refresh(workspace, "loop/gate", store)
    return ProofReport(tuple(proofs), loaded.inputs.golden.height)


def power(directory: Path, *, loss: float, power: float) -> PowerReport:
    """Say how many rows each rubric, route and cohort needs to show a loss.

    Args:
        directory: A directory in the repository.
        loss: The loss to be seen, as a difference of pass rates in (0, 1).
        power: With what chance, (0, 1).
    """
    _, loaded = _open(directory)
    return PowerReport(loss, power, rows_needed(loaded.inputs, loss=loss, power=power))


def _open(directory: Path) -> tuple[Workspace, Loaded]:
    workspace = Workspace(directory)
    return workspace, load(workspace)


def _usable(loaded: Loaded) -> list[str]:
    """Rubrics whose scores and thresholds are valid."""
    judged = judged_cells(loaded.inputs)
    if not judged.usable:
        why = "; ".join(fault.message for fault in judged.faults) or "no golden row has a label"
        raise DataError(f"no rubric can be tried: {why}", hint="run: dvc repro")
    return judged.usable


def _rubrics(loaded: Loaded, usable: list[str]) -> Mapping[str, list[str]]:
    """row_id → the usable rubrics of its labels."""
    found = rubrics_of(loaded.inputs.golden)
    return {row: [name for name in names if name in usable] for row, names in found.items()}


def _cases(loaded: Loaded, n_rows: int | None) -> list[Case]:
    """Golden rows with the first good output of each, by row_id."""
    outputs = loaded.inputs.outputs.filter(
        (pl.col("status") == "ok") & (pl.col("replicate") == 0) & pl.col("output").is_not_null()
    )
    said = dict(outputs.select("item_id", "output").iter_rows())
    cases = [
        replace(case, output=said[case.item_id])
        for case in cases_of(loaded.inputs.golden.sort("row_id"))
        if case.item_id in said
    ]
    if not cases:
        raise DataError(f"{OUTPUTS} holds no output of a golden row", hint="run: dvc repro score")
    return cases[:n_rows]


def _only(loaded: Loaded, ids: set[str]) -> GateInputs:
    """The inputs, narrowed to these rows."""
    inputs, kept = loaded.inputs, sorted(ids)
    return replace(
        inputs,
        golden=inputs.golden.filter(pl.col("row_id").is_in(kept)),
        outputs=inputs.outputs.filter(pl.col("item_id").is_in(kept)),
    )
