"""`gitloop pairs`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verbs, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.pairs import PairsReport


@click.group(cls=Verbs)
def pairs() -> None:
    """Preference pairs for DPO and reward models, from what the loop knows."""


@pairs.command()
@pass_console
def build(console: Console) -> None:
    """Build loop/pairs/pairs.parquet from thumbs, clusters, scores or votes.

    A stage of the loop; params.yaml: pairs names the sources.
    """
    from gitloop.steps.pairs import build_pairs

    report = build_pairs(console.directory)
    console.show(asdict(report), lambda: _lines(report))


@pairs.command()
@click.option(
    "--to",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="File format.",
)
@click.option("--split", type=click.Choice(["train", "holdout"]), help="One split alone.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; JSON lines go to stdout without it.",
)
@pass_console
def export(console: Console, form: str, split: str | None, output: Path | None) -> None:
    """Write the pairs as prompt, chosen, rejected, margin and metadata."""
    from gitloop.steps.pairs import export_pairs

    n_pairs, text = export_pairs(console.directory, form=form, split=split, output=output)
    if output is None:
        console.result(text.removesuffix("\n"))
    else:
        value = {"n_pairs": n_pairs, "output": str(output)}
        console.show(value, lambda: [f"{n_pairs:,} pairs → {output}"])


def _lines(report: PairsReport) -> list[str]:
    sources = ", ".join(f"{n} from {name}" for name, n in report.by_source.items()) or "none"
    lines = [f"{style(f'{report.n_pairs} pairs', bold=True)}: {sources}"]
    if report.by_split:
        lines.append(", ".join(f"{n} {name}" for name, n in report.by_split.items()))
    if report.longer_chosen_rate is not None:
        lines.append(f"the chosen answer is the longer one in {report.longer_chosen_rate:.0%}")
    return [*lines, *(f"left out: {n} ({reason})" for reason, n in report.dropped.items())]
