"""The search as figures: its history and its Pareto front, as CSV for `dvc plots` and as SVG."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import accumulate, cycle
from typing import Any

_WIDTH, _HEIGHT = 640, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 16, 52, 40
_MOST_TICKS = 6

# A background of its own, so that both schemes can be read wherever the picture is shown.
_CSS = """
.plot{--bg:#fff;--ink:#1b1f23;--soft:#5c6670;--line:#e3e7e9;--best:#1a73e8;--rest:#9aa0a6}
@media(prefers-color-scheme:dark){.plot{--bg:#14171a;--ink:#e6e8ea;--soft:#9aa4ad;--line:#2b3137;
--best:#7ea6f2;--rest:#77818a}}
.plot text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--soft)}
.plot .title{font-weight:600;font-size:13px;fill:var(--ink)}.plot .page{fill:var(--bg)}
.plot .grid{stroke:var(--line)}.plot path{fill:none;stroke:var(--best);stroke-width:1.5}
.plot .best{fill:var(--best)}.plot .rest{fill:var(--rest)}
.plot .now{fill:none;stroke:var(--ink);stroke-width:1.5}
"""

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
    """The history as a drawing: a dot per whole validation run, stairs for the best so far."""
    frame = _Frame(
        [point["n_rows"] for point in points], [point["mean"] for point in points], is_from_0=True
    )
    has_control = any(point["arm"] == "random" for point in points)
    dots = [
        _dot(
            frame.place(point["n_rows"], point["mean"]),
            "rest" if point["arm"] == "random" else "best",
            f"{point['candidate']}: {point['mean']:.3f}",
        )
        for point in points
    ]
    stairs = [frame.place(point["n_rows"], point["best"]) for point in points]
    key = "a dot per candidate; the line is the best so far"
    key += "; grey is the random control" if has_control else ""
    title = "Validation score by rows scored"
    return _drawn(title, key, frame, [_stairs(stairs), *dots], "rows scored")


def pareto_svg(points: Points, front: Points, lengths: Mapping[str, int]) -> str:
    """Score against length as a drawing: the front as stairs, what it beats in grey.

    Args:
        points: The history; its first point is the prompt as it is, which gets a ring.
        front: Its Pareto front.
        lengths: Candidate → characters of its prompt file.
    """
    found = {point["candidate"]: point["mean"] for point in points}
    frame = _Frame([lengths[name] for name in found], list(found.values()))
    kept = {point["candidate"] for point in front}
    dots = [
        _dot(
            frame.place(lengths[name], mean),
            "best" if name in kept else "rest",
            f"{name}: {mean:.3f}, {lengths[name]:,} characters",
        )
        for name, mean in sorted(found.items(), key=lambda pair: (pair[0] in kept, pair[0]))
    ]
    stairs = [frame.place(point["n_characters"], point["mean"]) for point in front]
    rings = []
    if points:
        x, y = frame.place(lengths[points[0]["candidate"]], points[0]["mean"])
        rings = [f'<circle class="now" cx="{x}" cy="{y}" r="7"/>']
    key = "blue: no other is shorter and as good; the ring is the prompt as it is"
    title = "Validation score by length of the prompt: the Pareto front"
    return _drawn(title, key, frame, [_stairs(stairs), *dots, *rings], "characters")


class _Frame:
    """Where a point of the plot lies, and the ticks of its axes.

    Args:
        xs: What lies along the bottom, >= 0.
        ys: Scores.
        is_from_0: Whether the bottom begins at 0.
    """

    def __init__(
        self, xs: Sequence[float], ys: Sequence[float], *, is_from_0: bool = False
    ) -> None:
        self.x_ticks = _ticks(0.0 if is_from_0 else min(xs, default=0.0), max(xs, default=1.0), 1.0)
        self.y_ticks = _ticks(min(ys, default=0.0), max(ys, default=1.0), 0.01)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where the point lies, in units of the drawing."""
        return self.across(x), self.up(y)

    def across(self, x: float) -> float:
        """How far from the left."""
        return _between(x, self.x_ticks, _LEFT, _WIDTH - _RIGHT)

    def up(self, y: float) -> float:
        """How far from the top."""
        return _between(y, self.y_ticks, _HEIGHT - _BOTTOM, _TOP)


def _between(value: float, ticks: Sequence[float], start: float, end: float) -> float:
    return round(start + (end - start) * (value - ticks[0]) / (ticks[-1] - ticks[0]), 1)


def _ticks(low: float, high: float, least: float) -> list[float]:
    """Round numbers from at most `low` to at least `high`, two or more, `least` or more apart."""
    step = least
    for factor in cycle((2.0, 2.5, 2.0)):
        first, last = math.floor(low / step), math.ceil(high / step)
        if last - first < _MOST_TICKS:
            break
        step *= factor
    return [round(n * step, 6) for n in range(first, max(last, first + 1) + 1)]


def _stairs(places: Sequence[tuple[float, float]]) -> str:
    """A line that goes right and then up, for a best that holds until a better one."""
    steps = "".join(f"H{x}V{y}" for x, y in places[1:])
    return f'<path d="M{places[0][0]} {places[0][1]}{steps}"/>' if places else ""


def _dot(place: tuple[float, float], look: str, told: str) -> str:
    x, y = place
    return f'<circle class="{look}" cx="{x}" cy="{y}" r="3.5"><title>{told}</title></circle>'


def _drawn(title: str, key: str, frame: _Frame, marks: Sequence[str], foot: str) -> str:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    rows = [
        f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{frame.up(y)}" y2="{frame.up(y)}"/>'
        f'<text x="{_LEFT - 8}" y="{frame.up(y) + 4:g}" text-anchor="end">{y:g}</text>'
        for y in frame.y_ticks
    ]
    columns = [
        f'<text x="{frame.across(x)}" y="{bottom + 16}" text-anchor="middle">{x:,g}</text>'
        for x in frame.x_ticks[:-1]
    ]
    last = f'<text x="{right}" y="{bottom + 16}" text-anchor="end">{frame.x_ticks[-1]:,g}</text>'
    middle = (_LEFT + right) / 2
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    parts = [
        f'<svg class="plot" xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{title}</title>",
        f"<style>{_CSS}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{_HEIGHT}"/>',
        f'<text class="title" x="{_LEFT}" y="20">{title}</text>',
        f'<text x="{_LEFT}" y="38">{key}</text>',
        *rows,
        *columns,
        last,
        *filter(None, marks),
        f'<text x="{middle:g}" y="{_HEIGHT - 6}" text-anchor="middle">{foot}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
