"""`gitloop pairs export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.steps.pairs.export import ExportReport

LAYOUTS = (
    "trl-dpo", "trl-reward", "trl-kto", "trl-grpo", "rewards", "axolotl", "llama-factory",
    "unsloth",
)  # fmt: skip


@click.command(cls=Verb)
@click.option(
    "--layout",
    "layouts",
    type=click.Choice(LAYOUTS),
    multiple=True,
    default=("trl-dpo",),
    show_default=True,
    help="Whose layout; may be given more than once.",
)
@click.option(
    "--form",
    "shape",
    type=click.Choice(["conversational", "plain"]),
    default="conversational",
    show_default=True,
    help="Messages with roles, or plain text.",
)
@click.option(
    "--to",
    "kind",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="File format.",
)
@click.option("--set", "name", default="pairs", show_default=True, metavar="NAME", help="The set.")
@click.option("--split", type=click.Choice(["train", "holdout"]), help="With -o: one split alone.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="One untracked file in place of a version of the set; - is stdout.",
)
@pass_console
def export(
    console: Console,
    *,
    layouts: tuple[str, ...],
    shape: str,
    kind: str,
    name: str,
    split: str | None,
    output: str | None,
) -> None:
    """Write what may train, and its holdout, as a version of preferences/<set>/.

    What golden sets hold, repeats, secrets, dropped strata and pairs without a majority are left
    out and counted; personal data is masked. Card and record are for Git, the data for DVC.

    \b
    gitloop pairs export --layout trl-dpo --layout axolotl
    gitloop pairs export --form plain --split train -o train.jsonl
    """  # noqa: D301 -- \b is click's mark for a verbatim block
    from gitloop.steps.pairs.export import ExportPlan, export_file, export_pairs

    plan = ExportPlan(layouts, shape, kind, name)
    if output is None:
        if split is not None:
            raise click.UsageError("--split goes with -o: a version of the set has both")
        report = export_pairs(console.directory, plan)
        console.show(asdict(report), lambda: _lines(report))
        return
    path = None if output == "-" else Path(output)
    report, text = export_file(console.directory, plan, split=split, output=path)
    if path is None:
        console.result(text.removesuffix("\n"))
    else:
        console.show(asdict(report), lambda: _lines(report))


def _lines(report: ExportReport) -> list[str]:
    counts = ", ".join(f"{n} {split}" for split, n in sorted(report.splits.items()))
    found = report.exported
    if found is None:
        lines = [f"{counts} → {report.path}"]
    elif found.is_new:
        after = f", after {' and '.join(found.parents)}" if found.parents else ""
        lines = [f"{style(f'{report.path} {found.version}', bold=True)}: {counts}{after}"]
    else:
        lines = [
            f"{report.path} is at {found.version} already: {counts}",
            "nothing was written",
        ]
    lines += [f"left out: {n} ({reason})" for reason, n in report.left_out.items()]
    for reason, n in report.rewards_left_out.items():
        lines.append(f"left out: {n} rewarded answers ({reason})")
    if report.masked:
        told = ", ".join(f"{n} × {kind}" for kind, n in report.masked.items())
        lines.append(f"masked: {told}")
    if found is not None and found.is_new:
        lines.append(f"read {report.path}/README.md; next: git add {report.path}, and dvc push")
    return lines
