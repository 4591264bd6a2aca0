"""`gitloop judge`: who scores."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.drift import bias, drift
from gitloop.cli.options import Console, Verb, Verbs, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.judge import (
        ArgumentLine,
        ExamplesReport,
        JudgeReport,
        MetricLine,
        TrainReport,
    )


@click.group(cls=Verbs)
def judge() -> None:
    """Look at the judges: what each needs, and what it returns; teach those that learn."""


@judge.command("list", cls=Verb)
@pass_console
def list_(console: Console) -> None:
    """Every judge kind, and every metric of the local judge with its arguments."""
    from gitloop.steps.judge import list_judges

    report = list_judges()
    console.show(asdict(report), lambda: _lines(report))


@judge.command("train", cls=Verb)
@click.argument("rubric")
@pass_console
def train(console: Console, rubric: str) -> None:
    """Fit a classifier on people's labels of RUBRIC, and say what to pin.

    Rows that calibrate.holdout_rate or a golden set's val and holdout keep back teach it nothing.
    Writes models/RUBRIC.json, which DVC tracks.
    """
    from gitloop.steps.judge import train_judge

    report = train_judge(console.directory, rubric)
    console.show(asdict(report), lambda: _trained(report))


@judge.command("examples", cls=Verb)
@click.argument("rubric")
@click.option("--most", type=click.IntRange(1, 1000), default=50, help="Most examples.")
@pass_console
def examples(console: Console, rubric: str, most: int) -> None:
    """Collect the rows on which people overruled the judge of RUBRIC, for its prompt.

    A language model is then shown the few most like the row it judges, and never that row itself.
    Rows that something is measured on stay out. Writes rubrics/examples/RUBRIC.jsonl.
    """
    from gitloop.steps.judge import collect_examples

    report = collect_examples(console.directory, rubric, most=most)
    console.show(asdict(report), lambda: _collected(report, rubric))


def _trained(report: TrainReport) -> list[str]:
    trained = report.training
    rows = f"{trained.n} rows of {trained.n_groups} groups"
    figures = (
        f"AUROC {trained.auroc:.3f}, Brier {trained.brier:.3f},"
        f" calibration error {trained.calibration_error:.3f}"
    )
    return [
        f"{style(report.path, bold=True)}  {rows}, {trained.n_pass} pass",
        f"  on rows it had not seen: {figures}",
        *_left_out(report.n_held_out, report.n_golden),
        "params.yaml:",
        f"  rubrics: {{{trained.rubric}: {{judge: {{use: classifier, parameters:",
        f"    {{model: {report.path}, sha256: {report.sha256}}}}}}}}}",
        f"next: git add {report.path}.dvc, pin it, and dvc repro calibrate",
    ]


def _collected(report: ExamplesReport, rubric: str) -> list[str]:
    counts = f"{report.n} of {report.n_corrections} corrections, {report.n_pass} pass"
    return [
        f"{style(report.path, bold=True)}  {counts}",
        *_left_out(report.n_held_out, report.n_golden),
        f"params.yaml: rubrics.{rubric}.judge.parameters:",
        f"  examples: {{file: {report.path}, n: 3,",
        f"    sha256: {report.sha256}}}",
        f"next: git add {report.path}, pin it, and dvc repro calibrate",
    ]


def _left_out(n_held_out: int, n_golden: int) -> list[str]:
    if not n_held_out and not n_golden:
        return []
    return [
        f"  left out: {n_held_out} held-out rows, {n_golden} rows that a golden set measures on"
    ]


def _lines(report: JudgeReport) -> list[str]:
    width = max(len(found.judge) for found in report.judges)
    lines = ["Judges (params.yaml: rubrics.<name>.judge.use)", ""]
    for found in report.judges:
        head, *more = textwrap.wrap(found.description, 70 - width)
        lines += [f"  {style(found.judge.ljust(width), bold=True)}  {found.version:3}  {head}"]
        lines += [f"{' ' * (width + 9)}{line}" for line in more]
    lines += ["", "Metrics of the local judge (rubrics/<name>.yaml: scorer.local.metric)", ""]
    for metric in report.metrics:
        lines += _metric(metric)
    return lines


def _metric(metric: MetricLine) -> list[str]:
    needs = ", ".join([*metric.needs, *(f"[{name}]" for name in metric.takes)])
    lines = [f"  {style(metric.metric, bold=True)}  {metric.returns}; needs {needs}"]
    lines += textwrap.wrap(metric.description, 78, initial_indent="    ", subsequent_indent="    ")
    for argument in metric.arguments:
        said = f"{argument.name}: {argument.description}{_default(argument)}"
        lines += textwrap.wrap(said, 78, initial_indent="      ", subsequent_indent="        ")
    return lines


def _default(argument: ArgumentLine) -> str:
    from gitloop.documents import scalar

    if argument.is_required:
        return " (required)"
    is_told = argument.default not in (None, (), {})
    return f" (default {scalar(argument.default)})" if is_told else ""


judge.add_command(drift)
judge.add_command(bias)
