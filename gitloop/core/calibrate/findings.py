"""What can be wrong with labels, scores and a threshold, each in one sentence.

An error leaves no threshold; a warning stands beside one; a note is nothing to worry about. All
are printed, written to thresholds.json and shown in the judge card.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ERROR, WARNING, NOTE = SEVERITIES = ("error", "warning", "note")

ERRORS = (
    "no_labels",
    "other_guidance",
    "no_traces",
    "no_verdicts",
    "no_scores",
    "too_few_labels",
    "one_class",
    "constant_scores",
    "undefined_objective",
)
WARNINGS = (
    "some_other_guidance",
    "other_rubric_version",
    "some_traces_gone",
    "undecided",
    "single_annotator",
    "disputed_labels",
    "missing_scores",
    "few_labels",
    "binary_judge",
    "useless_judge",
    "base_rate",
    "grid_edge",
    "optimistic",
    "holdout_alarm",
    "empty_holdout",
    "holdout_without_baseline",
)
NOTES = ("two_scores",)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a reader of a threshold must know.

    Attributes:
        code: One of `ERRORS`, `WARNINGS` and `NOTES`.
        message: The fact, in one sentence.
    """

    code: str
    message: str

    @property
    def severity(self) -> str:
        """Whether it leaves no threshold, is to be weighed, or is only good to know."""
        if self.code in ERRORS:
            return ERROR
        return NOTE if self.code in NOTES else WARNING


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that leave no threshold."""
    return [finding for finding in findings if finding.severity == ERROR]


def warnings(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that stand beside a threshold."""
    return [finding for finding in findings if finding.severity == WARNING]


def notes(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that are good to know."""
    return [finding for finding in findings if finding.severity == NOTE]


def count(n: int, noun: str) -> str:
    """The number and its noun: "1 item", "2 items"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
