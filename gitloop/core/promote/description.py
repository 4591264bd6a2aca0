"""A promotion in words: the commit message and the pull request's body.

Counts come first, then at most three samples each, and what is left out is said. Text of users is
shown only from the columns that dataset.yaml names for review: Git history is for ever.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import polars as pl

from gitloop.core.promote.cases import Agreement, LeftOut
from gitloop.core.promote.privacy import Finding

MAX_CHARACTERS = 60_000
"""Forges cut comments off at 65,536 characters; nobody reads that far."""

_SAMPLES = 3
_MOST_CLUSTERS = 40
_MOST_CELL = 160
_PLAIN_NAME = re.compile(rf"[A-Za-z0-9_.:/+-]{{1,{_MOST_CELL}}}")


@dataclass(frozen=True, slots=True)
class Promotion:
    """Rows that enter a set, and all there is to tell about them.

    Attributes:
        set_name: The set.
        version: The version that they make.
        record: Id of its record.
        parents: The versions that they were added to; () for a new set.
        n_before: Rows of the set before.
        rows: The new rows; fits `tables.GOLDEN`.
        left_out: The cases that were not promoted.
        fixes: cluster_id → its immediate fix, or None, for each chosen cluster.
        agreement: How often people agreed on the clusters' cases.
        masked: Personal data that was replaced.
        names: cluster_id → the name that a model or a person gave it, where there is one.
    """

    set_name: str
    version: str
    record: str
    parents: tuple[str, ...]
    n_before: int
    rows: pl.DataFrame
    left_out: tuple[LeftOut, ...]
    fixes: Mapping[str, str | None]
    agreement: Agreement
    masked: tuple[Finding, ...]
    names: Mapping[str, str] = field(default_factory=dict)


def commit_message(promotion: Promotion) -> str:
    """The commit's message: a subject, the counts, and trailers that repeat the record."""
    rows = promotion.rows
    after = promotion.n_before + rows.height
    lines = [
        f"Promote {_count(rows.height, 'row')} into {promotion.set_name}",
        "",
        f"From {_count(rows['cluster_id'].n_unique(), 'cluster')}: {_splits(rows)}.",
        f"The set grows from {promotion.n_before} to {_count(after, 'row')}.",
    ]
    if promotion.left_out:
        lines.append(f"Left out: {_reasons(promotion.left_out)}.")
    lines += ["", *trailers(promotion)]
    return "\n".join(lines) + "\n"


def trailers(promotion: Promotion) -> list[str]:
    """Git trailers for people and their searches; the record in the tree is what counts."""
    return [
        f"Gitloop-Dataset: {promotion.set_name}",
        f"Gitloop-Version: {promotion.version}",
        f"Gitloop-Record: {promotion.record}",
        *(f"Gitloop-Parent: {parent}" for parent in promotion.parents),
    ]


def pull_request(promotion: Promotion, review_columns: Sequence[str]) -> str:
    """The pull request's body, in Markdown, under `MAX_CHARACTERS`.

    Args:
        promotion: What is promoted.
        review_columns: Columns whose text may be shown.
    """
    head = [
        f"## Promote {_count(promotion.rows.height, 'row')} into `{promotion.set_name}`",
        "",
        *_counts(promotion),
        "",
        *_clusters(promotion),
        *_left_out(promotion.left_out),
        *_masked(promotion.masked),
    ]
    tail = ["", *trailers(promotion), ""]
    samples = _samples(promotion, review_columns)
    body = "\n".join([*head, *samples, *tail])
    if len(body) >= MAX_CHARACTERS:
        said = ["", f"Samples are left out: the body would be {len(body):,} characters long."]
        body = "\n".join([*_beginning(head, MAX_CHARACTERS - 2_000), *said, *tail])
    return body


def _beginning(lines: Sequence[str], n_characters: int) -> list[str]:
    """The first lines that fit, and a word about the others."""
    ends = list(accumulate(len(line) + 1 for line in lines))
    fitting = [line for line, end in zip(lines, ends, strict=True) if end <= n_characters]
    rest = len(lines) - len(fitting)
    return [*fitting, "", f"{_count(rest, 'line')} more would not fit."] if rest else fitting


def _counts(promotion: Promotion) -> list[str]:
    rows, found = promotion.rows, promotion.agreement
    after = promotion.n_before + rows.height
    verdicts = Counter(
        (label["rubric"], label["expected"]) for labels in rows["labels"] for label in labels
    )
    told = ", ".join(
        f"{rubric}: {n} {verdict}" for (rubric, verdict), n in sorted(verdicts.items())
    )
    agreed = "nobody labelled an item twice"
    if found.rate is not None:
        low, high = found.interval.low, found.interval.high
        agreed = (
            f"{found.n_unanimous} of {_count(found.n_items, 'item')} unanimous"
            f" ({found.rate:.0%}, 95 % interval {low:.0%} to {high:.0%})"
        )
    annotators = {name for names in rows["annotators"] for name in names}
    return [
        "| | |",
        "|---|---|",
        f"| version | `{promotion.version}` |",
        f"| parent | {', '.join(f'`{parent}`' for parent in promotion.parents) or 'none'} |",
        f"| rows | +{rows.height} ({promotion.n_before} → {after}) |",
        f"| splits | {_splits(rows)} |",
        f"| verdicts | {told} |",
        f"| people | {len(annotators)}; {agreed} |",
        f"| left out | {len(promotion.left_out)} |",
        f"| masked | {sum(finding.n for finding in promotion.masked)} pieces of personal data |",
    ]


def _clusters(promotion: Promotion) -> list[str]:
    sizes = Counter(promotion.rows["cluster_id"].to_list())
    ordered = sorted(promotion.fixes, key=lambda cluster_id: (-sizes[cluster_id], cluster_id))
    lines = ["### Clusters", "", "| cluster | rows | immediate fix |", "|---|---|---|"]
    for cluster_id in ordered[:_MOST_CLUSTERS]:
        fix = promotion.fixes[cluster_id]
        title = _titled(cluster_id, promotion.names)
        lines.append(f"| {title} | {sizes[cluster_id]} | {_cell(fix) if fix else '–'} |")
    return [*lines, *_more(len(ordered) - _MOST_CLUSTERS, "cluster")]


def _titled(cluster_id: str, names: Mapping[str, str]) -> str:
    """The cluster by its id, and by its name where it has one."""
    name = names.get(cluster_id)
    return f"{_name(cluster_id)} {_cell(name)}" if name else _name(cluster_id)


def _left_out(left_out: Sequence[LeftOut]) -> list[str]:
    if not left_out:
        return []
    lines = ["", "### Left out", ""]
    for reason, n in Counter(case.reason for case in left_out).most_common():
        cases = [case for case in left_out if case.reason == reason]
        lines.append(f"- **{n}** {reason}")
        for case in cases[:_SAMPLES]:
            detail = f": {_cell(case.detail)}" if case.detail else ""
            lines.append(f"  - {_name(case.trace_id)}{detail}")
        if n > _SAMPLES:
            lines.append(f"  - … and {n - _SAMPLES} more")
    return lines


def _masked(masked: Sequence[Finding]) -> list[str]:
    if not masked:
        return []
    kinds: Counter[tuple[str, str]] = Counter()
    for finding in masked:
        kinds[finding.column, finding.kind] += finding.n
    told = ", ".join(f"{n} × {kind} in {column}" for (column, kind), n in sorted(kinds.items()))
    return ["", f"Personal data was replaced by its kind: {told}."]


def _samples(promotion: Promotion, review_columns: Sequence[str]) -> list[str]:
    columns = [name for name in review_columns if name in promotion.rows.columns]
    lines = ["", "### Samples", ""]
    lines += [f"| row | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    shown = 0
    clusters = promotion.rows["cluster_id"].unique().sort().to_list()
    for cluster_id in clusters[:_MOST_CLUSTERS]:
        of_cluster = promotion.rows.filter(pl.col("cluster_id").eq_missing(cluster_id))
        for row in of_cluster.sort("row_id").head(_SAMPLES).iter_rows(named=True):
            cells = " | ".join(_cell(row[name]) for name in columns)
            lines.append(f"| `{row['row_id']}` | {cells} |")
            shown += 1
    return [*lines, *_more(promotion.rows.height - shown, "row")]


def _more(n: int, noun: str) -> list[str]:
    return ["", f"… and {_count(n, f'more {noun}')}."] if n > 0 else []


def _name(text: str) -> str:
    """An id out of the data, set as code where that is safe, else as inert text."""
    return f"`{text}`" if _PLAIN_NAME.fullmatch(text) else _cell(text)


def _cell(value: Any) -> str:  # noqa: ANN401 -- any column's value
    """The value as one inert line of a Markdown table: no markup, no mention, no link."""
    if isinstance(value, list):
        value = ", ".join(
            f"{item['rubric']}: {item['expected']}" if isinstance(item, dict) else str(item)
            for item in value
        )
    text = " ".join(str("" if value is None else value).split())
    text = text if len(text) <= _MOST_CELL else f"{text[: _MOST_CELL - 1]}…"
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(
        f"&#{ord(letter)};" if letter in "\\`*_[]|@#~!:" else letter for letter in escaped
    )


def _splits(rows: pl.DataFrame) -> str:
    sizes = Counter(rows["split"].to_list())
    return ", ".join(f"{sizes[name]} {name}" for name in ("train", "val", "holdout"))


def _reasons(left_out: Iterable[LeftOut]) -> str:
    counted = Counter(case.reason for case in left_out).most_common()
    return ", ".join(f"{n} {reason}" for reason, n in counted)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
