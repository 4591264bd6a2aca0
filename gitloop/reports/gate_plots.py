"""The gate's plots as inline SVG: no script, no font, no file beside them; colours by CSS class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from gitloop.reports import gate_figures as figures
from gitloop.reports.gate_figures import Json

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 880, 160, 8, 22
MAX_FOREST = 60
"""Comparisons that are drawn; deltas and losses always are."""

_ROW, _LABEL, _FOREST = 24, 250, 620


def distribution(counts: Json, threshold: float | None) -> str:
    """Scores now (bars) and on the baseline (outline), with the threshold as a line."""
    now, before = list(counts["now"]), list(counts["before"])
    peak = max([1, *now, *before])
    wide, high = _WIDTH - 2 * _LEFT, _HEIGHT - _BOTTOM
    step = wide / len(now)
    parts = []
    for place, count in enumerate(now):
        if count:
            tall = count / peak * (high - 14)
            parts.append(
                f'<rect class="now" x="{_LEFT + place * step + 1.5:.1f}" y="{high - tall:.1f}"'
                f' width="{step - 3:.1f}" height="{tall:.1f}" rx="2">'
                f"<title>{_bin(place, len(now))}: {count} now</title></rect>"
            )
    if any(before):
        parts.append(f'<path class="before" d="{_outline(before, peak, high, step)}"/>')
    if threshold is not None:
        x = _LEFT + threshold * wide
        side = "end" if threshold > 0.8 else "start"
        shift = -5 if threshold > 0.8 else 5
        parts.append(
            f'<line class="bound" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{high}"/>'
            f'<text class="label" x="{x + shift:.1f}" y="11" text-anchor="{side}">'
            f"passes from {threshold:g}</text>"
        )
    for at in (0, 0.25, 0.5, 0.75, 1):
        anchor = "start" if at == 0 else "end" if at == 1 else "middle"
        parts.append(
            f'<text class="axis" x="{_LEFT + at * wide:.1f}" y="{_HEIGHT - 6}"'
            f' text-anchor="{anchor}">{at:g}</text>'
        )
    base = f'<line class="base" x1="{_LEFT}" x2="{_WIDTH - _LEFT}" y1="{high}" y2="{high}"/>'
    told = f"Scores of {sum(now)} rows now" + (f" and {sum(before)} before" if any(before) else "")
    return _svg(_WIDTH, _HEIGHT, base + "".join(parts), told)


def _bin(place: int, n_bins: int) -> str:
    return f"{place / n_bins:g}–{(place + 1) / n_bins:g}"


def _outline(counts: Sequence[int], peak: int, high: int, step: float) -> str:
    """The steps of a histogram as a path."""
    path = [f"M{_LEFT} {high}"]
    for place, count in enumerate(counts):
        y = high - count / peak * (high - 14)
        path.append(f"L{_LEFT + place * step:.1f} {y:.1f}L{_LEFT + (place + 1) * step:.1f} {y:.1f}")
    return "".join([*path, f"L{_LEFT + len(counts) * step:.1f} {high}"])


def changes(pairs: Json) -> str:
    """Paired rows as one bar: passed both times, lost, won, failed both times."""
    total = sum(pairs.values())
    if not total:
        return ""
    parts, x = [], 0.0
    kinds = (
        ("both", "pass both times"),
        ("lost", "lost"),
        ("won", "won"),
        ("neither", "fail both times"),
    )
    for key, told in kinds:
        n = pairs[key]
        if not n:
            continue
        wide = n / total * _WIDTH
        parts.append(
            f'<rect class="{key}" x="{x:.1f}" y="0" width="{max(wide - 1.5, 1):.1f}" height="22"'
            f' rx="2"><title>{n} rows {told}</title></rect>'
        )
        if wide > 26:
            parts.append(
                f'<text class="{key}-text" x="{x + wide / 2:.1f}" y="15" text-anchor="middle">'
                f"{n}</text>"
            )
        x += wide
    told = ", ".join(f"{pairs[key]} {word}" for key, word in kinds if pairs[key])
    return _svg(_WIDTH, 22, "".join(parts), told)


def forest(checks: Sequence[Json]) -> str:
    """Every paired comparison as a point with its interval; left of the line is worse."""
    measured = [c for c in checks if c["effect"] is not None and c["interval"] is not None]
    if not measured:
        return ""
    first = [c for c in measured if c["kind"] == "delta" or c["outcome"] == "fail"]
    rest = [c for c in measured if c not in first]
    drawn = [*first, *rest][: max(MAX_FOREST, len(first))]
    ends = [abs(c["interval"][end]) for c in drawn for end in ("low", "high")]
    reach = min(1.0, math.ceil(10 * max(ends)) / 10)
    high = _ROW * len(drawn) + 34
    middle, scale = _LABEL + _FOREST / 2, _FOREST / 2 / reach

    def x(effect: float) -> float:
        return float(middle + max(-reach, min(reach, effect)) * scale)

    body = high - 28
    parts = [f'<line class="base" x1="{middle}" x2="{middle}" y1="0" y2="{body}"/>']
    parts += [_forest_row(check, row, x) for row, check in enumerate(drawn)]
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        at = share * reach
        anchor = {-1.0: "start", 1.0: "end"}.get(share, "middle")
        parts.append(
            f'<text class="axis" x="{x(at):.1f}" y="{high - 13}" text-anchor="{anchor}">'
            f"{figures.points(at) if share else '0'}</text>"
        )
    for place, anchor, word in ((0, "start", "← worse"), (_FOREST, "end", "better →")):
        parts.append(
            f'<text class="axis" x="{_LABEL + place}" y="{high - 1}" text-anchor="{anchor}">'
            f"{word}</text>"
        )
    told = f"Change against the baseline in {len(drawn)} comparisons, in points"
    left_out = len(measured) - len(drawn)
    more = f'<p class="soft">… and {left_out} slices more in the table</p>' if left_out else ""
    return _svg(_LABEL + _FOREST + 10, high, "".join(parts), told) + more


def _forest_row(check: Json, row: int, at: Callable[[float], float]) -> str:
    """One comparison; `at` gives the place of an effect."""
    y = row * _ROW + 14
    low, high = check["interval"]["low"], check["interval"]["high"]
    outcome = check["outcome"]
    name = f"{check['kind']} {figures.subject(check)}"
    shown = name if len(name) <= 36 else name[:35] + "…"
    told = (
        f"{name}: {figures.points(check['effect'])} points {figures.interval(check)},"
        f" {check['n']} pairs, {outcome}"
    )
    noise = ""
    if check["bound"]:
        edge = at(-check["bound"])
        noise = f'<line class="noise" x1="{edge:.1f}" x2="{edge:.1f}" y1="{y - 8}" y2="{y + 8}"/>'
    return (
        f"<g><title>{escape(told)}</title>"
        f'<text class="label" x="{_LABEL - 10}" y="{y + 4}" text-anchor="end">'
        f"{escape(shown)}</text>"
        f'{noise}<line class="span {outcome}" x1="{at(low):.1f}"'
        f' x2="{at(high):.1f}" y1="{y}" y2="{y}"/>'
        f'<circle class="dot {outcome}" cx="{at(check["effect"]):.1f}" cy="{y}" r="4.5"/></g>'
    )


def _svg(width: float, height: float, body: str, told: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(told)}">'
        f"{body}</svg>"
    )
