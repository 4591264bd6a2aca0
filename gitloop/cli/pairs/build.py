"""`gitloop pairs build`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.pairs.build import PairsReport


@click.command(cls=Verb)
@pass_console
def build(console: Console) -> None:
    """Build loop/pairs/pairs.parquet, and every answer's reward.

    A stage of the loop. params.yaml: pairs.sources names where preferences come from: clusters,
    votes, thumbs, scores, judge, sessions.
    """
    from gitloop.steps.pairs.build import build_pairs

    report = build_pairs(console.directory, console.progress)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: PairsReport) -> list[str]:
    counts = ", ".join(f"{n} {name}" for name, n in report.by_split.items())
    head = style(f"{report.n_pairs} pairs", bold=True)
    lines = [f"{head} on {report.n_prompts} prompts" + (f": {counts}" if counts else "")]
    for one in report.sources:
        margin = "" if one.mean_margin is None else f", mean margin {one.mean_margin:.2f}"
        review = f", {one.n_review} for review" if one.n_review else ""
        lines.append(f"  {one.source:<10}{one.n:>6}{margin}{review}")
    if report.verified_by:
        how = ", ".join(f"{n} {name}" for name, n in report.verified_by.items())
        lines.append(f"chosen answers of clusters were verified by: {how}")
    length = report.length
    if length.longer_rate is not None and length.interval is not None:
        bounds = f"[{length.interval.low:.2f}, {length.interval.high:.2f}]"
        told = f"the chosen answer is the longer one in {length.longer_rate:.0%} {bounds}"
        lines.append(f"! {told}" if length.is_biased else told)
    if report.order is not None and report.order.first_rate is not None:
        lines.append(
            f"the judge turned with the order in {report.order.n_inconsistent} of"
            f" {report.order.n}; it prefers the first in {report.order.first_rate:.0%}"
        )
    if report.n_rewards:
        lines.append(f"{report.n_rewards} answers have a reward")
    for source, reasons in report.dropped.items():
        lines += [f"left out: {n} of {source} ({reason})" for reason, n in reasons.items()]
    if report.n_pairs:
        lines.append("next: gitloop pairs label")
    return lines
