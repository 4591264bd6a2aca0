"""What holds for every run: order, threshold, promotion and bytes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.gate import GateInputs, as_document, decide
from gitloop.params import Gate
from gitloop.records import GateReport
from tests.gate_cases import calibrated, gate_inputs, rubric

SCORES = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=12, max_size=40)
ROUTES = ("refund", "billing", "shipping")


@st.composite
def runs(draw: st.DrawFn) -> GateInputs:
    """A run and its baseline over the same rows, some of them in groups, on three routes."""
    now = draw(SCORES)
    before = draw(st.lists(st.sampled_from(now), min_size=len(now), max_size=len(now)))
    shared = draw(st.integers(1, 3))
    return gate_inputs(
        now,
        before,
        route=[ROUTES[i % 3] for i in range(len(now))],
        group_id=[f"g{i // shared}" for i in range(len(now))],
    )


@settings(deadline=None, max_examples=25)
@given(runs(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(inputs: GateInputs, seed: int) -> None:
    """Shuffled tables give the same gate.json, byte for byte."""
    rng = np.random.default_rng(seed)

    def shuffled(table: pl.DataFrame) -> pl.DataFrame:
        order = pl.Series(rng.permutation(table.height))
        return table.select(pl.all().gather(order))

    mixed = replace(
        inputs,
        golden=shuffled(inputs.golden),
        scores=shuffled(inputs.scores),
        outputs=shuffled(inputs.outputs),
        baseline=tuple(replace(run, scores=shuffled(run.scores)) for run in inputs.baseline),
    )
    assert text(decide(mixed)) == text(decide(inputs))


@settings(deadline=None, max_examples=25)
@given(runs(), st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_a_higher_threshold_never_passes_more(inputs: GateInputs, bounds: tuple[int, int]) -> None:
    """The pass rate falls, or stays, as the threshold rises; so does what a floor allows."""
    low, high = sorted(bounds)
    rates = []
    for bound in (low, high):
        pinned = rubric(calibrated=calibrated(threshold=bound / 20))
        rates.append(decide(replace(inputs, rubrics={"grounded": pinned})).rubrics[0].pass_rate)
    assert rates[0] is not None
    assert rates[1] is not None
    assert rates[1] <= rates[0]


@settings(deadline=None, max_examples=25)
@given(SCORES, st.integers(0, 30))
def test_promoting_rows_never_changes_the_delta(figures: list[float], n_hard: int) -> None:
    """New rows that fail, however many, leave every paired check as it was."""
    before = list(reversed(figures))
    policy = Gate(slices=())
    plain = decide(gate_inputs(figures, before, policy=policy))
    grown = decide(gate_inputs([*figures, *[0.0] * n_hard], before, policy=policy))
    assert [c for c in grown.checks if c.kind == "delta"] == [
        c for c in plain.checks if c.kind == "delta"
    ]
    assert grown.lost == plain.lost


@settings(deadline=None, max_examples=25)
@given(runs())
def test_every_figure_is_in_its_range(inputs: GateInputs) -> None:
    """Rates and p-values lie in [0, 1], effects in [-1, 1], and bounds enclose the effect."""
    for check in decide(inputs).checks:
        for figure in (check.observed, check.baseline, check.p, check.p_adjusted, check.mde):
            assert figure is None or 0.0 <= figure <= 1.0
        if check.p is not None and check.p_adjusted is not None:
            assert check.p <= check.p_adjusted + 1e-12
        if check.kind in {"delta", "route"} and check.interval and check.effect is not None:
            assert check.interval.low - 1e-9 <= check.effect <= check.interval.high + 1e-9


@settings(deadline=None, max_examples=25)
@given(runs())
def test_the_same_run_as_the_baseline_never_blocks(inputs: GateInputs) -> None:
    """A run compared with itself loses nothing and fails no paired check."""
    twin = replace(inputs.baseline[0], scores=inputs.scores, outputs=inputs.outputs)
    report = decide(replace(inputs, baseline=(twin,)))
    paired = [check for check in report.checks if check.kind in {"delta", "route", "ratchet"}]
    assert all(check.outcome in {"pass", "inconclusive"} for check in paired)
    assert report.lost == ()


def text(report: GateReport) -> str:
    """The report as it is written."""
    return json.dumps(as_document(report), sort_keys=True, allow_nan=False)
