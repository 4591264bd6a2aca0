"""gate.json: the report as JSON values, the same for the same inputs to the last byte."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from gitloop.errors import DataError
from gitloop.records import OUTCOMES, Check, GateReport, RubricSummary

SCHEMA = "gitloop.gate/v1"
_DIGITS = 9
_MAX_ROWS = 500  # a list of rows is cut here; its length is told


def plain(value: Any) -> Any:  # noqa: ANN401 -- JSON holds anything
    """The value as JSON values: floats to nine digits, infinity as null, records as objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        rounded = float(f"{value:.{_DIGITS}g}")
        return (rounded or 0.0) if math.isfinite(rounded) else None
    return value


def name(check: Check) -> str:
    """The check in a few words: "delta grounded", "route grounded refund", "ratchet"."""
    return " ".join(part for part in (check.kind, check.rubric, check.slice) if part)


def as_document(report: GateReport, **context: Any) -> dict[str, Any]:  # noqa: ANN401
    """The whole of gate.json.

    DVC shows what lies in objects as metrics, and nothing that lies in lists: so `metrics` and the
    counts are objects, and checks, rubrics and inputs are lists.

    Args:
        report: What the gate says.
        context: Further top-level keys: datasets, baseline, inputs.
    """
    outcomes = Counter(check.outcome for check in report.checks)
    return {
        "schema": SCHEMA,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "exit_code_strict": report.exit_code_strict,
        "n_rows": report.n_rows,
        "failures": [name(check) for check in report.checks if check.outcome == "fail"],
        "n_checks": {outcome: outcomes.get(outcome, 0) for outcome in OUTCOMES},
        "metrics": {summary.name: _metrics(summary) for summary in report.rubrics},
        "checks": plain(report.checks),
        "rubrics": plain(report.rubrics),
        "rows": {
            "n_lost": len(report.lost),
            "n_won": len(report.won),
            "n_failing_new": len(report.failing_new),
            "lost": plain(report.lost[:_MAX_ROWS]),
            "won": plain(report.won[:_MAX_ROWS]),
            "failing_new": plain(report.failing_new[:_MAX_ROWS]),
        },
        **plain(context),
    }


def _metrics(summary: RubricSummary) -> dict[str, Any]:
    """What `dvc metrics diff` compares of one rubric."""
    return {
        "pass_rate": plain(summary.pass_rate),
        "mean_score": plain(summary.mean_score),
        "n_errors": summary.n_errors,
        "n_lost": summary.n_lost,
        "n_won": summary.n_won,
    }


def read_document(value: Any, *, source: str) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """The value as a gate.json.

    Raises:
        DataError: It is none, or one of another version.
    """
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else type(value).__name__
        raise DataError(f"{source} is not {SCHEMA} but {found}", hint="run: dvc repro gate")
    return value
