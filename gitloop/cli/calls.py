"""`gitloop calls`: the call store."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, Verbs, pass_console, style

if TYPE_CHECKING:
    from gitloop.core.calls import CallsDiff, CallTotals, Drift
    from gitloop.steps.calls import GcReport, StatsReport


@click.group(cls=Verbs)
def calls() -> None:
    """Look into the call store: every answer that was paid for."""


@calls.command("stats", cls=Verb)
@pass_console
def stats(console: Console) -> None:
    """What was recorded, by whom it was answered, and what it cost."""
    from gitloop.steps.calls import stats as step

    report = step(console.directory)
    console.show(asdict(report), lambda: _stats(report))


@calls.command("gc", cls=Verb)
@click.option("--unused", is_flag=True, help="Also answers that no commit's table of calls holds.")
@click.option("--dry-run", is_flag=True, help="Count, and leave everything as it is.")
@pass_console
def gc(console: Console, unused: bool, dry_run: bool) -> None:
    """Throw away torn and superseded lines of this clone's store.

    An answer that goes is paid for again when it is asked for again: --unused keeps what stands in
    a table of calls of the work tree or of any commit that this clone has.
    """
    from gitloop.steps.calls import gc as step

    report = step(console.directory, unused=unused, dry_run=dry_run)
    console.show(asdict(report), lambda: _gc(report))


@calls.command("export", cls=Verb)
@click.argument("file", required=False, type=click.Path(dir_okay=False))
@pass_console
def export(console: Console, file: str | None) -> None:
    """Every recorded call as JSON lines, to FILE or to stdout."""
    from gitloop.steps.calls import export as step

    report = step(console.directory, file)
    if file is None:
        console.result(report.text.rstrip("\n"))
        return
    bare = f", {report.n_bare} without their request" if report.n_bare else ""
    console.show(asdict(report), lambda: [f"{report.n} calls in {file}{bare}"])


@calls.command("diff", cls=Verb)
@click.argument("before", default="HEAD")
@click.argument("after", required=False)
@click.option("--stage", default="score", show_default=True, help="Whose calls.")
@pass_console
def diff(console: Console, before: str, after: str | None, stage: str) -> None:
    """How recorded answers differ between BEFORE and AFTER, by default HEAD and the work tree."""
    from gitloop.steps.calls import diff as step

    report = step(console.directory, before, after, stage=stage)
    console.show(asdict(report), lambda: _diff(report))


def _stats(report: StatsReport) -> list[str]:
    store = report.store
    lines = [f"{style(store.path, bold=True)}  {_size(store.n_bytes)}  {_totals(store.totals)}"]
    if store.n_superseded or store.n_torn:
        told = f"{store.n_superseded} superseded lines, {store.n_torn} torn ones"
        lines.append(f"  {told}; next: gitloop calls gc")
    for path, totals in report.tables.items():
        lines.append(f"{style(path, bold=True)}  {_totals(totals)}")
        lines += [f"  {n:>7,} {kind}" for kind, n in totals.kinds.items()]
        lines += [f"  {n:>7,} answered by {model}" for model, n in totals.models.items()]
    if not report.tables:
        lines.append("no stage has recorded calls yet; next: dvc repro score")
    return lines


def _totals(totals: CallTotals) -> str:
    told = f"{totals.n:,} calls"
    if totals.n_input_tokens or totals.n_output_tokens:
        told += f", {totals.n_input_tokens:,} tokens read, {totals.n_output_tokens:,} written"
    return told + (f", ${totals.cost_usd:,.4f}" if totals.cost_usd else "")


def _gc(report: GcReport) -> list[str]:
    what = f"{report.n_torn} torn and {report.n_superseded} superseded lines"
    unused = f", {report.n_unused} unused answers" if report.n_unused else ""
    if not report.is_done:
        return [f"would throw away {what}{unused}; {report.n_kept:,} answers stay"]
    freed = f"; {_size(report.n_bytes)} freed, {report.n_kept:,} answers stay"
    return [f"threw away {what}{unused}{freed}"]


def _diff(report: CallsDiff) -> list[str]:
    head = f"{report.n_before:,} calls before, {report.n_after:,} after"
    return [f"{head}: {report.n_gone:,} gone, {report.n_new:,} new", *drift_lines(report.drift)]


def drift_lines(drift: Drift, most: int = 20) -> list[str]:
    """How answers drifted, for people."""
    rate = "" if drift.change_rate is None else f" ({drift.change_rate:.1%})"
    rest = f"{drift.n_reworded:,} only reworded, {drift.n_failed:,} failed"
    lines = [f"{drift.n:,} answered twice: {drift.n_changed:,} decided differently{rate}, {rest}"]
    if drift.mean_delta is not None:
        lines.append(f"  scores moved by {drift.mean_delta:+.4f} on average")
    for change in drift.changes[:most]:
        owner = f" {change.of}" if change.of else ""
        lines.append(f"  {change.call_id[:12]}  {change.kind}{owner}: {_short(change.before)}")
        lines.append(f"  {' ' * 12}  → {_short(change.after)}")
    if len(drift.changes) > most:
        lines.append(f"  and {len(drift.changes) - most} more; all of them: --format json")
    return lines


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB" if n_bytes >= 1e5 else f"{n_bytes:,} B"
