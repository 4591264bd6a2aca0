"""thresholds.json, as far as others than `calibrate` need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gitloop.errors import DataError
from gitloop.records.intervals import Interval

THRESHOLDS_SCHEMA = "gitloop.thresholds/v1"
_DIGITS = 9


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
    return Threshold(
        rubric=rubric,
        interval=Interval(**entry["interval"]) if entry["interval"] else None,
        confusion=tuple(counts[name] for name in ("tp", "fp", "fn", "tn")) if counts else None,
        warnings=tuple(warning["message"] for warning in entry["warnings"]),
        routes={
            route: part["threshold"]
            for route, part in entry.get("routes", {}).items()
            if part["threshold"] is not None
        },
        **{name: entry[name] for name in _PLAIN_FIELDS},
    )


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
