"""`gitloop cluster`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.cluster import ClusterReport


@click.command(cls=Verb)
@pass_console
def cluster(console: Console) -> None:
    """Group the failures into named clusters; one-offs stay in a noise bucket.

    A stage of the loop: reads loop/join/joined.parquet, writes loop/cluster/.
    """
    from gitloop.steps.cluster import cluster_failures

    report = cluster_failures(console.directory)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: ClusterReport) -> list[str]:
    head = (
        f"{report.n_failures} failures, {report.n_distinct} distinct:"
        f" {len(report.clusters)} clusters, {report.n_noise} one-offs ({report.noise_rate:.0%})"
    )
    rows = [
        f"{found.cluster_id:<11} {found.n_failures:>4}  {style(_cut(found.name, 36), bold=True)}"
        f"  {_cut(', '.join(found.routes), 20)}"
        for found in report.clusters
    ]
    return [head, *rows]


def _cut(text: str, width: int) -> str:
    return f"{text:<{width}}" if len(text) <= width else f"{text[: width - 1]}…"
