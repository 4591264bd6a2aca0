"""The search as figures: its history and its Pareto front, as CSV for `dvc plots` and as SVG."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import accumulate
from typing import Any

_WIDTH, _HEIGHT, _EDGE = 640, 320, 40
_DOT = '<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
_TICK = (
    '<text x="4" y="{below:g}" font-size="11">{value:.2f}</text>'
    '<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="#e0e0e0"/>'
)
_HEAD = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    ' font-family="sans-serif">'
)
_FOOT = f'<text x="{_WIDTH - 4}" y="{_HEIGHT - 6}" text-anchor="end" font-size="11">{{foot}}</text>'

Points = list[dict[str, Any]]


def history(trials: Sequence[Mapping[str, Any]]) -> Points:
    """One point per whole validation run: rows scored so far, its mean, and the best so far.

    Args:
        trials: In order, as in trials.jsonl.
    """
    points: Points = []
    best = 0.0
    spent = accumulate(trial["n_new"] for trial in trials)
    for trial, n_rows in zip(trials, spent, strict=True):
        if trial["split"] != "val" or trial["mean"] is None or trial["n"] < trials[0]["n"]:
            continue
        best = max(best, trial["mean"])
        point = {"n_rows": n_rows, "mean": trial["mean"], "best": best}
        points.append(point | {"candidate": trial["candidate"], "arm": trial["arm"]})
    return points


def pareto(trials: Sequence[Mapping[str, Any]], lengths: Mapping[str, int]) -> Points:
    """The candidates that no other beats in both validation mean and length, the shortest first.

    Args:
        trials: In order, as in trials.jsonl.
        lengths: Candidate → characters of its prompt file.
    """
    means = {point["candidate"]: point["mean"] for point in history(trials)}
    front: Points = []
    for candidate in sorted(means, key=lambda name: (lengths[name], -means[name], name)):
        if not front or means[candidate] > front[-1]["mean"]:
            front.append(
                {"n_characters": lengths[candidate], "mean": means[candidate]}
                | {"candidate": candidate}
            )
    return front


def as_csv(points: Points, columns: Sequence[str]) -> str:
    """The points with a header line."""
    out = StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(points)
    return out.getvalue()


def as_svg(points: Points) -> str:
    """The history as a drawing: a dot per validation run, a line for the best so far."""
    most = max((point["n_rows"] for point in points), default=1)
    dots = [
        _DOT.format(
            x=_x(point["n_rows"], most),
            y=_y(point["mean"]),
            colour="#9aa0a6" if point["arm"] == "random" else "#1a73e8",
        )
        for point in points
    ]
    path = " ".join(f"{_x(point['n_rows'], most)},{_y(point['best'])}" for point in points)
    title = "Validation score by rows scored; the line is the best so far"
    line = f'<polyline points="{path}" fill="none" stroke="#1a73e8"/>'
    return _drawn(title, [line, *dots], f"{most:,} rows scored")


def pareto_svg(points: Points, front: Points, lengths: Mapping[str, int]) -> str:
    """Score against length as a drawing: the front as a line, what it beats in grey.

    Args:
        points: The history.
        front: Its Pareto front.
        lengths: Candidate → characters of its prompt file.
    """
    most = max((lengths[point["candidate"]] for point in points), default=1)
    kept = {point["candidate"] for point in front}
    beaten = [
        _DOT.format(x=_x(lengths[point["candidate"]], most), y=_y(point["mean"]), colour="#9aa0a6")
        for point in points
        if point["candidate"] not in kept
    ]
    places = [(_x(point["n_characters"], most), _y(point["mean"])) for point in front]
    dots = [_DOT.format(x=x, y=y, colour="#1a73e8") for x, y in places]
    path = " ".join(f"{x},{y}" for x, y in places)
    line = f'<polyline points="{path}" fill="none" stroke="#1a73e8"/>'
    title = "Validation score by length of the prompt; the line is the Pareto front"
    return _drawn(title, [*beaten, line, *dots], f"{most:,} characters")


def _drawn(title: str, marks: Sequence[str], foot: str) -> str:
    ticks = [
        _TICK.format(below=_y(value) + 4, value=value, left=_EDGE, right=_WIDTH, y=_y(value))
        for value in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    head = f'<text x="{_EDGE}" y="20" font-size="12">{title}</text>'
    parts = [_HEAD, f"<title>{title}</title>", head, *ticks, *marks]
    return "\n".join([*parts, _FOOT.format(foot=foot), "</svg>"]) + "\n"


def _x(value: float, most: int) -> float:
    return round(_EDGE + (_WIDTH - _EDGE - 8) * value / most, 1)


def _y(mean: float) -> float:
    return round(_HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * mean, 1)
