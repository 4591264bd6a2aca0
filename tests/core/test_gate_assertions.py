"""Assertions: thirteen metrics, seven operators, and no way to pass without a result."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from gitloop.core.gate import GateInputs, decide
from gitloop.errors import ConfigError
from gitloop.params import Assertion, Gate
from gitloop.records import Check, GateReport
from tests.gate_cases import gate_inputs


def only(report: GateReport) -> Check:
    """The one assertion of the report."""
    (found,) = [check for check in report.checks if check.kind == "assertion"]
    return found


METRIC_VALUES = {
    "pass_rate": 0.6,
    "avg_score": 0.52,
    "min_score": 0.1,
    "max_score": 1.0,
    "p50_score": 0.55,
    "p90_score": 0.91,
    "p95_score": 0.955,
    "passed_count": 6.0,
    "failed_count": 4.0,
    "total_count": 10.0,
    "total_pass_rate": 0.6,
}
TEN = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6, 0.9, 1.0]


@pytest.mark.parametrize(("metric", "value"), METRIC_VALUES.items())
def test_assertion_metrics(metric: str, value: float) -> None:
    """Each metric has the value that a hand computation of ten scores gives."""
    inputs = gate_inputs(TEN, policy=Gate(assertions=(Assertion(metric=metric, value=value),)))
    check = only(decide(_timed(inputs)))
    assert check.observed == pytest.approx(value)
    assert check.outcome == "pass"


@pytest.mark.parametrize(("metric", "value"), [("runtime_avg", 5.5), ("runtime_p95", 9.55)])
def test_assertions_on_runtime(metric: str, value: float) -> None:
    """Runtimes are the target's seconds per row."""
    inputs = gate_inputs(TEN, policy=Gate(assertions=(Assertion(metric=metric, value=value),)))
    assert only(decide(_timed(inputs))).observed == pytest.approx(value)


def _timed(inputs: GateInputs) -> GateInputs:
    seconds = pl.Series("latency_s", [float(i + 1) for i in range(inputs.outputs.height)])
    return replace(inputs, outputs=inputs.outputs.with_columns(seconds))


@pytest.mark.parametrize(
    ("op", "value", "holds"),
    [
        (">=", 0.6, True),
        (">", 0.6, False),
        ("<=", 0.6, True),
        ("<", 0.6, False),
        ("==", 0.6, True),
        ("!=", 0.6, False),
        (">=", 0.61, False),
        ("!=", 0.5, True),
    ],
)
def test_assertion_operators(op: str, value: float, holds: bool) -> None:
    """Each operator holds or breaks at a pass rate of 0.6."""
    item = Assertion.model_validate({"metric": "pass_rate", "op": op, "value": value})
    check = only(decide(gate_inputs(TEN, policy=Gate(assertions=(item,)))))
    assert check.outcome == ("pass" if holds else "fail")
    assert check.exit_code == (0 if holds else 2)


@pytest.mark.parametrize(("upper", "outcome"), [(0.7, "pass"), (0.6, "pass"), (0.55, "warn")])
def test_an_assertion_between_two_bounds(upper: float, outcome: str) -> None:
    """Both ends belong to between, and on_fail: warn only warns."""
    item = Assertion(metric="pass_rate", op="between", value=0.5, upper=upper, on_fail="warn")
    check = only(decide(gate_inputs(TEN, policy=Gate(assertions=(item,)))))
    assert check.outcome == outcome


def test_a_percentile_says_what_it_does_not_know() -> None:
    """The 95th percentile of ten scores has no upper limit."""
    item = Assertion(metric="p95_score", value=0.1)
    check = only(decide(gate_inputs(TEN, policy=Gate(assertions=(item,)))))
    assert check.interval is not None
    assert check.interval.high == float("inf")


@pytest.mark.parametrize(
    "item",
    [
        Assertion(metric="runtime_avg", value=1.0),
        Assertion(metric="pass_rate", route="refnud", value=0.5, on_fail="warn"),
    ],
)
def test_an_assertion_without_results_is_an_error(item: Assertion) -> None:
    """What nothing was measured for exits 5, whatever on_fail says."""
    inputs = gate_inputs(TEN, policy=Gate(assertions=(item,)), route=["refund"] * 10)
    assert decide(inputs).exit_code == 5


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"assertions": [{"metric": "pas_rate", "value": 0.5}]}, "did you mean pass_rate"),
        (
            {"assertions": [{"metric": "pass_rate", "rubric": "grounded2", "value": 0.5}]},
            "did you mean grounded",
        ),
        ({"assertions": [{"metric": "pass_rate", "op": "between", "value": 0.5}]}, "needs upper"),
        ({"assertions": [{"metric": "pass_rate", "value": 0.5, "upper": 0.6}]}, "between only"),
        (
            {"assertions": [{"metric": "pass_rate", "op": "between", "value": 0.5, "upper": 0.1}]},
            "below value",
        ),
        (
            {"assertions": [{"metric": "total_pass_rate", "rubric": "grounded", "value": 0.5}]},
            "whole run",
        ),
        ({"floors": {"tone": 0.5}}, "tone, which is not known"),
        ({"floors": {"grounded": 1.5}}, "lies in"),
    ],
)
def test_a_policy_about_nothing_is_refused(policy: dict[str, object], words: str) -> None:
    """A misspelt metric or rubric, or a broken range, is a ConfigError that names the nearest."""
    with pytest.raises(ConfigError, match=words):
        decide(gate_inputs(TEN, policy=Gate.model_validate(policy)))
