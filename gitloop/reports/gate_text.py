"""The gate for a terminal: verdict first, then the checks, the rows, and what to do; 80 columns."""

from __future__ import annotations

from textwrap import wrap

from gitloop.reports import gate_figures as figures
from gitloop.reports.gate_figures import Json

WIDTH = 80
MAX_ROWS = 8


def render(value: Json) -> str:
    """The document of gate.json as text, no line over 80 columns."""
    head = f"{figures.VERDICTS[value['verdict']]}  "
    lines = [
        *_hanging(head, figures.headline(value)),
        *_hanging(_blank(head), figures.basis(value)),
    ]
    one_by_one, counted = figures.shown_checks(value)
    if one_by_one:
        lines += ["", *_table(value, one_by_one)]
    if counted:
        lines += _hanging("  ", figures.slices_told(counted))
    for title, key, limit in (
        (f"lost: passed on {figures.before(value)}, fail now", "lost", MAX_ROWS),
        (f"won: failed on {figures.before(value)}, pass now", "won", MAX_ROWS // 2),
        ("new and failing; new rows never block", "failing_new", MAX_ROWS // 2),
    ):
        lines += _rows(value, title, key, limit)
    return "\n".join([*lines, "", *_hanging("→ ", figures.next_step(value))])


def _table(value: Json, checks: list[Json]) -> list[str]:
    """The checks: one line of figures each, and under it what else there is to say."""
    head = f"  {'check':<10}{'rubric':<20}{'n':>6}{'rate':>8}{'points':>8}"
    lines = [f"{head}  {'95 % interval':<16}{'p adj':>8}"]
    for check in checks:
        is_compared = check["kind"] in {*figures.PAIRED, "floor"}
        effect = figures.points(check["effect"] if is_compared else None)
        lines.append(
            f"{figures.MARKS[check['outcome']]} {check['kind']:<10}"
            f"{_fit(figures.subject(check), 19):<20}{check['n'] or '–':>6}"
            f"{figures.observed(check):>8}{effect:>8}"
            f"  {figures.interval(check):<16}{figures.probability(check['p_adjusted']):>8}"
        )
        if check["outcome"] != "pass" or check["kind"] == "assertion":
            lines += _hanging("    ", check["message"])
        rest = filter(None, (figures.corrected(value, check), figures.details(check)))
        if told := "; ".join(rest):
            lines += _hanging("    ", told)
    return lines


def _rows(value: Json, title: str, key: str, limit: int) -> list[str]:
    rows, total = value["rows"][key], value["rows"][f"n_{key}"]
    if not total:
        return []
    lines = ["", f"{total} {title}"]
    for row in rows[:limit]:
        lines += _hanging("  ", f"{row['row_id']} {row['rubric']} · {figures.trail(row)}")
    if total > limit:
        lines.append(f"  … and {total - limit} more in {figures.place(value)}")
    return lines


def _blank(text: str) -> str:
    return " " * len(text)


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _hanging(start: str, text: str) -> list[str]:
    """The text behind `start`, wrapped under its own first column."""
    lines = wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=_blank(start),
        break_on_hyphens=False,
    )
    return lines or [start.rstrip()]
