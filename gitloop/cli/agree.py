"""`gitloop agree`: how far annotators agree, and on what they do not."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitloop.cli.options import Console, Verb, pass_console, style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitloop.core.agree import Difference, Dispute, RubricAgreement
    from gitloop.stats.agreement import Agreement, Share
    from gitloop.steps.agree import AgreeReport

WIDTH = 80
MOST_PAIRS = 10
MOST_CLAUSES = 5


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
        lines += [*_rubric(found), *_people(found)]
        lines += [style(f"  ! {warning}", fg="yellow") for warning in found.warnings]
        if not found.stratum:
            lines += _clauses(found)
            lines += [line for dispute in found.disputes[:n_disputes] for line in _dispute(dispute)]
            if found.n_disputed > n_disputes:
                more = found.n_disputed - n_disputes
                lines.append(f"  … {more} more disputed; gitloop agree --disputes N")
        lines.append("")
    if any(len(found.alphas) > 1 and found.raw.value is not None for found in report.rubrics):
        lines += ["* the level at which the rubric's labels are measured", ""]
    lines += _floor(report)
    lines += [style(f"! {place} was never finished", fg="yellow") for place in report.torn]
    n_open = sum(found.n_open for found in report.rubrics if not found.stratum)
    then = "gitloop label --senior" if n_open else "gitloop promote --all --set NAME"
    return [*lines, f"{_counted(report.n_labels, 'label')} in force; next: {then}"]


def _rubric(found: RubricAgreement) -> list[str]:
    used = [share for share in found.prevalence if share.n or share.category in {"pass", "fail"}]
    shares = ", ".join(map(_share, used))
    kind = "" if found.kind == "trace" else f" · {found.kind.replace('_', ' ')}"
    head = f"{found.rubric}{kind}  {found.stratum}".rstrip()
    items, labels = _counted(found.n_items, "item"), _counted(found.n_labels, "label")
    counts = f"{items}, {labels}, {found.n_disputed} disputed"
    if found.n_open != found.n_disputed:
        counts += f" ({found.n_open or 'none'} open)"
    lines = [style(head, bold=True), *_wrapped(f"{counts}; {shares}" if shares else counts)]
    if found.level == "words" or found.raw.value is None:
        return lines  # the warnings below say why there is no figure
    weighted = "" if found.fleiss.name == "fleiss-kappa" else " (linear)"
    lines += [_figure("agreement", found.raw), _figure(f"Fleiss' kappa{weighted}", found.fleiss)]
    for alpha in found.alphas:
        level = alpha.name.removeprefix("krippendorff-alpha-")
        mark = "*" if len(found.alphas) > 1 and level == found.level else ""
        lines.append(_figure(f"Krippendorff {level}{mark}", alpha))
    ac = "Gwet's AC1" if found.ac1.name == "gwet-ac1" else "Gwet's AC2 (linear)"
    return [*lines, _figure(ac, found.ac1)]


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _share(share: Share) -> str:
    low, high = share.interval.low, share.interval.high
    return f"{_plain(share.category)} {share.share:.0%} [{low:.0%}, {high:.0%}]"


def _plain(category: object) -> str:
    """The category as people write it: 4 and not 4.0."""
    return f"{category:g}" if isinstance(category, float) else str(category)


def _people(found: RubricAgreement) -> list[str]:
    lines = []
    for pair in found.pairs[:MOST_PAIRS]:
        shared = f"{pair.n_agreed} of {pair.n_items} alike"
        name = f"kappa {pair.annotators[0]}, {pair.annotators[1]}"
        lines.append(f"{_figure(name, pair.kappa)}  {shared}")
        if pair.differences:
            lines.append(_differences(pair.annotators, pair.differences))
    if found.n_pairs > MOST_PAIRS:
        lines.append(f"  … {found.n_pairs - MOST_PAIRS} more pairs; --format json has them")
    if len(found.people) > 2:  # two people are told by their pair
        lines += [
            f"  {_cut(person.annotator, 24):<24} against the others on"
            f" {person.n_against} of {person.n_items}"
            + (f", most: {_lean(person.leans[0])}" if person.leans else "")
            for person in found.people[:MOST_PAIRS]
        ]
    return lines


def _differences(names: tuple[str, str], found: Sequence[Difference]) -> str:
    one, other = (_cut(name, 16) for name in names)
    parts = [f"{one} {d.first} ≠ {other} {d.second}: {d.n}" for d in found[:2]]
    return _cut("      " + "; ".join(parts), WIDTH)


def _lean(lean: Difference) -> str:
    return _cut(f"{lean.first} for {lean.second} ({lean.n})", 30)


def _clauses(found: RubricAgreement) -> list[str]:
    lines = []
    causes = [one for one in found.clauses if one.n_two_ways or one.rate > (one.elsewhere or 0.0)]
    for clause in causes[:MOST_CLAUSES]:
        elsewhere = "" if clause.elsewhere is None else f", elsewhere {clause.elsewhere:.0%}"
        title = clause.title or clause.section_id
        lines.append(_cut(f"  § {title}", WIDTH))
        told = f"{clause.n_disputed} of {clause.n_items} disputed ({clause.rate:.0%}{elsewhere})"
        two_ways = f"; read two ways on {clause.n_two_ways}" if clause.n_two_ways else ""
        guessed = f"; {clause.n_guessed} by words alone" if clause.n_guessed else ""
        lines.append(_cut(f"      {told}{two_ways}{guessed}", WIDTH))
    return lines


def _floor(report: AgreeReport) -> list[str]:
    if not report.floor:
        return []
    lines = [style("What may be promoted", bold=True)]
    for standing in report.floor:
        mark = style("✓", fg="green") if standing.is_met else style("✗", fg="red")
        value = standing.figure.value
        shown = "–" if value is None else f"{value:.2f}"
        name = _cut(f"{standing.rubric} {standing.stratum or '(whole)'}", 40)
        why = "  (the whole rubric's: few cases)" if standing.is_borrowed else ""
        lines.append(f"  {mark} {name:<40} {shown:>5}{why}")
        if standing.reason:
            lines.append(_cut(f"      {standing.reason}", WIDTH))
    return [*lines, ""]


def _figure(name: str, figure: Agreement) -> str:
    shown = f"  {_cut(name, 28):<28}"
    if figure.value is None:
        return _cut(f"{shown} –      {figure.reason}", WIDTH)
    interval = figure.interval
    bounds = f"[{interval.low:.2f}, {interval.high:.2f}]" if interval else f"({figure.reason})"
    return _cut(f"{shown} {figure.value:>5.2f}  {bounds}", WIDTH)


def _dispute(dispute: Dispute) -> list[str]:
    said = ", ".join(f"{name} {label}" for name, label in dispute.labels.items())
    settled = f"; settled: {dispute.settled}" if dispute.settled else ""
    lines = [_cut(f"  ≠ {dispute.trace_id}: {said}{settled}", WIDTH)]
    return lines + [
        _cut(f"      {name}: {' '.join(comment.split())}", WIDTH)
        for name, comment in dispute.comments.items()
    ]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
