"""A rubric's rewrite for people: the pull request's text, and the report in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

LONGEST = 160
"""Characters of a clause that are shown in a table."""


def as_pull_request(found: Json, hypothesis: str) -> tuple[str, str]:
    """(title, body in Markdown) of a proposed rewrite; the same proposal is the same text.

    Args:
        found: The proposal as JSON values.
        hypothesis: What the model says the old text gets wrong, or "".
    """
    compared = found["comparison"]
    title = (
        f"Rubric {found['rubric']} {found['new_version']}: agreement with people"
        f" {compared['gain']:+.1%} on {compared['n']} kept-back labels"
    )
    basis = (
        "The model saw the other half of the labels. Both lines were drawn there; the rows above"
        " were kept back until the text was final. The pinned holdout was used for neither."
    )
    after = (
        f"After the merge: `dvc repro calibrate`. Scores of version {found['version']} do not"
        " compare with those of the new one."
    )
    sure = (
        "The difference is more than chance."
        if compared["p"] < 0.05
        else "**That may be chance**: more labels would tell."
    )
    parts = [
        f"A model proposes to rewrite what `{found['judge']}` is told. Nothing merges itself.",
        f"**Hypothesis.** {_cell(hypothesis)}" if hypothesis else "",
        _figures(compared),
        f"The rewrite mends {compared['n_mended']} rows and breaks {compared['n_broken']}: accuracy"
        f" {compared['gain']:+.3f} [{compared['interval']['low']:+.3f},"
        f" {compared['interval']['high']:+.3f}], exact McNemar p {compared['p']:.2g}. {sure}"
        + _unscored(compared),
        basis,
        _clauses(found["dispute"]),
        f"```diff\n{found['diff'].rstrip()}\n```",
        after,
    ]
    return title, "\n\n".join(part for part in parts if part) + "\n"


def _figures(compared: Json) -> str:
    name = compared["objective"].replace("_", " ")
    rows = [
        f"| {label} | {_number(compared['before'][key])} | {_number(compared['after'][key])} |"
        for label, key in ((name, "objective_value"), ("accuracy", "accuracy"))
    ]
    kappas = [_number(compared[side]["kappa"]["value"]) for side in ("before", "after")]
    lines = [f"{compared[side]['threshold']:g}" for side in ("before", "after")]
    head = f"| on {compared['n']} kept-back rows | before | after |\n|---|---|---|"
    rows += [f"| kappa | {kappas[0]} | {kappas[1]} |", f"| line | {lines[0]} | {lines[1]} |"]
    return "\n".join([head, *rows])


def _unscored(compared: Json) -> str:
    missing = compared["n_unscored"]
    return f" {missing} rows got no score from one of the two and are left out." if missing else ""


def _clauses(dispute: Json) -> str:
    """The clauses with rows, as a table."""
    rows = [
        f"| {_cell(one['clause']['text'])} | {one['n']} | {one['n_lenient']} | {one['n_strict']} |"
        for one in dispute["clauses"]
        if one["n"]
    ]
    if not rows:
        return ""
    head = "| clause | rows that speak of it | judge too lenient | too strict |\n|---|---|---|---|"
    return "\n".join([head, *rows])


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def _line(text: str) -> str:
    return textwrap.shorten(" ".join(text.split()), LONGEST, placeholder=" …")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def terminal_lines(found: Json) -> list[str]:
    """The report on one rubric in 80 columns, without colour."""
    dispute = found["dispute"]
    head = f"{found['rubric']} {found['version']}, judged by {found['judge']}"
    lines = _wrapped(f"{head}: they differ on {dispute['n_differ']} of {dispute['n']} items", "")
    source = ""
    for one in dispute["clauses"]:
        if one["clause"]["source"] != source:
            source = one["clause"]["source"]
            lines.append(f"  {_SOURCES[source]}")
        lines += _clause(one)
    if dispute["n_unspoken"]:
        words = f"; people speak of {', '.join(dispute['words'])}" if dispute["words"] else ""
        told = f"{dispute['n_unspoken']} items on which they differ speak of no clause{words}"
        lines += _wrapped(_printable(told), "  ? ")
    if dispute["n_silent"]:
        told = f"{dispute['n_silent']} of those have neither a reason nor a comment"
        lines += _wrapped(told, "  · ")
    for rewrite in found["rewrites"]:
        if rewrite["hypothesis"]:
            lines += _wrapped(_printable(f"hypothesis: {rewrite['hypothesis']}"), "  ")
    if found["comparison"]:
        lines += _compared(found["comparison"])
    mark = "  ✓ " if found["outcome"] == "proposed" else "  · "
    lines += _wrapped(f"{found['outcome']}: {found['message']}", mark)
    if found["branch"]:
        lines += [f"    git diff HEAD...{found['branch']}"]
    return lines


_SOURCES = {"instructions": "what the judge is told", "guidance": "what people are told"}


def _clause(one: Json) -> list[str]:
    differ = one["n_lenient"] + one["n_strict"]
    text = _printable(_line(one["clause"]["text"]))
    lines = _wrapped(f"{one['clause']['number']}. {text}", "    ")
    if one["n"]:
        adjusted = one["p_adjusted"]
        more = f", p {adjusted:.2g}" if adjusted is not None and adjusted < 0.05 else ""
        kinds = f"{one['n_lenient']} too lenient, {one['n_strict']} too strict{more}"
        told = f"{differ} of {one['n']} differ" + (f": {kinds}" if differ else "")
        named = f"; {', '.join(one['examples'])}" if one["examples"] else ""
        lines += _wrapped(_printable(told + named), "       ")
    if one["is_told"] is False and one["clause"]["source"] == "guidance":
        lines += _wrapped("the judge is not told this", "       ! ")
    return lines


def _compared(compared: Json) -> list[str]:
    before, after = compared["before"], compared["after"]
    values = f"{_number(before['objective_value'])} → {_number(after['objective_value'])}"
    told = f"on {compared['n']} kept-back labels: {compared['objective']} {values}, accuracy"
    told += f" {_number(before['accuracy'])} → {_number(after['accuracy'])},"
    told += f" {compared['n_mended']} mended, {compared['n_broken']} broken, p {compared['p']:.2g}"
    return _wrapped(told, "  ")


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(text, 80, initial_indent=first, subsequent_indent=" " * len(first))


def _printable(text: str) -> str:
    """The text without control characters: a trace must not steer the reader's terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
