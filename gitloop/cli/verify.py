"""`gitloop verify`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style
from gitloop.errors import ExitCode

if TYPE_CHECKING:
    from gitloop.steps.verify import VerifyReport


_GATE = "loop/gate/gate.json"


@click.command(cls=Verb)
@click.argument("revision", required=False, metavar="[REV|A..B]")
@click.option("--gate", "replays", is_flag=True, help="Derive the gate result again, offline.")
@pass_console
def verify(console: Console, *, revision: str | None, replays: bool) -> int:
    """Prove that golden sets, records, cache and gate result of a commit agree.

    Without REV, the work tree. Pointers, cache and records agree, keys are unique, parents are
    known, no merge lost a row, and the gate read the set that is there. One line per finding; exit
    5 when there is one. --gate also runs score and gate again in a worktree of their own, every
    call replayed, and compares the bytes.
    """
    from gitloop.steps.verify import verify as step

    report = step(console.directory, revision, replays_gate=replays, progress=console.progress)
    console.show(asdict(report), lambda: _lines(report, is_derived=replays))
    if console.is_quiet and console.form == "text":
        for line in _findings(report):
            console.result(line)
    return ExitCode.DATA if report.findings else ExitCode.OK


def _lines(report: VerifyReport, *, is_derived: bool) -> list[str]:
    lines = [
        f"{found.name:<20} {found.version or '–':<24} {found.n_rows:>6} rows,"
        f" {found.n_parts} part{'' if found.n_parts == 1 else 's'}"
        for found in report.sets
    ]
    if is_derived and not any(found.path == _GATE for found in report.findings):
        lines.append(f"{_GATE}: derived again from what is recorded, the same bytes")
    lines += _findings(report)
    n = len(report.findings)
    told = f"{n} finding{'s' if n != 1 else ''}" if n else "everything agrees"
    return [*lines, style(f"{report.what}: {told}", bold=True)]


def _findings(report: VerifyReport) -> list[str]:
    lines = []
    for finding in report.findings:
        commit = f"  ({finding.commit})" if finding.commit else ""
        lines.append(f"{style(finding.path, fg='red')}: {finding.fact}{commit}")
    return lines
