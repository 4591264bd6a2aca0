"""What calibration finds for one rubric."""

from __future__ import annotations

from dataclasses import dataclass, field

from gitloop.core.calibrate.abstention import Abstention
from gitloop.core.calibrate.findings import Finding, errors, warnings
from gitloop.records import HoldoutCheck, Interval
from gitloop.stats.agreement import Agreement
from gitloop.stats.calibration import Discrimination
from gitloop.stats.thresholds import Confusion


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The objective at one threshold.

    Attributes:
        threshold: In [0, 1].
        value: The objective on all rows; None where it is undefined.
        interval: Pointwise bootstrap bounds (low, high), or None.
        confusion: Judge against people there.
    """

    threshold: float
    value: float | None
    interval: tuple[float, float] | None
    confusion: Confusion


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was found for one rubric.

    Attributes:
        rubric: The rubric.
        threshold: Score from which an output passes, [0, 1]; None where there is none.
        comparison: ">=" or ">".
        interval: Bootstrap interval of the threshold, or None.
        objective: What was maximised.
        objective_value: The objective at the threshold, on the rows that chose it: optimistic.
        objective_interval: Of the objective at the best threshold there is, or None.
        cross_fitted_value: The objective on rows that did not choose the threshold, or None.
        optimism: `objective_value` minus `cross_fitted_value`, or None.
        plateau: First and last of the neighbouring thresholds that do as well, or None.
        n: Items with a verdict and a score.
        n_positive: Items that people pass.
        n_groups: Independent groups among them.
        n_unscored: Items with a verdict and no score.
        confusion: At the threshold, on the rows that chose it; None without a threshold.
        cross_fitted_confusion: Of held-out verdicts; None where a fold has no threshold.
        discrimination: Whether scores rank passes above fails, at no particular threshold.
        annotators: Who labelled, sorted.
        label_sha256: Digest of the labels.
        agreement: How often two annotators say the same.
        holdout: Judge against people on labels that nothing learned from, or None.
        abstention: How near the line the judge should not decide, or None when nobody asked.
        curve: Every threshold tried, rising.
        findings: Errors first.
        routes: Route → the same for its rows alone; empty unless params.yaml asks for it.
    """

    rubric: str
    threshold: float | None
    comparison: str
    interval: Interval | None
    objective: str
    objective_value: float | None
    objective_interval: Interval | None
    cross_fitted_value: float | None
    optimism: float | None
    plateau: tuple[float, float] | None
    n: int
    n_positive: int
    n_groups: int
    n_unscored: int
    confusion: Confusion | None
    cross_fitted_confusion: Confusion | None
    discrimination: Discrimination
    annotators: tuple[str, ...]
    label_sha256: str
    agreement: Agreement
    holdout: HoldoutCheck | None
    abstention: Abstention | None
    curve: tuple[CurvePoint, ...]
    findings: tuple[Finding, ...]
    routes: dict[str, Calibration] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why there is no threshold; "" when there is one."""
        return "; ".join(finding.message for finding in errors(self.findings))

    @property
    def status(self) -> str:
        """One of calibrated, warned (a threshold with findings) and uncalibrated (none)."""
        if self.threshold is None:
            return "uncalibrated"
        return "warned" if warnings(self.findings) else "calibrated"
