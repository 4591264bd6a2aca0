"""thresholds.json, as far as others than `calibrate` need it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from gitloop.errors import DataError
from gitloop.records.intervals import Interval

THRESHOLDS_SCHEMA = "gitloop.thresholds/v1"
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class HoldoutCheck:
    """Judge against people on the pinned human holdout.

    Attributes:
        n: Held-out items with a verdict and a score.
        n_disagree: Items on which judge and people differ.
        disagreement: `n_disagree` / `n`.
        interval: Wilson's interval of it.
        human_disagreement: How often two annotators differ, or None where that is unknown.
        is_alarming: Whether the judge surely differs from people more than they from each other.
    """

    n: int
    n_disagree: int
    disagreement: float
    interval: Interval
    human_disagreement: float | None
    is_alarming: bool


@dataclass(frozen=True, slots=True)
class Threshold:
    """A rubric's entry in thresholds.json, as far as others than `calibrate` need it.

    Attributes:
        rubric: The rubric.
        threshold: Score from which an output passes, [0, 1]; None where calibration found none.
        comparison: ">=" or ">".
        status: "calibrated", "warned" (a threshold with findings) or "uncalibrated" (none).
        reason: Why there is no threshold; "" when there is one.
        rubric_version: Version of the rubric that was calibrated.
        rubric_sha256: Digest of that rubric's content.
        judge: The judge that was calibrated, as in the scores table.
        judge_sha256: Digest of the rubric's content and the judge's whole pin.
        interval: Of the threshold, or None.
        n: Labelled and scored items.
        n_positive: Items among them that people pass.
        confusion: (tp, fp, fn, tn) of judge against people on rows that did not choose the
            threshold (where folds allowed it), "pass" being positive; None without a threshold.
        warnings: What a reader must know, one sentence each.
        routes: Route → its own threshold, where params.yaml asks for one and there is one.
        holdout: The judge on labels that nothing learned from, or None.
        abstains: Route, or None for all others → confidence under which the judge should not
            decide: 0 is never, infinity always, because no promise can be kept.
        max_judge_error: What `abstains` promises, or None where nobody asked.
    """

    rubric: str
    threshold: float | None
    comparison: str
    status: str
    reason: str
    rubric_version: str
    rubric_sha256: str
    judge: str
    judge_sha256: str
    interval: Interval | None
    n: int
    n_positive: int
    confusion: tuple[int, int, int, int] | None
    warnings: tuple[str, ...]
    routes: dict[str, float] = field(default_factory=dict)
    holdout: HoldoutCheck | None = None
    abstains: dict[str | None, float] = field(default_factory=dict)
    max_judge_error: float | None = None

    def on(self, route: str | None) -> float | None:
        """The threshold for rows of a route: its own, or the rubric's."""
        return self.threshold if route is None else self.routes.get(route, self.threshold)

    def passes(self, score: float, route: str | None = None) -> bool:
        """Whether a score passes, compared as decimals: 0.1 + 0.2 passes a threshold of 0.3.

        Args:
            score: In [0, 1].
            route: The row's route, whose own threshold counts where it has one.

        Raises:
            DataError: The rubric has no threshold.
        """
        threshold = self.on(route)
        if threshold is None:
            raise DataError(
                f"rubric {self.rubric} has no threshold: {self.reason}",
                hint="run: gitloop calibrate",
            )
        rounded, line = round(score, _DIGITS), round(threshold, _DIGITS)
        return rounded > line if self.comparison == ">" else rounded >= line

    def is_unsure(self, score: float, route: str | None = None) -> bool:
        """Whether the score lies so near the line that a person should decide."""
        threshold = self.on(route)
        least = self.abstains.get(route if route in self.routes else None, 0.0)
        return threshold is not None and confidence(score, threshold) < round(least, _DIGITS)

    @property
    def sensitivity(self) -> tuple[int, int] | None:
        """(judge passes, rows) of the rows that people pass."""
        if self.confusion is None:
            return None
        tp, _, fn, _ = self.confusion
        return tp, tp + fn

    @property
    def specificity(self) -> tuple[int, int] | None:
        """(judge fails, rows) of the rows that people fail."""
        if self.confusion is None:
            return None
        _, fp, _, tn = self.confusion
        return tn, tn + fp


def confidence(score: float, threshold: float) -> float:
    """How far a score is from the line, as a share of the way to the end of its side, [0, 1].

    A line at 0.7 leaves passes less room than fails: 0.8 is as far up as 0.47 is down.
    """
    room = 1.0 - threshold if score >= threshold else threshold
    return round(abs(score - threshold) / room, _DIGITS) if room > 0.0 else 1.0


def parse_thresholds(value: Any) -> dict[str, Threshold]:  # noqa: ANN401 -- JSON holds anything
    """The thresholds in the JSON value of thresholds.json: rubric → threshold.

    Raises:
        DataError: It has another schema, or an entry lacks something.
    """
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != THRESHOLDS_SCHEMA:
        raise DataError(
            f"loop/calibrate/thresholds.json has schema {schema!r}, not {THRESHOLDS_SCHEMA}",
            hint="run: dvc repro calibrate",
        )
    try:
        return {name: _threshold(name, entry) for name, entry in value["rubrics"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"loop/calibrate/thresholds.json is incomplete: {error}",
            hint="run: dvc repro --force calibrate",
        ) from error


def _threshold(rubric: str, entry: dict[str, Any]) -> Threshold:
    counts = entry["cross_fitted_confusion"] or entry["confusion"]
    parts = entry.get("routes", {})
    routes = {route: part for route, part in parts.items() if part["threshold"] is not None}
    return Threshold(
        rubric=rubric,
        interval=Interval(**entry["interval"]) if entry["interval"] else None,
        confusion=tuple(counts[name] for name in ("tp", "fp", "fn", "tn")) if counts else None,
        warnings=tuple(warning["message"] for warning in entry["warnings"]),
        routes={route: part["threshold"] for route, part in routes.items()},
        holdout=_holdout(entry.get("holdout")),
        max_judge_error=(entry.get("abstention") or {}).get("max_error"),
        abstains={None: _least_confidence(entry)}
        | {name: _least_confidence(part) for name, part in routes.items()},
        **{name: entry[name] for name in _PLAIN_FIELDS},
    )


def _holdout(value: dict[str, Any] | None) -> HoldoutCheck | None:
    return HoldoutCheck(**value | {"interval": Interval(**value["interval"])}) if value else None


def _least_confidence(entry: dict[str, Any]) -> float:
    """The confidence under which the judge abstains; infinity where no promise can be kept."""
    promised = entry.get("abstention")
    if promised is None:
        return 0.0
    least: float | None = promised["confidence"]
    return math.inf if least is None else least


_PLAIN_FIELDS = (
    "threshold",
    "comparison",
    "status",
    "reason",
    "rubric_version",
    "rubric_sha256",
    "judge",
    "judge_sha256",
    "n",
    "n_positive",
)
