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
        JudgeLine,
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
    lines = ["Judges (params.yaml: rubrics.<name>.judge.use)", ""]
    for kind in report.judges:
        lines += _kind(kind)
    lines += ["", "Metrics of the local judge (rubrics/<name>.yaml: scorer.local.metric)", ""]
    for metric in report.metrics:
        lines += _metric(metric)
    return lines


def _kind(kind: JudgeLine) -> list[str]:
    needs = "".join(f"; needs {name}" for name in kind.needs)
    lines = [f"  {style(kind.judge, bold=True)} {kind.version}  {kind.returns}{needs}"]
    lines += _wrapped(kind.description, 4, 4)
    if kind.form not in (kind.judge, None):
        return [*lines, f"    parameters and scorer as of {kind.form}"]
    for place, arguments in (
        ("judge.parameters", kind.parameters),
        (f"scorer.{kind.form}", kind.form_arguments),
    ):
        if arguments:
            lines += [f"    {place}", *_arguments(arguments)]
    return lines


def _metric(metric: MetricLine) -> list[str]:
    needs = ", ".join([*metric.needs, *(f"[{name}]" for name in metric.takes)])
    lines = [f"  {style(metric.metric, bold=True)}  {metric.returns}; needs {needs}"]
    return [*lines, *_wrapped(metric.description, 4, 4), *_arguments(metric.arguments)]


def _arguments(arguments: tuple[ArgumentLine, ...]) -> list[str]:
    told = [f"{one.name}: {one.description}{_choices(one)}{_default(one)}" for one in arguments]
    return [line for text in told for line in _wrapped(text, 6, 8)]


def _wrapped(text: str, first: int, rest: int) -> list[str]:
    return textwrap.wrap(text, 78, initial_indent=" " * first, subsequent_indent=" " * rest)


def _choices(argument: ArgumentLine) -> str:
    """What may be said, where the description does not tell."""
    if all(choice in argument.description for choice in argument.choices):
        return ""
    return f", one of {', '.join(argument.choices)}"


def _default(argument: ArgumentLine) -> str:
    from gitloop.documents import scalar

    if argument.is_required:
        return " (required)"
    default = argument.default
    if default in (None, (), {}, ""):
        return ""
    told = ", ".join(default) if isinstance(default, tuple) else scalar(default)
    return f" (default {told})"


judge.add_command(drift)
judge.add_command(bias)
