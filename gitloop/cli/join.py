"""gitloop join: feedback meets its traces."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gitloop.cli.options import Console, Verb, pass_console

if TYPE_CHECKING:
    from gitloop.steps.join import JoinReport

_SHOWN_SIGNALS = 3


@click.command(cls=Verb)
@pass_console
def join(console: Console) -> None:
    """Join every feedback event with its trace and its context.

    Each event ends in loop/join/joined.parquet, or in debug_only.parquet with its reasons. Example:
    gitloop join && dvc metrics show
    """
    from gitloop.steps.join import join as step

    report = step(console.directory)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: JoinReport) -> list[str]:
    """At most 14 lines of at most 80 columns."""
    metrics = report.metrics
    lines = [f"{metrics['n_events']:,} events on {metrics['n_traces']:,} traces"]
    lines.append(
        f"  {metrics['n_joined']:,} joined ({_percent(metrics['join_rate'])}),"
        f" {metrics['n_debug_only']:,} debug-only"
    )
    lines += _why_debug_only(metrics["reasons"])
    filled = [f"{name} {it['n_filled']:,}" for name, it in metrics["fields"].items()]
    lines.append(f"  filled from the trace: {', '.join(filled[1:4])}"[:80])
    conflicts = [f"{name} {n:,}" for name, n in metrics["conflicts"].items() if n]
    if conflicts:
        lines.append(f"  event and trace disagree, the trace wins: {', '.join(conflicts)}"[:80])
    lines.append(
        f"  duplicates {sum(metrics['duplicates'].values()):,},"
        f" before their trace {metrics['clock_skew']['n_before_trace']:,}"
    )
    signals = metrics["rates"]["all"]["signals"]
    often = sorted(signals, key=lambda name: (-signals[name]["n_hits"], name))
    lines += [f"  {_rate(name, signals[name])}" for name in often[:_SHOWN_SIGNALS]]
    if report.n_waiting:
        lines.append(f"  {report.n_waiting:,} events wait in the spool: gitloop capture seal")
    if report.n_requests:
        lines.append(f"  {report.n_requests:,} requests of spans wait: gitloop capture seal")
    if report.strays:
        lines.append(f"  not read, as no pointer names it: {report.strays[0]}"[:80])
    if metrics["n_joined"]:
        lines.append("next: gitloop cluster")
    return lines


def _why_debug_only(reasons: dict[str, int]) -> list[str]:
    """The reasons, most frequent first, and where the missing context comes from."""
    often = sorted((name for name in reasons if reasons[name]), key=lambda it: (-reasons[it], it))
    if not often:
        return []
    told = ", ".join(f"{name} {reasons[name]:,}" for name in often)
    lines = textwrap.wrap(f"why debug-only: {told}", 78, break_on_hyphens=False)
    missing = next((name for name in often if name.startswith("missing_")), None)
    if missing:
        field = missing.removeprefix("missing_")
        lines.append(f"→ in params.yaml: capture.columns, or import --set {field}=…")
    return [f"  {line}" for line in lines]


def _rate(signal: str, rate: dict[str, Any]) -> str:
    return (
        f"{signal} on {_percent(rate['rate'])} of traces"
        f" ({_percent(rate['low'])}–{_percent(rate['high'])})"
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
