"""`gitloop why`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.why import WhyReport

_MOST = 10


@click.command(cls=Verb)
@click.argument("row")
@click.option("--rev", "revision", metavar="REV", help="As that commit holds it.")
@pass_console
def why(console: Console, *, row: str, revision: str | None) -> None:
    """Show why a golden row is there: feedback, trace, cluster, labels, records, gate runs.

    ROW is a row's id or a clear beginning of it.
    """
    from gitloop.steps.why import why as step

    report = step(console.directory, row, revision)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: WhyReport) -> list[str]:
    row, trace, cluster = report.row, report.trace, report.cluster
    labels = ", ".join(f"{item['rubric']}: {item['expected']}" for item in row["labels"])
    lines = [
        style(f"{row['row_id']} in {report.set} ({row['split']})", bold=True),
        f"  input     {_text(row['input'])}",
        f"  expected  {labels}",
        style("feedback", bold=True),
    ]
    lines += [_event(event) for event in report.feedback[:_MOST]]
    lines += _rest(len(row["source_feedback_ids"]), min(len(report.feedback), _MOST), "event")
    lines.append(style(f"trace {row['source_trace_id']}", bold=True))
    lines += _trace(trace) if trace else ["  no part of data/traces has it any more"]
    lines.append(style(f"cluster {row['cluster_id'] or '–'}", bold=True))
    gone = f"  not there any more; run: gitloop cluster --trail {row['cluster_id']}"
    if row["cluster_id"]:
        lines.append(f"  {_text(cluster['name'])}" if cluster else gone)
    lines.append(style("labels", bold=True))
    lines += [_label(label) for label in report.labels]
    lines.append(style("history", bold=True))
    lines += [_record(record) for record in report.history]
    lines.append(style("gate runs", bold=True))
    for run in report.gate_runs[:_MOST]:
        changes = f"  {', '.join(run.changes)}" if run.changes else ""
        head = f"  {run.committed_at[:10]}  {run.commit[:10]}  {run.verdict}{changes}"
        lines.append(f"{head}  {_text(run.author, 20)}")
    n_runs = len(report.gate_runs)
    return lines + (_rest(n_runs, min(n_runs, _MOST), "run") if n_runs else ["  none so far"])


def _event(event: Mapping[str, Any]) -> str:
    comment = f"  {_text(event['comment'], 40)}" if event["comment"] else ""
    return f"  {event['created_at'][:16]}  {event['signal_type']:<12}{comment}"


def _trace(trace: Mapping[str, Any]) -> list[str]:
    place = "/".join(str(trace[name]) for name in ("route", "user_cohort") if trace[name])
    when = (trace["created_at"] or "–")[:16]
    return [
        f"  {when}  {place or '–'}  prompt {trace['prompt_version'] or '–'}",
        f"  output    {_text(trace['output'])}",
    ]


def _label(label: Mapping[str, Any]) -> str:
    comment = f"  {_text(label['comment'], 32)}" if label["comment"] else ""
    return (
        f"  {label['created_at'][:10]}  {_text(label['annotator'], 14):<14} {label['role']:<10}"
        f"{label['rubric']}: {label['label']}{comment}"
    )


def _record(record: Mapping[str, Any]) -> str:
    origin = f"{record['commit'][:10]} {record['author']}" if record["commit"] else "not merged yet"
    reason = f": {_text(record['why'], 30)}" if record["why"] else ""
    return f"  {record['created_at'][:10]}  {record['version']}  {record['kind']}  {origin}{reason}"


def _rest(n: int, n_shown: int, noun: str) -> list[str]:
    left = n - n_shown
    return [f"  … and {left} more {noun}{'' if left == 1 else 's'}"] if left > 0 else []


def _text(value: object, width: int = 66) -> str:
    words = " ".join(str("–" if value is None else value).split())
    text = "".join(letter if letter.isprintable() else "·" for letter in words)
    return text if len(text) <= width else f"{text[: width - 1]}…"
