"""The gate as Markdown for a sticky comment: verdict, checks, rows with trail; ≤ 60,000 characters.

Its first line is a mark by which a CI job finds the comment to replace.

Only ids and names go in, never texts of users: a pull request may be public.
"""

from __future__ import annotations

import re

from gitloop.reports import gate_figures as figures
from gitloop.reports.gate_figures import Json

LIMIT = 60_000
"""Characters; forges refuse a comment of 65,536."""

_ICONS = {
    "pass": "✅",
    "fail": "❌",
    "warn": "⚠️",
    "inconclusive": "❔",
    "stale": "🕰️",
    "error": "⛔",
}
_VERDICT_ICONS = {"pass": "✅", "warn": "⚠️", "fail": "❌", "none": "⛔"}


def render(value: Json) -> str:
    """The document of gate.json as Markdown; what does not fit is counted."""
    icon = _VERDICT_ICONS[value["verdict"]]
    head = [
        f"<!-- {figures.title(value)} -->",
        f"## {icon} {figures.title(value)}: {figures.VERDICTS[value['verdict']]}",
        "",
        f"**{_plain(figures.headline(value))}.** {_plain(figures.basis(value))}.",
    ]
    one_by_one, counted = figures.shown_checks(value)
    blocks = [
        ("checks", _table_head(), [_check(value, check) for check in one_by_one]),
        ("rows lost", _rows_head("Rows lost"), _rows(value, "lost")),
        ("rows won", _rows_head("Rows won"), _rows(value, "won")),
        ("new failing rows", _rows_head("New rows that fail"), _rows(value, "failing_new")),
        ("slices", _slices_head(counted), [_check(value, check) for check in counted]),
    ]
    return _fitted(head, [block for block in blocks if block[2]], figures.next_step(value))


def _fitted(head: list[str], blocks: list[tuple[str, list[str], list[str]]], next_step: str) -> str:
    """The blocks in order, each as long as there is room; what is left out is told at the end."""
    tail = ["", f"→ {_plain(next_step)}"]
    room = LIMIT - len("\n".join([*head, *tail])) - 500
    lines, left_out = list(head), []
    for name, opening, entries in blocks:
        room -= len("\n".join(opening)) + 2
        kept = []
        for entry in entries:
            room -= len(entry) + 1
            if room < 0:
                break
            kept.append(entry)
        if kept:
            lines += [*opening, *kept]
            lines += ["", "</details>"] if "<details>" in opening else []
        if len(kept) < len(entries):
            left_out.append(f"{len(entries) - len(kept)} {name}")
    if left_out:
        tail = ["", f"Left out for length: {', '.join(left_out)}; see the JSON document.", *tail]
    return "\n".join([*lines, *tail]) + "\n"


def _table_head() -> list[str]:
    return [
        "",
        "| | check | of | n | rate | points | 95 % interval | p | adjusted | sees from | method |",
        "|---|---|---|--:|--:|--:|---|--:|--:|--:|---|",
    ]


def _check(value: Json, check: Json) -> str:
    is_compared = check["kind"] in {*figures.PAIRED, "floor"}
    mde = f"{100 * check['mde']:.1f}" if check["mde"] is not None else "–"
    told = "; ".join(filter(None, (check["message"], figures.corrected(value, check))))
    cells = [
        _ICONS[check["outcome"]],
        check["kind"],
        f"{_plain(figures.subject(check))}<br><sub>{_plain(told)}</sub>",
        str(check["n"] or "–"),
        figures.observed(check),
        figures.points(check["effect"]) if is_compared else "–",
        figures.interval(check),
        figures.probability(check["p"]),
        figures.probability(check["p_adjusted"]),
        mde,
        _plain(check["method"]),
    ]
    return f"| {' | '.join(cells)} |"


def _slices_head(counted: list[Json]) -> list[str]:
    return [
        "",
        "<details>",
        f"<summary>{_plain(figures.slices_told(counted))}</summary>",
        *_table_head(),
    ]


def _rows_head(title: str) -> list[str]:
    return [
        "",
        f"### {title}",
        "",
        "| row | rubric | then | now | route | cohort | cluster | trace |",
        "|---|---|--:|--:|---|---|---|---|",
    ]


def _rows(value: Json, key: str) -> list[str]:
    found = []
    for row in value["rows"][key]:
        cells = [
            f"`{row['row_id']}`",
            _plain(row["rubric"]),
            figures.percent(row["baseline"]),
            figures.percent(row["observed"]),
            _plain(row["route"] or "–"),
            _plain(row["user_cohort"] or "–"),
            _plain(row["cluster_id"] or "–"),
            _plain(row["source_trace_id"]),
        ]
        found.append(f"| {' | '.join(cells)} |")
    return found


def _plain(text: str) -> str:
    """Text that Markdown and HTML show as it is: no markup, no mention, no broken table."""
    one_line = " ".join(str(text).split())
    escaped = one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|#@])", r"\\\1", escaped)
