"""`gitloop agree`: how far annotators agree, and on what they do not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.core.agree import Dispute, PairAgreement, RubricAgreement
    from gitloop.stats.agreement import Agreement
    from gitloop.steps.agree import AgreeReport


@click.command(cls=Verb)
@click.option("--rubric", "rubrics", multiple=True, metavar="NAME", help="Only this rubric.")
@click.option(
    "--by",
    type=click.Choice(["route", "user_cohort", "prompt_version", "cluster_id"]),
    help="Show each stratum apart.",
)
@click.option("--guidance", metavar="VERSION", help="Only labels that follow this guidance.")
@click.option(
    "--disputes",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    metavar="N",
    help="Disputed items to list per rubric.",
)
@pass_console
def agree(
    console: Console,
    rubrics: tuple[str, ...],
    by: str | None,
    guidance: str | None,
    disputes: int,
) -> None:
    """Show how far annotators agree per rubric, beyond chance, and on what they do not.

    \b
    gitloop agree --by route
    """  # noqa: D301 -- \b is click's mark for a verbatim block
    from gitloop.steps.agree import agree as step

    report = step(console.directory, rubrics=rubrics, by=by, guidance_version=guidance)
    console.show(asdict(report), lambda: _lines(report, disputes))


def _lines(report: AgreeReport, n_disputes: int) -> list[str]:
    lines = []
    for found in report.rubrics:
        lines += [*_rubric(found), *(_pair(pair) for pair in found.pairs)]
        lines += [style(f"  ! {warning}", fg="yellow") for warning in found.warnings]
        if not found.stratum:
            lines += [line for dispute in found.disputes[:n_disputes] for line in _dispute(dispute)]
            if found.n_disputed > n_disputes:
                lines.append(
                    f"  … {found.n_disputed - n_disputes} more; gitloop agree --disputes N"
                )
        lines.append("")
    lines += [style(f"! {place} was never finished", fg="yellow") for place in report.torn]
    return [*lines, f"{report.n_labels} labels in force; next: gitloop label --senior"]


def _rubric(found: RubricAgreement) -> list[str]:
    shares = ", ".join(f"{share.category} {share.share:.0%}" for share in found.prevalence)
    head = f"{found.rubric} {found.stratum}".rstrip()
    counts = f"{found.n_items} items, {found.n_labels} labels, {found.n_disputed} disputed"
    return [
        style(head, bold=True),
        f"  {counts}; {shares or 'no label'}",
        _figure("agreement", found.raw),
        _figure("Fleiss' kappa", found.fleiss),
        _figure("Krippendorff's alpha", found.alpha),
        _figure("Gwet's AC1" if found.ac1.name == "gwet-ac1" else "Gwet's AC2", found.ac1),
    ]


def _pair(pair: PairAgreement) -> str:
    shared = f"{pair.n_agreed} of {pair.n_items} alike"
    return f"{_figure(f'kappa {pair.annotators[0]}, {pair.annotators[1]}', pair.kappa)}  {shared}"


def _figure(name: str, figure: Agreement) -> str:
    if figure.value is None:
        return f"  {name:<24} –      {figure.reason}"
    interval = figure.interval
    bounds = f"[{interval.low:.2f}, {interval.high:.2f}]" if interval else f"({figure.reason})"
    return f"  {name:<24} {figure.value:>5.2f}  {bounds}"


def _dispute(dispute: Dispute) -> list[str]:
    said = ", ".join(f"{name} {label}" for name, label in dispute.labels.items())
    settled = f"; settled: {dispute.settled}" if dispute.settled else ""
    lines = [f"  ≠ {dispute.trace_id}: {said}{settled}"]
    return lines + [f"      {name}: {comment[:64]}" for name, comment in dispute.comments.items()]
