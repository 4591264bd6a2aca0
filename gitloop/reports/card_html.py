"""Judge cards as one HTML file: no script, nothing loaded, every text of a user escaped."""

from __future__ import annotations

from html import escape

from gitloop.reports import card_figures as words
from gitloop.reports.card_figures import Json
from gitloop.reports.gate_style import CSS

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_W, _H, _PAD = 320, 220, 34
"""Width and height of a plot, and the margin for its axes."""


def render(value: Json) -> str:
    """The cards of a gitloop.judge_card/v1 document as a page."""
    body = "\n".join(_card(card) for card in value["cards"])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>gitloop judge card</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _card(card: Json) -> str:
    said = [*words.findings(card), *words.trust(card)]
    listed = "".join(f"<li>{escape(line)}</li>" for line in said)
    return "\n".join(
        (
            f"<section><h1>{escape(words.headline(card))}</h1>",
            f'<p class="soft">{escape(words.basis(card))}</p>',
            f"<ul>{listed}</ul>" if said else "",
            _box(_figures(card)),
            _box(_confusion(card)),
            '<div class="texts">',
            f"<div><h4>{escape(words.objective(card))} over the threshold</h4>{_curve(card)}</div>",
            f"<div><h4>share that people pass over the score</h4>{_bins(card)}</div>",
            "</div>",
            _box(_slices(card)),
            _box(_rows(card)),
            "</section>",
        )
    )


def _box(body: str) -> str:
    return f'<div class="card">{body}</div>' if body else ""


def _figures(card: Json) -> str:
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{escape(shown)}</td>'
        f'<td class="soft">{escape(note)}</td></tr>'
        for name, shown, note in words.figures(card)
    )
    return f"<table><tbody>{rows}</tbody></table>"


def _confusion(card: Json) -> str:
    rows = "".join(
        f'<tr><td>{says}</td><td class="n">{good}</td><td class="n">{bad}</td></tr>'
        for says, good, bad in words.confusion(card)
    )
    head = '<th>the judge</th><th class="n">people pass</th><th class="n">people fail</th>'
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _slices(card: Json) -> str:
    found = words.slices(card)
    if not found:
        return ""
    names = ("items", "judge / people pass", "accuracy", "sens. / spec.")
    head = "<th></th>" + "".join(f'<th class="n">{name}</th>' for name in names) + "<th></th>"
    rows = "".join(
        f"<tr><td>{escape(row[0])}</td>"
        + "".join(f'<td class="n">{escape(cell)}</td>' for cell in row[1:-1])
        + f"<td>{escape(row[-1])}</td></tr>"
        for row in found
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _rows(card: Json) -> str:
    if not card["disagreements"]:
        return "<p>Judge and people agree on every item at this line.</p>"
    total = card["n_disagreements"]
    return f"<h3>Where they differ: {total} items, the widest apart first</h3>" + "".join(
        _row(row) for row in card["disagreements"]
    )


def _row(row: Json) -> str:
    head = f"people {row['people']}, judge {row['score']:.2f}"
    texts = (
        ("asked", row["input"]),
        ("answered", row["output"]),
        ("judge's reason", row["reason"]),
        ("should have said", row["reference"]),
    )
    body = "".join(
        f'<div><h4>{name}</h4><div class="text">{escape(text)}</div></div>'
        for name, text in texts
        if text
    )
    return (
        f'<details><summary>{escape(head)} <span class="soft mono">{escape(row["trace_id"])}'
        f'</span></summary><div class="texts">{body}</div></details>'
    )


def _curve(card: Json) -> str:
    """The objective at each threshold with its band, and the line that was drawn."""
    found = card["calibration"]
    points = [point for point in found["curve"] if point["value"] is not None]
    values = [end for point in points for end in (point["interval"] or [point["value"]])]
    low, high = min([0.0, *values]), max([1.0, *values])

    def place(threshold: float, value: float) -> str:
        return f"{_x(threshold):.1f},{_y((value - low) / (high - low)):.1f}"

    banded = [point for point in points if point["interval"]]
    band = [place(point["threshold"], point["interval"][1]) for point in banded]
    band += [place(point["threshold"], point["interval"][0]) for point in reversed(banded)]
    line = " ".join(place(point["threshold"], point["value"]) for point in points)
    at = _x(found["threshold"])
    marks = (
        f'<polygon class="both" points="{" ".join(band)}"/>'
        f'<polyline class="before" points="{line}"/>'
        f'<line class="bound" x1="{at:.1f}" x2="{at:.1f}" y1="{_y(1):.1f}" y2="{_y(0):.1f}"/>'
    )
    label = f"{words.objective(card)} over thresholds; the line is {found['threshold']:g}"
    return _svg(marks, label, (f"{low:.1f}", f"{high:.1f}"))


def _bins(card: Json) -> str:
    """The share that people pass in each score bin, with its interval, against the diagonal."""
    marks = [f'<line class="base" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>']
    for found in card["bins"]:
        if not found["n"]:
            continue
        x, interval = _x(found["mean_score"]), found["interval"]
        marks.append(
            f'<line class="span" x1="{x:.1f}" x2="{x:.1f}" y1="{_y(interval["low"]):.1f}"'
            f' y2="{_y(interval["high"]):.1f}"/>'
            f'<circle class="now" r="4" cx="{x:.1f}" cy="{_y(found["pass_rate"]):.1f}"/>'
        )
    return _svg(
        "".join(marks), "share of passes per score bin; the diagonal is perfect", ("0", "1")
    )


def _x(share: float) -> float:
    return _PAD + share * (_W - 2 * _PAD)


def _y(share: float) -> float:
    return _H - _PAD - share * (_H - 2 * _PAD)


def _svg(marks: str, label: str, ends: tuple[str, str]) -> str:
    axes = "".join(
        f'<text class="axis" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{text}</text>'
        for x, y, anchor, text in (
            (_x(0), _H - 14, "middle", "0"),
            (_x(0.5), _H - 14, "middle", "score"),
            (_x(1), _H - 14, "middle", "1"),
            (_PAD - 6, _y(0) + 4, "end", ends[0]),
            (_PAD - 6, _y(1) + 4, "end", ends[1]),
        )
    )
    return (
        f'<svg viewBox="0 0 {_W} {_H}" role="img" aria-label="{escape(label)}">{axes}{marks}</svg>'
    )
