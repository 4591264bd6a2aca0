"""`gitloop status`."""

from __future__ import annotations

from dataclasses import asdict
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.status import GoldenState, StatusReport

_COLOURS = {"pass": "green", "fail": "red", "warn": "yellow"}


@click.command(cls=Verb)
@pass_console
def status(console: Console) -> None:
    """Say in one screen where the loop stands, and what to run next."""
    from gitloop.steps.status import status as step

    report = step(console.directory)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: StatusReport) -> list[str]:
    rows = [
        ("events", _events(report)),
        *([("spans", _spans(report))] if report.n_waiting_requests else []),
        ("join", _join(report)),
        ("clusters", _clusters(report)),
        ("labels", _labels(report)),
        *[(f"golden {golden.name}", _golden(golden)) for golden in report.golden],
        ("gate", _gate(report)),
        *[("stale", line) for line in _stale(report)],
    ]
    width = max(len(name) for name, _ in rows) + 2
    lines = [f"{style(f'{name:<{width}}', bold=True)}{text}" for name, text in rows]
    return [*lines, *(["", *(f"  → {command}" for command in report.next)] if report.next else [])]


def _events(report: StatusReport) -> str:
    parts = f"{report.n_trace_parts} trace and {report.n_feedback_parts} feedback files sealed"
    waiting = report.n_waiting_events
    return f"{waiting:,} waiting to be sealed; {parts}" if waiting else f"none waiting; {parts}"


def _spans(report: StatusReport) -> str:
    n = report.n_waiting_requests
    return f"{n:,} request{'s' if n != 1 else ''} of spans waiting to be sealed"


def _join(report: StatusReport) -> str:
    if report.n_joined is None or report.join_rate is None:
        return "never run"
    left = f"; {report.n_debug_only:,} for debugging only" if report.n_debug_only else ""
    return f"{report.n_joined:,} events joined, {report.join_rate:.1%}{left}"


def _clusters(report: StatusReport) -> str:
    if report.n_clusters is None or report.noise_rate is None:
        return "never run"
    return f"{report.n_clusters} open; {report.noise_rate:.0%} of the failures are one-offs"


def _labels(report: StatusReport) -> str:
    given = ", ".join(f"{name} {n:,}" for name, n in report.n_labels.items()) or "none"
    wanted = report.n_labels_wanted
    return f"{given}; {wanted} cases want more" if wanted else given


def _golden(golden: GoldenState) -> str:
    if not golden.version:
        return "empty"
    rows = "rows of two branches" if golden.n_rows is None else f"{golden.n_rows:,} rows"
    return f"{golden.version}, {rows} in {golden.n_parts} part{'s' if golden.n_parts != 1 else ''}"


def _gate(report: StatusReport) -> str:
    if report.gate_verdict is None:
        return "never run"
    colour = _COLOURS.get(report.gate_verdict, "yellow")
    failed = f": {', '.join(report.gate_failures)}" if report.gate_failures else ""
    return style(report.gate_verdict, fg=colour, bold=True) + failed


def _stale(report: StatusReport) -> list[str]:
    lines = [f"{s.name}: {s.reason} changed" for s in report.stages if s.state == "stale"]
    for state in ("waiting", "never run"):
        names = [stage.name for stage in report.stages if stage.state == state]
        lines += wrap(f"{state}: {', '.join(names)}", 60) if names else []
    return lines or ["nothing"]
