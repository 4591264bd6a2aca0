"""The gate as one HTML file: no script, nothing loaded, every text of a user escaped."""

from __future__ import annotations

from html import escape

from gitloop.reports import gate_figures as figures
from gitloop.reports import gate_plots as plots
from gitloop.reports.gate_diff import words
from gitloop.reports.gate_figures import Json
from gitloop.reports.gate_style import CSS

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(value: Json) -> str:
    """The document of gate.json, with its `evidence`, as a page."""
    word = figures.VERDICTS[value["verdict"]]
    paired = [check for check in value["checks"] if check["kind"] in figures.PAIRED]
    forest = plots.forest(paired)
    sections = [
        _head(value, word),
        _section("Checks", _checks(value)),
        _section("Change against the baseline", _card(_forest_key() + forest) if forest else ""),
        _section("Rubrics", "".join(_rubric(value, summary) for summary in value["rubrics"])),
        _section("Rows lost", _rows(value, "lost")),
        _section("Rows won", _rows(value, "won")),
        _section("New rows that fail", _rows(value, "failing_new")),
        _section("What this was made from", _pins(value)),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{figures.title(value)}: {word}</title>\n"
        f"<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, sections))
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(value: Json, word: str) -> str:
    return (
        f'<h1><span class="badge {value["verdict"]}">{word}</span>'
        f"<span>{escape(figures.headline(value))}</span></h1>"
        f'<p class="soft">{escape(figures.basis(value))}</p>'
        f'<p class="next">{escape(_next(value))}</p>'
    )


def _next(value: Json) -> str:
    if value["verdict"] == "fail":
        return "The rows that were lost stand below, with their outputs then and now."
    return f"→ {figures.next_step(value)}"


def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{body}\n</section>" if body else ""


def _card(body: str) -> str:
    return f'<div class="card">{body}</div>'


def _checks(value: Json) -> str:
    one_by_one, counted = figures.shown_checks(value)
    shown = _check_table(one_by_one) if one_by_one else ""
    if counted:
        told = escape(figures.slices_told(counted))
        shown += f"<details><summary>{told}</summary>{_check_table(counted)}</details>"
    return _card(shown)


def _check_table(checks: list[Json]) -> str:
    names = ("n", "rate", "points", "95 % interval", "p", "adjusted", "sees from")
    head = "".join(f'<th class="n">{name}</th>' for name in names)
    body = "".join(_check(check) for check in checks)
    return (
        f"<table><thead><tr><th></th><th>check</th>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _check(check: Json) -> str:
    is_compared = check["kind"] in {*figures.PAIRED, "floor"}
    numbers = (
        str(check["n"] or "–"),
        figures.observed(check),
        figures.points(check["effect"] if is_compared else None),
        figures.interval(check),
        figures.probability(check["p"]),
        figures.probability(check["p_adjusted"]),
        figures.points(check["mde"]).lstrip("+"),
    )
    outcome = check["outcome"]
    method = f" · {escape(check['method'])}" if check["method"] else ""
    return (
        f'<tr><td class="mark {outcome}" title="{outcome}">{figures.MARKS[outcome]}</td>'
        f"<td><strong>{check['kind']}</strong> {escape(figures.subject(check))}"
        f'<br><span class="soft">{escape(check["message"])}{method}</span></td>'
        + "".join(f'<td class="n">{escape(number)}</td>' for number in numbers)
        + "</tr>"
    )


def _forest_key() -> str:
    return (
        '<p class="soft">Candidate minus baseline on the rows that both have, in points of the'
        " pass rate, with 95 % intervals. The dotted mark is the rubric's noise floor.</p>"
    )


def _rubric(value: Json, summary: Json) -> str:
    name = summary["name"]
    evidence = value.get("evidence", {})
    counts = evidence.get("distributions", {}).get(name)
    pairs = evidence.get("pairs", {}).get(name)
    parts = [f"<h3>{escape(name)} <span class='soft'>{_made(summary)}</span></h3>", _tiles(summary)]
    if counts:
        parts.append(plots.distribution(counts, summary["threshold"]))
        before = '<span><i class="before"></i>baseline</span>' if any(counts["before"]) else ""
        parts.append(f'<p class="key"><span><i class="now"></i>scores now</span>{before}</p>')
    if pairs and (drawn := plots.changes(pairs)):
        keys = (
            ("both", "pass both times"),
            ("lost", "lost"),
            ("won", "won"),
            ("neither", "fail both times"),
        )
        key = "".join(
            f'<span><i class="{kind}"></i>{pairs[kind]} {told}</span>' for kind, told in keys
        )
        parts.append(drawn + f'<p class="key">{key}</p>')
    return _card("".join(parts))


def _made(summary: Json) -> str:
    return escape(f"version {summary['version']}, judged by {summary['judge']}")


def _tiles(summary: Json) -> str:
    tiles = [
        ("pass rate", figures.percent(summary["pass_rate"])),
        ("baseline, same rows", figures.percent(summary["baseline_pass_rate"])),
        ("passed / failed", f"{summary['n_passed']} / {summary['n_failed']}"),
        ("errors", str(summary["n_errors"])),
        ("lost / won", f"{summary['n_lost']} / {summary['n_won']}"),
        ("new rows", str(summary["n_new"])),
    ]
    if summary["corrected_pass_rate"] is not None:
        shown = figures.percent(summary["corrected_pass_rate"])
        if ends := summary["corrected_interval"]:
            shown += f" [{100 * ends['low']:.0f}, {100 * ends['high']:.0f}]"
        tiles.append(("corrected for the judge's errors", shown))
    told = "".join(f"<div><dt>{name}</dt><dd>{escape(shown)}</dd></div>" for name, shown in tiles)
    return f'<dl class="tiles">{told}</dl>'


def _rows(value: Json, key: str) -> str:
    rows, total = value["rows"][key], value["rows"][f"n_{key}"]
    texts = value.get("evidence", {}).get("rows", {})
    shown = [row for row in rows if f"{row['row_id']} {row['rubric']}" in texts] or rows
    parts = [_row(row, texts.get(f"{row['row_id']} {row['rubric']}", {})) for row in shown]
    if total > len(shown):
        more = f"… and {total - len(shown)} more in {figures.place(value)}"
        parts.append(f'<p class="soft">{more}</p>')
    return _card("".join(parts)) if rows else ""


def _row(row: Json, texts: Json) -> str:
    then = "new" if row["baseline"] is None else figures.percent(row["baseline"])
    head = (
        f"<summary><code>{escape(row['row_id'])}</code> {escape(row['rubric'])}: {then} →"
        f" {figures.percent(row['observed'])}, score {row['score']:.2f}"
        f' <span class="soft">{escape(figures.trail(row))}</span></summary>'
    )
    return f"<details>{head}{_texts(texts)}</details>"


def _texts(texts: Json) -> str:
    if not texts:
        return ""
    before, now = texts["before"], texts["now"]
    if before is not None and now is not None:
        old, new = words(before, now)
    else:
        old, new = escape(before or ""), escape(now or "")
    blocks = [
        _block("input", escape(texts["input"] or ""), is_wide=True),
        _block("context", escape(texts["context"] or ""), is_wide=True),
        _block("output before", old),
        _block("output now", new),
        _block("what it should say", escape(texts["reference"] or "")),
        _block("the judge's reason", escape(texts["reason"] or "")),
    ]
    return f'<div class="texts">{"".join(blocks)}</div>'


def _block(title: str, text: str, *, is_wide: bool = False) -> str:
    if not text:
        return ""
    wide = ' class="wide"' if is_wide else ""
    return f'<div{wide}><h4>{title}</h4><div class="text">{text}</div></div>'


def _pins(value: Json) -> str:
    lines = [
        f"golden set {name} {dataset['version']}, {dataset['n_rows']} rows, {dataset['sha256']}"
        for name, dataset in sorted(value.get("datasets", {}).items())
    ]
    lines += [
        f"baseline run {run['commit']} of {run['committed_at'][:10]}, scores {run['scores_md5']}"
        for run in value.get("baseline", [])
    ]
    lines += [f"{one['name']} {one['digest']}" for one in value.get("inputs", [])]
    shown = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return _card(f'<div class="mono pins">{shown}</div>') if lines else ""
