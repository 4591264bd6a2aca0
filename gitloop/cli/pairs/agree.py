"""`gitloop pairs agree`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from gitloop.core.pairs.agreement import StratumAgreement
    from gitloop.stats.agreement import Agreement
    from gitloop.steps.pairs.agree import AgreeReport

_COLOURS = {"train": "green", "review": "yellow", "drop": "red", "unmeasured": None}


@click.command(cls=Verb)
@click.option("--duos", is_flag=True, help="Show every two annotators too.")
@pass_console
def agree(console: Console, *, duos: bool) -> None:
    """Show how far people agree on pairs, per source, cluster and route, and what may train.

    params.yaml: pairs.agreement names the figure that decides, and the bands. Writes
    loop/pairs/agreement.json.
    """
    from gitloop.steps.pairs.agree import agree_pairs

    report = agree_pairs(console.directory)
    console.show(asdict(report), lambda: _lines(report, duos=duos))


def _lines(report: AgreeReport, *, duos: bool) -> list[str]:
    lines = []
    for one in report.strata:
        if one.n_labelled or one.kind != "cluster":
            lines += [*_stratum(one), *(_duos(one) if duos else [])]
    lines.append("")
    rule = f"{report.statistic}: below {report.drop_below:g} dropped, below"
    lines.append(f"{rule} {report.train_from:g} to review, else trains")
    for state, reasons in report.states.items():
        lines += [f"  {n:>6} {state}" + (f": {why}" * bool(why)) for why, n in reasons.items()]
    position = report.position
    if position.first_rate is not None and position.interval is not None:
        low, high = position.interval.low, position.interval.high
        lines.append(
            f"the answer shown first is preferred in {position.first_rate:.0%}"
            f" [{low:.2f}, {high:.2f}] of {position.n} labels"
        )
    return [*lines, f"written to {report.path}; next: gitloop pairs export"]


def _stratum(one: StratumAgreement) -> list[str]:
    name = f"{one.kind} {one.name}".rstrip()
    band = style(one.band, fg=_COLOURS[one.band])
    counts = f"{one.n_labelled} of {one.n_pairs} pairs compared by two"
    lines = [f"{style(name, bold=True)}  {band}: {one.reason}", f"  {counts}"]
    if not one.n_labelled:
        return lines
    lines[-1] += f"; {one.n_majority} decided, {one.n_ties} ties"
    if one.backed is not None:
        share, low, high = one.n_backed / one.n_judged, one.backed.low, one.backed.high
        lines.append(f"  people back the chosen answer in {share:.0%} [{low:.2f}, {high:.2f}]")
    named = (
        ("agreement", one.raw),
        ("Cohen's kappa", one.cohen),
        ("Fleiss' kappa", one.fleiss),
        ("Krippendorff's alpha", one.alpha),
        ("Gwet's AC1", one.ac1),
    )
    return lines + [_figure(title, figure) for title, figure in named]


def _duos(one: StratumAgreement) -> list[str]:
    return [
        _figure(f"{duo.annotators[0]}, {duo.annotators[1]}", duo.kappa)
        + f"  {duo.n_agreed} of {duo.n_items} alike"
        for duo in one.duos
    ]


def _figure(name: str, figure: Agreement) -> str:
    if figure.value is None:
        return f"    {name:<22} –      {figure.reason}"
    interval = figure.interval
    bounds = f"[{interval.low:.2f}, {interval.high:.2f}]" if interval else f"({figure.reason})"
    return f"    {name:<22} {figure.value:>5.2f}  {bounds}"
