"""`gitloop gate`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gitloop.cli.options import Console, Verb, Verbs, pass_console, style
from gitloop.errors import ExitCode

if TYPE_CHECKING:
    from gitloop.core.gate import SelfTest
    from gitloop.steps.gate import GateOutcome
    from gitloop.steps.gate.trials import PowerReport, ProofReport

FORMS = ("text", "json", "md", "junit", "sarif", "github", "gitlab")
_COLOURS = {
    "PASS": "green",
    "WARN": "yellow",
    "FAIL": "red",
    "NO VERDICT": "red",
    "✓ ": "green",
    "✗ ": "red",
    "E ": "red",
    "! ": "yellow",
    "? ": "yellow",
    "~ ": "yellow",
}


@click.group(cls=Verbs, invoke_without_command=True, forms=FORMS)
@click.option("--check", is_flag=True, help="Judge nothing: turn the recorded verdict into a code.")
@click.option("--strict", is_flag=True, help="With --check: warnings exit 3.")
@click.option("--aa", is_flag=True, help="Judge the same outputs again: how far does noise reach?")
@click.option(
    "--repeats",
    type=click.IntRange(min=2),
    default=2,
    show_default=True,
    metavar="N",
    help="With --aa: judgements of each output.",
)
@click.option(
    "--rows",
    type=click.IntRange(min=2),
    metavar="N",
    help="With --aa: judge N rows only. Default: all.",
)
@click.option("--prove", is_flag=True, help="Break the outputs: does the gate notice?")
@click.pass_context
def gate(
    ctx: click.Context,
    *,
    check: bool,
    strict: bool,
    aa: bool,
    repeats: int,
    rows: int | None,
    prove: bool,
) -> int | None:
    """Decide whether this commit may pass, and say why.

    Run by `dvc repro`, it writes loop/gate/gate.json and report.html and exits 0. In CI, `gitloop
    gate --check` exits 0 (pass), 2 (no), 3 (warnings, with --strict), 5, 6 or 7 (no verdict).
    """
    if ctx.invoked_subcommand is not None:
        return None
    if sum((check, aa, prove)) > 1:
        raise click.UsageError("--check, --aa and --prove exclude each other")
    if strict and not check:
        raise click.UsageError("--strict goes with --check")
    console: Console = ctx.obj
    if aa:
        return _aa(console, repeats, rows)
    if prove:
        return _prove(console)
    from gitloop.steps.gate import check as check_step
    from gitloop.steps.gate import gate as step

    if check:
        outcome = check_step(console.directory)
        _show(console, outcome)
        return outcome.exit_code(is_strict=strict)
    _show(console, step(console.directory, progress=console.progress))
    return None


@gate.command(cls=Verb)
@click.option(
    "--loss",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="The loss to be seen, as a difference of pass rates.",
)
@click.option(
    "--power",
    "chance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.8,
    show_default=True,
    help="With what chance.",
)
@pass_console
def power(console: Console, loss: float, chance: float) -> None:
    """Say how many golden rows each rubric, route and cohort needs to show a loss."""
    from gitloop.steps.gate.trials import power as step

    report = step(console.directory, loss=loss, power=chance)
    console.show(asdict(report), lambda: _power_lines(report))


def _aa(console: Console, repeats: int, rows: int | None) -> int | None:
    from gitloop.steps.gate.trials import aa as step

    report = step(console.directory, repeats=repeats, n_rows=rows, progress=console.progress)
    console.show(asdict(report), lambda: _aa_lines(report))
    return None


def _aa_lines(report: SelfTest) -> list[str]:
    lines = [f"{'rubric':<24}{'rows':>6}{'unstable':>10}{'flips':>9}{'noise':>9}{'floor':>9}"]
    for noise in report.rubrics:
        name = f"{noise.rubric[:23]:<24}"
        if noise.is_pure:
            lines.append(f"{name}{noise.judge} always answers the same: no noise")
            continue
        flips = "–" if noise.flip_rate is None else f"{noise.flip_rate:.1%}"
        far = "–" if noise.noise is None else f"{100 * noise.noise:.1f}"
        floor = f"{100 * noise.noise_floor:.1f}"
        lines.append(f"{name}{noise.n_rows:>6}{noise.n_unstable:>10}{flips:>9}{far:>9}{floor:>9}")
        if noise.is_floor_too_low and noise.noise is not None:
            wanted = f"noise_floor: {math.ceil(100 * noise.noise) / 100:.2f}"
            lines.append(f"  → below the noise: edit rubrics/{noise.rubric}.yaml: {wanted}")
    lines.append("flips: two verdicts on one output differ. noise, floor: points of the pass rate;")
    lines.append("noise is what one pair of runs in twenty exceeds though nothing changed.")
    if report.n_gates:
        lines.append(f"of {report.n_gates} gates on identical outputs, {report.n_blocked} blocked")
    return lines


def _prove(console: Console) -> int:
    from gitloop.steps.gate.trials import prove as step

    report = step(console.directory, progress=console.progress)
    console.show(asdict(report), lambda: _proof_lines(report))
    return int(ExitCode.OK if report.is_proven else ExitCode.GATE_FAILED)


def _proof_lines(report: ProofReport) -> list[str]:
    from gitloop.core.gate import MUTATIONS

    lines = []
    for proof in report.proofs:
        mark = style("✓", fg="green") if proof.is_caught else style("✗", fg="red")
        told = "no row could be broken so"
        if proof.n_rows:
            told = f"{proof.n_rows} rows broken, not noticed"
        if proof.n_smallest is not None:
            share = proof.n_smallest / report.n_rows
            told = f"noticed from {proof.n_smallest} of {report.n_rows} rows on ({share:.1%})"
        lines.append(f"{mark} {MUTATIONS[proof.mutation]}: {told}")
        lines += [
            f"    {one.rubric}: {one.n_noticed} of {one.n_passed} good rows no longer pass"
            for one in proof.rubrics
        ]
    if not report.is_proven:
        lines.append("→ a judge that does not notice this cannot guard against it: mend its rubric")
    return lines


def _power_lines(report: PowerReport) -> list[str]:
    lines = [
        f"rows that show a loss of {100 * report.loss:g} points in {report.power:.0%} of trials",
        f"  {'check':<10}{'rubric':<30}{'rows':>7}{'needed':>8}{'sees from':>11}{'change':>9}",
    ]
    for line in report.lines:
        subject = " · ".join(filter(None, (line.rubric, line.slice)))
        sees = "–" if line.mde is None else f"{100 * line.mde:.1f}"
        guessed = "" if line.is_measured else "~"
        enough = style("✓", fg="green") if line.n >= line.n_needed else style("!", fg="yellow")
        lines.append(
            f"{enough} {line.kind:<10}{subject[:29]:<30}{line.n:>7}{line.n_needed:>8}{sees:>11}"
            f"{guessed + format(line.discordance, '.0%'):>9}"
        )
    lines.append("change: share of rows whose verdict changes between runs; ~ is a guess")
    return lines


def _show(console: Console, outcome: GateOutcome) -> None:
    show_document(console, outcome.document)


def show_document(console: Console, document: dict[str, Any]) -> None:
    """Print a gate document in the form that was asked for."""
    from gitloop.plugins import load

    text = load("reports", console.form)().render(document)
    for line in text.split("\n"):
        console.result(_coloured(line) if console.form == "text" else line)


def _coloured(line: str) -> str:
    """The line with its verdict or mark in colour."""
    for start, colour in _COLOURS.items():
        if line.startswith(start):
            return style(start, fg=colour, bold=True) + line[len(start) :]
    return line
