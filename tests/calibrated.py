"""Calibrations of made-up judges against made-up people, for tests."""

from __future__ import annotations

from typing import Any

from gitloop.core.calibrate import (
    Calibration,
    Evidence,
    FitPolicy,
    LabelRules,
    Pins,
    fit,
    gather,
)
from gitloop.params import Calibrate, Rubric
from tests.labelled import label, labels, scores, traces

RULES = LabelRules("1", 0.6)
GROUNDED = Rubric(name="grounded", version="1", scorer={"local": {}})
BUMPED = Rubric(name="grounded", version="2", scorer={"local": {}})
PINS = Pins("1", "a" * 64, "recorded/1", "b" * 64)


def policy(**changes: Any) -> FitPolicy:  # noqa: ANN401 -- any field of Calibrate
    """The default policy with few resamples, so that a test takes milliseconds."""
    return FitPolicy(Calibrate(**({"bootstraps": 200} | changes)))


def evidence(verdicts: dict[str, str], **other: Any) -> Evidence:  # noqa: ANN401
    """What two annotators who agree say of these traces."""
    rows = [
        label(trace, said, name) for trace, said in verdicts.items() for name in ("amara", "bo")
    ]
    return gather(labels(rows), traces(sorted(verdicts), **other), GROUNDED, RULES)


def calibrated(judged: list[float], passed: list[bool], **changes: Any) -> Calibration:  # noqa: ANN401
    """The calibration of a judge with these scores against people with these verdicts."""
    names = [f"t{n:05}" for n in range(len(judged))]
    verdicts = {
        name: "pass" if verdict else "fail" for name, verdict in zip(names, passed, strict=True)
    }
    given_scores = dict(zip(names, judged, strict=True))
    return fit(evidence(verdicts), scores(given_scores), policy(**changes))


def codes(found: Calibration) -> set[str]:
    """The codes of a calibration's findings."""
    return {finding.code for finding in found.findings}
