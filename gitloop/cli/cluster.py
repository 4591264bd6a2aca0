"""`gitloop cluster`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.cluster import ClusterReport, Nightly, Ordered, Trail


@click.command(cls=Verb)
@click.option("--anew", is_flag=True, help="Give every cluster a new id; last night's are dropped.")
@click.option("--trail", "cluster_id", metavar="ID", help="Tell what became of a cluster; no run.")
@click.option(
    "--order",
    type=click.Choice(["boundary", "disagreement"]),
    help="List unlabelled failures that a label would teach most about; no run.",
)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N")
@click.option(
    "--map",
    "map_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw the map (.html or .svg) under the names that briefs give; no run.",
)
@pass_console
def cluster(
    console: Console,
    *,
    anew: bool,
    cluster_id: str | None,
    order: str | None,
    limit: int,
    map_path: Path | None,
) -> None:
    """Group the failures into named clusters; one-offs stay in a noise bucket.

    A stage of the loop: reads loop/join/joined.parquet, writes loop/cluster/. Clusters keep the ids
    that they had in the checked-out commit; loop/cluster/nights.jsonl records births, merges,
    splits and deaths.
    """
    from gitloop.steps.cluster import cluster_failures, draw_map, order_failures, trail

    if order is not None:
        ordered = order_failures(console.directory, order, limit, console.progress)
        console.show(asdict(ordered), lambda: _order_lines(ordered))
        return
    if map_path is not None:
        drawn = draw_map(console.directory, map_path, progress=console.progress)
        told = f"{drawn.path}: {drawn.n_clusters} clusters, {drawn.n_named} named by their briefs"
        console.show(asdict(drawn), lambda: [told])
        return
    if cluster_id is not None:
        found = trail(console.directory, cluster_id)
        console.show(asdict(found), lambda: _trail_lines(found))
        return
    report = cluster_failures(console.directory, anew=anew, progress=console.progress)
    console.show(asdict(report), lambda: _lines(report))


def _lines(report: ClusterReport) -> list[str]:
    head = (
        f"{report.n_failures} failures, {report.n_distinct} distinct:"
        f" {len(report.clusters)} clusters, {report.n_noise} one-offs ({report.noise_rate:.0%})"
    )
    rows = [
        f"{found.cluster_id:<11} {found.n_failures:>4}  {style(_cut(found.name, 36), bold=True)}"
        f"  {_cut(', '.join(found.routes), 20)}{'  new' if found.is_new else ''}".rstrip()
        for found in report.clusters
    ]
    return [head, *rows, *(_nightly(report.nightly) if report.nightly else [])]


def _nightly(found: Nightly) -> list[str]:
    """What became of last night's clusters, a line per event."""
    rate = f"{found.kept_rate:.1%} of {found.n_persisting}"
    lines = [f"night {found.number}: {rate} failures keep their cluster"]
    lines += [f"  gone    {name}" for name in found.deaths]
    lines += [f"  split   {name} → {', '.join(parts)}" for name, parts in found.splits.items()]
    lines += [f"  merged  {', '.join(parts)} → {name}" for name, parts in found.merges.items()]
    return lines


def _trail_lines(found: Trail) -> list[str]:
    life = f"{found.cluster_id} was born in night {found.born_in} of {found.n_nights}"
    if found.died_in is None:
        return [f"{life} and lives: {found.heirs.get(found.cluster_id, '')}".rstrip(": ")]
    lines = [f"{life} and died in night {found.died_in}"]
    lines += [
        f"  its failures are in {name}  {style(text, bold=True)}"
        for name, text in found.heirs.items()
    ]
    return (
        lines if found.heirs else [*lines, "  its failures are one-offs now, or reported no more"]
    )


def _order_lines(found: Ordered) -> list[str]:
    lines = [
        f"{doubt.doubt:.2f}  {doubt.trace_id:<32}  {_cut(doubt.reason, 38).rstrip()}"
        for doubt in found.doubts
    ]
    return [*lines, f"{found.n_left} more; {found.n_labelled} are labelled and left out"]


def _cut(text: str, width: int) -> str:
    return f"{text:<{width}}" if len(text) <= width else f"{text[: width - 1]}…"
