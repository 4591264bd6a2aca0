"""Calibrations as files: thresholds.json for the gate, metrics.json and curve.csv for DVC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gitloop.core.calibrate.findings import errors, notes, warnings
from gitloop.core.calibrate.results import Calibration
from gitloop.records import THRESHOLDS_SCHEMA, Interval, as_json
from gitloop.stats.thresholds import Confusion, ConfusionRates, Rate, confusion_rates

DIGITS = 6
"""Decimals kept in files: a sum's order must not show."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What a threshold belongs to.

    Attributes:
        rubric_version: Version of the rubric.
        rubric_sha256: Digest of its content.
        judge: Kind, version and model of the judge, as in the scores table.
        judge_sha256: Digest of the rubric's content and the judge's whole pin.
    """

    rubric_version: str
    rubric_sha256: str
    judge: str
    judge_sha256: str


def thresholds(
    calibrations: Iterable[Calibration], pins: Mapping[str, Pins], params: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of thresholds.json, schema gitloop.thresholds/v1: no clock, no path, no host.

    Args:
        calibrations: One per rubric.
        pins: Rubric → what its threshold belongs to.
        params: The parameters that decided the result, to be repeated.
    """
    rubrics = {found.rubric: _entry(found) | asdict(pins[found.rubric]) for found in calibrations}
    return {"schema": THRESHOLDS_SCHEMA, "params": dict(params), "rubrics": rubrics}


def metrics(calibrations: Iterable[Calibration]) -> dict[str, dict[str, float | int | None]]:
    """The numbers that `dvc metrics diff` compares: rubric → metric → value."""
    found = {}
    for calibration in calibrations:
        rates = _rates(calibration)
        found[calibration.rubric] = {
            "threshold": _short(calibration.threshold),
            "objective": _short(calibration.objective_value),
            "cross_fitted": _short(calibration.cross_fitted_value),
            "auroc": _short(calibration.discrimination.auroc),
            "kappa": _short(rates.kappa) if rates else None,
            "n": calibration.n,
            "n_positive": calibration.n_positive,
            "n_warnings": len(warnings(calibration.findings)),
        }
    return found


def curve_csv(calibrations: Iterable[Calibration]) -> str:
    """Every threshold of every rubric as CSV, for `dvc plots`."""
    lines = ["rubric,threshold,value,low,high,tp,fp,fn,tn"]
    for calibration in calibrations:
        for point in calibration.curve:
            low, high = point.interval or (None, None)
            cells = [point.threshold, point.value, low, high]
            counts = (
                point.confusion.tp,
                point.confusion.fp,
                point.confusion.fn,
                point.confusion.tn,
            )
            shown = ["" if cell is None else repr(_short(cell)) for cell in cells]
            lines.append(",".join([calibration.rubric, *shown, *map(str, counts)]))
    return "\n".join(lines) + "\n"


def _entry(found: Calibration) -> dict[str, Any]:
    rates = _rates(found)
    ranking = found.discrimination
    return {
        "status": found.status,
        "threshold": _short(found.threshold),
        "comparison": found.comparison,
        "interval": _interval(found.interval),
        "objective": found.objective,
        "objective_value": _short(found.objective_value),
        "objective_interval": _interval(found.objective_interval),
        "cross_fitted_value": _short(found.cross_fitted_value),
        "optimism": _short(found.optimism),
        "plateau": list(found.plateau) if found.plateau else None,
        "n": found.n,
        "n_positive": found.n_positive,
        "n_groups": found.n_groups,
        "n_unscored": found.n_unscored,
        "confusion": asdict(found.confusion) if found.confusion else None,
        "cross_fitted_confusion": (
            asdict(found.cross_fitted_confusion) if found.cross_fitted_confusion else None
        ),
        "sensitivity": _rate(rates.sensitivity) if rates else None,
        "specificity": _rate(rates.specificity) if rates else None,
        "kappa": _short(rates.kappa) if rates else None,
        "auroc": _short(ranking.auroc),
        "auroc_interval": _interval(ranking.interval),
        "p_useless": _short(ranking.p_useless),
        "agreement": _short(found.agreement.value),
        "holdout": as_json(found.holdout),
        "abstention": as_json(found.abstention),
        "annotators": list(found.annotators),
        "label_sha256": found.label_sha256,
        "reason": found.reason,
        "errors": [asdict(finding) for finding in errors(found.findings)],
        "warnings": [asdict(finding) for finding in warnings(found.findings)],
        "notes": [asdict(finding) for finding in notes(found.findings)],
        "routes": {route: _entry(part) for route, part in sorted(found.routes.items())},
    }


def _rates(found: Calibration) -> ConfusionRates | None:
    """The rates of verdicts on rows that did not choose the threshold, where there are such."""
    confusion: Confusion | None = found.cross_fitted_confusion or found.confusion
    return confusion_rates(confusion) if confusion else None


def _rate(rate: Rate | None) -> dict[str, float] | None:
    if rate is None:
        return None
    return {
        "value": round(rate.value, DIGITS),
        "low": round(rate.interval.low, DIGITS),
        "high": round(rate.interval.high, DIGITS),
        "hits": rate.hits,
        "n": rate.n,
    }


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return asdict(interval) | {
        "low": round(interval.low, DIGITS),
        "high": round(interval.high, DIGITS),
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
