"""A diff as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from html import escape

from gitloop.reports import diff_words as words
from gitloop.reports.diff_words import Json

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; }
th, td { border: 1px solid #8884; padding: .3rem .6rem; text-align: left; vertical-align: top; }
td { white-space: pre-wrap; overflow-wrap: anywhere; }
code { font-size: .9em; }
del, .gone td { background: #d733; text-decoration: none; }
ins, .come td { background: #3a53; text-decoration: none; }
.quiet { opacity: .7; }
"""
_COLUMNS = ("split", "route", "user_cohort", "labels", "input", "reference", "bad_output")


def render(value: Json) -> str:
    """The `gitloop.diff/v1` document as an HTML page."""
    title = f"{escape(value['before'])} → {escape(value['after'])}"
    body = [f"<h1>Golden sets: {title}</h1>"]
    if not value["sets"]:
        body.append("<p>No golden set differs.</p>")
    for entry in value["sets"]:
        body += _set(entry)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n" + "\n".join(body) + "\n</html>\n"
    )


def _set(entry: Json) -> list[str]:
    lines = [
        f"<h2>{escape(words.headline(entry))}</h2>",
        f'<p class="quiet">{escape(words.versions(entry))}</p>',
        *(f"<p>⚠ {escape(line)}</p>" for line in words.warnings(entry)),
        *(f"<p>{escape(line)}</p>" for line in words.columns(entry)),
        *_rows(entry, "retired", "gone"),
    ]
    if entry["flips"]:
        lines.append("<h3>Labels</h3><table><tr><th>change<th>rows</tr>")
        for flip in entry["flips"]:
            ids = ", ".join(f"<code>{escape(row_id)}</code>" for row_id in flip["row_ids"])
            more = " …" if flip["n"] > len(flip["row_ids"]) else ""
            lines.append(f"<tr><td>{escape(words.flip(flip))}<td>{ids}{more}</tr>")
        lines.append("</table>")
    if entry["cells"]:
        lines.append("<h3>Cells</h3><table><tr><th>row<th>column<th>before<th>after</tr>")
        for cell in entry["cells"]:
            before, after = (escape(words.cell(cell[s], 1 << 20)) for s in ("before", "after"))
            lines.append(
                f"<tr><td><code>{escape(cell['row_id'])}</code><td>{escape(cell['column'])}"
                f"<td><del>{before}</del><td><ins>{after}</ins></tr>"
            )
        lines.append("</table>")
        lines += _more(entry["counts"]["cells"], len(entry["cells"]), "changed cell")
    return lines + _rows(entry, "added", "come")


def _rows(entry: Json, kind: str, style: str) -> list[str]:
    rows = entry[kind]
    if not entry["counts"][kind]:
        return []
    heads = "".join(f"<th>{name}" for name in ("row", *_COLUMNS))
    lines = [f"<h3>{kind.capitalize()}</h3><table><tr>{heads}</tr>"]
    for row in rows:
        cells = "".join(f"<td>{escape(words.cell(row.get(c), 1 << 20))}" for c in _COLUMNS)
        lines.append(f'<tr class="{style}"><td><code>{escape(row["row_id"])}</code>{cells}</tr>')
    return [*lines, "</table>", *_more(entry["counts"][kind], len(rows), f"{kind} row")]


def _more(n_total: int, n_shown: int, noun: str) -> list[str]:
    return [f"<p>{escape(line)}</p>" for line in words.more(n_total, n_shown, noun)]
