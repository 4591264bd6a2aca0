"""Mean scores over commits, and the change points across which they are not compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gitloop.errors import DataError

SCHEMA = "gitloop.score/v1"


@dataclass(frozen=True, slots=True)
class ScorePins:
    """What decides a rubric's scores.

    Attributes:
        version: The rubric's version.
        rubric_sha256: Digest of its content.
        judge: The judge.
        judge_sha256: Digest of the rubric's content and the judge's pin.
    """

    version: str
    rubric_sha256: str
    judge: str
    judge_sha256: str


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """A rubric's scores as one commit holds them.

    Attributes:
        commit: The commit's id.
        subject: First line of its message.
        committed_at: When, ISO 8601 UTC.
        mean: Mean score, or None.
        n: Judgements asked for.
        n_errors: Those that gave no score.
        pins: What decided the scores.
        change_point: What changed since the point before, in words: the two means lie on either
            side of it and are not to be compared. "" where they are.
        delta: Mean less the mean before, or None across a change point.
    """

    commit: str
    subject: str
    committed_at: str
    mean: float | None
    n: int
    n_errors: int
    pins: ScorePins
    change_point: str = ""
    delta: float | None = None


def points(metrics: object, commit: tuple[str, str, str]) -> dict[str, ScorePoint]:
    """Rubric → what loop/score/metrics.json says of it.

    Args:
        metrics: The file's JSON.
        commit: Id, subject and time.

    Raises:
        DataError: It has another schema.
    """
    if not isinstance(metrics, dict) or metrics.get("schema") != SCHEMA:
        raise DataError(f"loop/score/metrics.json is no {SCHEMA} file")
    try:
        return {
            name: ScorePoint(
                *commit,
                mean=own["mean"],
                n=own["n"],
                n_errors=own["n_errors"],
                pins=ScorePins(
                    own["version"], own["rubric_sha256"], own["judge"], own["judge_sha256"]
                ),
            )
            for name, own in metrics["rubrics"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"loop/score/metrics.json is incomplete: {error}") from error


def history(commits: Iterable[dict[str, ScorePoint]]) -> dict[str, tuple[ScorePoint, ...]]:
    """Rubric → its points, oldest first, each with what changed since the one before.

    Args:
        commits: The points of each commit, oldest first.
    """
    found: dict[str, list[ScorePoint]] = {}
    for own in commits:
        for name, now in sorted(own.items()):
            line = found.setdefault(name, [])
            before = line[-1] if line else None
            if before is not None and (before.mean, before.n, before.pins) == (
                now.mean,
                now.n,
                now.pins,
            ):
                continue
            line.append(now if before is None else _since(now, before))
    return {name: tuple(line) for name, line in sorted(found.items())}


def change_point(now: ScorePins, before: ScorePins) -> str:
    """What changed between two pins, in words, or ""."""
    told = []
    if now.version != before.version:
        told.append(f"rubric {before.version} → {now.version}")
    elif now.rubric_sha256 != before.rubric_sha256:
        told.append(f"rubric {now.version} changed its text without its version")
    if now.judge != before.judge:
        told.append(f"judge {before.judge} → {now.judge}")
    elif now.judge_sha256 != before.judge_sha256 and now.rubric_sha256 == before.rubric_sha256:
        told.append(f"parameters of {now.judge}")
    return ", ".join(told)


def _since(now: ScorePoint, before: ScorePoint) -> ScorePoint:
    told = change_point(now.pins, before.pins)
    delta = None
    if not told and now.mean is not None and before.mean is not None:
        delta = round(now.mean - before.mean, 6)
    return ScorePoint(
        now.commit,
        now.subject,
        now.committed_at,
        now.mean,
        now.n,
        now.n_errors,
        now.pins,
        told,
        delta,
    )
