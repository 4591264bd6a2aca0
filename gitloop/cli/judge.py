"""`gitloop judge`: who scores."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.drift import bias, drift
from gitloop.cli.options import Console, Verb, Verbs, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.judge import ArgumentLine, JudgeReport, MetricLine


@click.group(cls=Verbs)
def judge() -> None:
    """Look at the judges: what each needs, and what it returns."""


@judge.command("list", cls=Verb)
@pass_console
def list_(console: Console) -> None:
    """Every judge kind, and every metric of the local judge with its arguments."""
    from gitloop.steps.judge import list_judges

    report = list_judges()
    console.show(asdict(report), lambda: _lines(report))


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
