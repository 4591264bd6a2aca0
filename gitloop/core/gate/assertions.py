"""Assertions: a person's own conditions on the metrics of a run. One without results is an error.

Metrics and operators are those of the `fi` command line, so that its files carry over; percentiles
are linearly interpolated as there, and get an order-statistic interval. A result is a golden row
under one rubric, its replicates collapsed; runtimes are seconds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import polars as pl

from gitloop.core.gate.inputs import GateInputs
from gitloop.core.gate.levels import LEVEL
from gitloop.core.gate.measures import column, groups, rate_interval
from gitloop.documents import nearest
from gitloop.errors import ExitCode
from gitloop.params import Assertion
from gitloop.records import Check, Interval
from gitloop.stats.distributions import FloatArray
from gitloop.stats.intervals import mean_interval, percentile_interval

_SAME = 1e-9  # two figures closer than this are equal, in every operator
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": lambda a, b: a >= b - _SAME,
    "<=": lambda a, b: a <= b + _SAME,
    "==": lambda a, b: abs(a - b) <= _SAME,
    "!=": lambda a, b: abs(a - b) > _SAME,
    ">": lambda a, b: a > b + _SAME,
    "<": lambda a, b: a < b - _SAME,
}
_QUANTILES = {"p50_score": 0.5, "p90_score": 0.9, "p95_score": 0.95, "runtime_p95": 0.95}


def assertion_checks(inputs: GateInputs, cells: pl.DataFrame, usable: list[str]) -> list[Check]:
    """One check per assertion, in the order of params.yaml."""
    judged = cells.filter(pl.col("verdict").is_not_null() & pl.col("rubric").is_in(usable))
    return [_assertion(inputs, judged, item) for item in inputs.policy.assertions]


def describe(assertion: Assertion) -> str:
    """The assertion as a line: "groundedness on refund: pass_rate >= 0.9"."""
    where = assertion.rubric or "all rubrics"
    where += f" on {assertion.route}" if assertion.route else ""
    if assertion.op == "between":
        return f"{where}: {assertion.value:g} <= {assertion.metric} <= {assertion.upper:g}"
    return f"{where}: {assertion.metric} {assertion.op} {assertion.value:g}"


def _assertion(inputs: GateInputs, judged: pl.DataFrame, assertion: Assertion) -> Check:
    results = judged
    if assertion.rubric is not None:
        results = results.filter(pl.col("rubric") == assertion.rubric)
    if assertion.route is not None:
        results = results.filter(pl.col("route") == assertion.route)
    told = describe(assertion)
    values, interval = _measured(inputs, results, assertion)
    if values is None:
        message = f"{told}: there is no result to measure{_why(inputs, judged, assertion)}"
        return _check(assertion, "error", ExitCode.DATA, message)
    observed, n = values
    holds = _holds(assertion, observed)
    outcome = "pass" if holds else assertion.on_fail
    code = {"pass": ExitCode.OK, "fail": ExitCode.GATE_FAILED}.get(outcome, ExitCode.WARNINGS)
    message = f"{told} {'holds' if holds else 'is broken'}: it is {observed:.6g}"
    return _check(assertion, outcome, code, message, measured=(observed, n, interval))


def _check(
    assertion: Assertion,
    outcome: str,
    code: ExitCode,
    message: str,
    *,
    measured: tuple[float, int, Interval | None] | None = None,
) -> Check:
    observed, n, interval = measured or (None, 0, None)
    effect = observed - assertion.value if observed is not None else None
    return Check(
        "assertion",
        assertion.rubric,
        assertion.route,
        outcome,
        int(code),
        message,
        n=n,
        observed=observed,
        bound=assertion.value,
        effect=effect,
        interval=interval,
        method=assertion.metric,
    )


def _holds(assertion: Assertion, observed: float) -> bool:
    if assertion.op == "between":
        upper = assertion.value if assertion.upper is None else assertion.upper
        return _COMPARE[">="](observed, assertion.value) and _COMPARE["<="](observed, upper)
    return _COMPARE[assertion.op](observed, assertion.value)


def _why(inputs: GateInputs, judged: pl.DataFrame, assertion: Assertion) -> str:
    """What may be the reason for an assertion without results, as the end of a sentence."""
    if assertion.metric.startswith("runtime"):
        return "; local judges and python targets are not timed"
    routes = sorted(inputs.golden["route"].drop_nulls().unique().to_list())
    if assertion.route is not None and assertion.route not in routes:
        like = nearest(assertion.route, routes)
        known = ", ".join(routes) or "none"
        meant = f"; did you mean {like}" if like else ""
        return f"; no golden row has that route{meant} (known: {known})"
    return "" if judged.height else "; no rubric has valid scores"


def _measured(
    inputs: GateInputs, results: pl.DataFrame, assertion: Assertion
) -> tuple[tuple[float, int] | None, Interval | None]:
    """((observed, n), interval), or (None, None) where there is nothing to measure."""
    metric = assertion.metric
    if metric.startswith("runtime"):
        seconds = _seconds(inputs, results, assertion)
        return _figure(metric, seconds, None)
    if not results.height:
        return None, None
    verdicts, codes = column(results, "verdict"), groups(results)
    passed = int((verdicts >= 0.5).sum())
    counts = {
        "passed_count": passed,
        "failed_count": results.height - passed,
        "total_count": results.height,
    }
    if metric in counts:
        return (float(counts[metric]), results.height), None
    if metric in {"pass_rate", "total_pass_rate"}:
        return (float(verdicts.mean()), verdicts.size), rate_interval(verdicts, codes, LEVEL)
    return _figure(metric, column(results, "score"), codes)


def _figure(
    metric: str, values: FloatArray, codes: list[int] | None
) -> tuple[tuple[float, int] | None, Interval | None]:
    """The metric of some values, with the interval that suits it."""
    if not values.size:
        return None, None
    interval: Interval | None = None
    if metric in _QUANTILES:
        observed = float(np.quantile(values, _QUANTILES[metric]))
        interval = percentile_interval(values, _QUANTILES[metric], level=LEVEL)
    elif metric in {"avg_score", "runtime_avg"}:
        observed = float(values.mean())
        bounds = (0.0, 1.0) if metric == "avg_score" else None
        interval = mean_interval(values, groups=codes, level=LEVEL, bounds=bounds)
    else:
        pick = operator.methodcaller("min" if metric == "min_score" else "max")
        observed = float(pick(values))
    return (observed, values.size), interval


def _seconds(inputs: GateInputs, results: pl.DataFrame, assertion: Assertion) -> FloatArray:
    """Mean seconds per row: of the judge where a rubric is named, else of the target."""
    table = inputs.outputs
    if assertion.rubric is not None:
        table = inputs.scores.filter(pl.col("rubric") == assertion.rubric)
    timed = (
        table.filter(pl.col("latency_s").is_not_null())
        .join(results.select(item_id="row_id").unique(), on="item_id", how="semi")
        .sort("item_id", "replicate")
        .group_by("item_id", maintain_order=True)
        .agg(pl.col("latency_s").mean())
    )
    return column(timed, "latency_s")
