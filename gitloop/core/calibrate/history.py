"""Thresholds over commits: what moved, and what else changed with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gitloop.records import Interval, Threshold

WHAT = {
    "rubric_version": "rubric",
    "rubric_sha256": "rubric's content",
    "judge": "judge",
    "judge_sha256": "judge's parameters",
    "comparison": "comparison",
}
"""Pin → what its change is called."""


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """A rubric's threshold as one commit holds it.

    Attributes:
        commit: The commit's id.
        subject: First line of its message.
        committed_at: When, ISO 8601 UTC.
        threshold: The threshold, or None where there was none.
        interval: Of the threshold, or None.
        status: "calibrated", "warned" or "uncalibrated".
        n: Labelled items.
        changed: What changed since the commit before, beside labels: scores on either side of a
            change of rubric or judge are not comparable. () when nothing did.
        is_beyond: Whether the threshold left the interval of the commit before.
    """

    commit: str
    subject: str
    committed_at: str
    threshold: float | None
    interval: Interval | None
    status: str
    n: int
    changed: tuple[str, ...]
    is_beyond: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one commit holds.

    Attributes:
        commit: Its id.
        subject: First line of its message.
        committed_at: When, ISO 8601 UTC.
        thresholds: Rubric → threshold.
    """

    commit: str
    subject: str
    committed_at: str
    thresholds: dict[str, Threshold]


def threshold_history(recorded: Iterable[Recorded]) -> dict[str, tuple[HistoryPoint, ...]]:
    """Rubric → its thresholds, oldest first; a commit that changed nothing about one is left out.

    Args:
        recorded: Commits, oldest first.
    """
    found: dict[str, list[HistoryPoint]] = {}
    last: dict[str, Threshold] = {}
    for commit in recorded:
        for rubric, now in sorted(commit.thresholds.items()):
            before = last.get(rubric)
            if now == before:
                continue
            found.setdefault(rubric, []).append(_point(commit, now, before))
            last[rubric] = now
    return {rubric: tuple(points) for rubric, points in sorted(found.items())}


def _point(commit: Recorded, now: Threshold, before: Threshold | None) -> HistoryPoint:
    return HistoryPoint(
        commit=commit.commit,
        subject=commit.subject,
        committed_at=commit.committed_at,
        threshold=now.threshold,
        interval=now.interval,
        status=now.status,
        n=now.n,
        changed=_changed(now, before),
        is_beyond=_is_beyond(now, before),
    )


def _changed(now: Threshold, before: Threshold | None) -> tuple[str, ...]:
    """What changed, the most telling name once: a new version says more than a new digest."""
    if before is None:
        return ()
    pins = [pin for pin in WHAT if getattr(now, pin) != getattr(before, pin)]
    if "rubric_version" in pins or "rubric_sha256" in pins:
        pins = [pin for pin in pins if pin != "judge_sha256"]  # it holds the rubric's digest
    if "rubric_version" in pins:
        pins = [pin for pin in pins if pin != "rubric_sha256"]
    if "judge" in pins:
        pins = [pin for pin in pins if pin != "judge_sha256"]
    return tuple(WHAT[pin] for pin in pins)


def _is_beyond(now: Threshold, before: Threshold | None) -> bool:
    if before is None or before.interval is None or now.threshold is None:
        return False
    return not before.interval.low <= now.threshold <= before.interval.high
