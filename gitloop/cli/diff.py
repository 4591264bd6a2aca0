"""`gitloop diff`."""

from __future__ import annotations

import json

import click

from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.errors import ExitCode

FORMS = ("text", "json", "jsonl", "md", "html")
_LIMITS = {"text": 10, "md": 1000}
"""Entries of each kind that a form shows where --limit does not say."""

_COLOURS = {"- ": "red", "+ ": "green", "~ ": "yellow", "! ": "red"}


@click.command(cls=Verb, forms=FORMS)
@click.argument("before", required=False, metavar="[A")
@click.argument("after", required=False, metavar="[B]]")
@click.option("--set", "set_name", metavar="NAME", help="One golden set only.")
@click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Only rows with this value; repeatable.",
)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Entries of each kind.")
@click.option("--stat", is_flag=True, help="Counts only.")
@click.option("--direct", "is_direct", is_flag=True, help="Compare A itself, not where they part.")
@click.option("--exit-code", "tells", is_flag=True, help="Exit 1 when there is a difference.")
@pass_console
def diff(
    console: Console,
    *,
    before: str | None,
    after: str | None,
    set_name: str | None,
    where: tuple[str, ...],
    limit: int | None,
    stat: bool,
    is_direct: bool,
    tells: bool,
) -> int:
    """Show what changed in the golden sets: rows, labels, cells, schema.

    From A (default: HEAD) to B (default: the work tree), since the two parted, as a pull request
    shows it. A..B compares the two themselves.

    Example: gitloop diff main HEAD --set support --where route=refund
    """
    from gitloop.steps.diff import DiffRequest, is_empty
    from gitloop.steps.diff import diff as step

    shown = 0 if stat else limit if limit is not None else _LIMITS.get(console.form)
    request = DiffRequest(before, after, set_name, _conditions(where), shown, is_direct)
    value = step(console.directory, request)
    _print(console, value, is_stat=stat)
    return ExitCode.FAILURE if tells and not is_empty(value) else ExitCode.OK


def _conditions(where: tuple[str, ...]) -> dict[str, str]:
    pairs = [condition.partition("=") for condition in where]
    for column, sign, _ in pairs:
        if not sign:
            raise click.BadParameter(f"{column!r} is not COLUMN=VALUE", param_hint="--where")
    return {column: value for column, _, value in pairs}


def _print(console: Console, value: dict[str, object], *, is_stat: bool) -> None:
    if console.form == "jsonl":
        for entry in value["sets"]:  # type: ignore[attr-defined]
            console.result(json.dumps(entry, sort_keys=True, ensure_ascii=False))
        return
    if is_stat and console.form == "text":
        from gitloop.reports.diff_words import headline

        for entry in value["sets"]:  # type: ignore[attr-defined]
            console.result(headline(entry))
        return
    from gitloop.plugins import load

    for line in load("reports", console.form)().render(value).splitlines():
        colour = _COLOURS.get(line.strip()[:2]) if console.form == "text" else None
        console.result(style(line, fg=colour) if colour else line)
