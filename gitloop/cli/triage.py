"""`gitloop triage`: a brief per failure cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.triage import BriefLine, TriageReport

_COLOURS = {"critical": "red", "high": "red", "medium": "yellow"}


@click.command(cls=Verb)
@click.argument("clusters", nargs=-1, metavar="[CLUSTER]...")
@click.option("--extractive", is_flag=True, help="Ask no model, whatever params.yaml says.")
@click.option("--again", is_flag=True, help="Write briefs again whose inputs did not change.")
@click.option("--overwrite", is_flag=True, help="Write over briefs that a person edited.")
@pass_console
def triage(
    console: Console, clusters: tuple[str, ...], extractive: bool, again: bool, overwrite: bool
) -> None:
    """Write a brief per failure cluster: what it is, why, and what to do about it.

    Briefs are files in Git, loop/cluster/briefs/<cluster>.yaml: commit them, so that a pull request
    reviews them. Without params.yaml: triage.agent a brief only quotes and counts. With it an agent
    reads the traces; every claim cites a span, and one that its source does not bear is struck.
    """
    from gitloop.steps.triage import Rewrite
    from gitloop.steps.triage import triage as step

    report = step(
        console.directory,
        clusters,
        Rewrite(unchanged=again, edited=overwrite),
        extractive=extractive,
        progress=console.progress,
    )
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: TriageReport) -> list[str]:
    lines = [line for found in report.briefs for line in _brief(found)]
    states = [found.state for found in report.briefs]
    counts = ", ".join(
        f"{states.count(state)} {word}"
        for state, word in (
            ("written", "written"),
            ("unchanged", "unchanged"),
            ("edited", "edited by people and left alone"),
        )
        if state in states
    )
    n_struck = sum(found.n_struck for found in report.briefs)
    n_made = sum(found.n_made for found in report.briefs)
    claims = f"; {n_struck} of {n_made} claims struck" if n_made else ""
    cost = f"; {report.cost_usd:.4f} US dollars" if report.cost_usd else ""
    lines.append(f"{len(states)} briefs: {counts}{claims}{cost}")
    if any(found.method.startswith("extractive/") for found in report.briefs):
        lines.append("no model read the traces, so that no scores were given: triage.agent")
    return lines


def _brief(found: BriefLine) -> list[str]:
    severity = style(f"{found.severity:<8}", fg=_COLOURS.get(found.severity))
    state = "" if found.state == "written" else f"  {found.state}"
    name = style(_cut(found.name, 44), bold=True)
    lines = [f"{found.cluster_id:<11} {severity} {found.n_failures:>4}  {name}{state}"]
    if found.immediate_fix:
        lines.append(f"  → {_cut(' '.join(found.immediate_fix.split()), 74)}")
    if found.n_unquoted:
        lines.append(f"  {found.n_unquoted} quotes do not stand in the span that they cite")
    if found.n_struck:
        lines.append(f"  {found.n_struck} of {found.n_made} claims struck")
    return lines


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
