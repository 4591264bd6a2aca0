"""The dataset card: what the pairs are, where they come from, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitloop.core.pairs.agreement import PositionReport, StratumAgreement
from gitloop.core.pairs.reports import LengthReport, SourceReport
from gitloop.records import Interval
from gitloop.stats.agreement import Agreement


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the card tells.

    Attributes:
        name: The preference set.
        files: Layout → split → file name.
        form: "plain" or "conversational".
        splits: Split → pairs.
        sources: One report per source.
        length: Of all exported pairs.
        position: Whether annotators favour the answer that they see first.
        order: The judge's order report, as metrics.json has it, or None.
        strata: The agreement on each stratum.
        policy: statistic, drop_below and train_from, in that order.
        left_out: Reason → pairs that were built and are not exported.
        rewards_left_out: Reason → answers with a reward that are not exported; empty where no
            layout of rewards is.
        masked: Kind of personal data → how often it was masked.
        golden: Golden set → version that it was decontaminated against.
        rubrics: Rubric → "version, judge".
    """

    name: str
    files: Mapping[str, Mapping[str, str]]
    form: str
    splits: Mapping[str, int]
    sources: Sequence[SourceReport]
    length: LengthReport
    position: PositionReport
    order: Mapping[str, Any] | None
    strata: Sequence[StratumAgreement]
    policy: tuple[str, float, float]
    left_out: Mapping[str, int]
    rewards_left_out: Mapping[str, int]
    masked: Mapping[str, int]
    golden: Mapping[str, str]
    rubrics: Mapping[str, str]


def card(facts: CardFacts, version: str) -> str:
    """README.md of a preference set, as the Hugging Face hub and people read it."""
    sections = [
        _front_matter(facts),
        f"# Preference pairs: {facts.name} {version}\n",
        _what(facts),
        _sources(facts),
        _agreement(facts),
        _bias(facts),
        _left_out(facts),
        _personal(facts),
        _pins(facts),
    ]
    return "\n".join(filter(None, sections))


def _front_matter(facts: CardFacts) -> str:
    lines = ["---", "tags:", "- preference", "- dpo", "configs:"]
    for layout, files in sorted(facts.files.items()):
        lines += [f"- config_name: {layout}", "  data_files:"]
        for split, file in files.items():
            hub = "train" if split == "train" else "test"
            lines += [f"  - split: {hub}", f"    path: data/{file}"]
    return "\n".join([*lines, "---", ""])


def _what(facts: CardFacts) -> str:
    counts = ", ".join(f"{n} {split}" for split, n in facts.splits.items())
    layouts = ", ".join(f"`{name}`" for name in sorted(facts.files))
    return (
        f"{sum(facts.splits.values())} pairs ({counts}), {facts.form}, as {layouts}. Each says"
        " that one answer\nis better than another to the same prompt. The holdout is drawn by"
        " group and fixed for life: never train on\nit. It decides whether a tuned model ships"
        " (`gitloop pairs evaluate`).\n"
    )


def _sources(facts: CardFacts) -> str:
    strata = {one.name: one for one in facts.strata if one.kind == "source"}
    rows = []
    for one in facts.sources:
        stratum = strata.get(one.source)
        backed = "–"
        if stratum is not None and stratum.backed is not None:
            share = stratum.n_backed / stratum.n_judged
            backed = f"{share:.0%} of {stratum.n_judged} {_bounds(stratum.backed)}"
        rows.append(
            f"| {one.source} | {one.n} | {one.n_prompts} | {_number(one.mean_margin)} | {backed} |"
        )
    head = "| source | pairs | prompts | mean margin | people back the chosen answer |\n"
    return "## Sources\n\n" + head + "|---|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _agreement(facts: CardFacts) -> str:
    statistic, drop, train = facts.policy
    rows = []
    for one in facts.strata:
        if one.n_labelled:
            name = f"{one.kind} {one.name}".rstrip()
            figures = (one.cohen, one.fleiss, one.alpha, one.ac1)
            told = " | ".join(_figure(figure) for figure in figures)
            rows.append(f"| {name} | {one.n_labelled} | {told} | {one.band} |")
    if not rows:
        return "## Agreement\n\nNobody has compared these pairs. They are unvalidated.\n"
    head = "| stratum | pairs | Cohen | Fleiss | Krippendorff | AC1 | band |\n"
    return (
        "## Agreement\n\n"
        f"Strata below {drop:g} ({statistic}) are left out, those below {train:g} wait for review;"
        " a pair without a\nmajority for its chosen answer is left out everywhere.\n\n"
        + head
        + "|---|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def _bias(facts: CardFacts) -> str:
    length = facts.length
    lines = ["## Bias\n"]
    if length.longer_rate is None:
        lines.append("- length: no two answers differ in length")
    else:
        word = "; a model may learn length from this" if length.is_biased else ""
        lines.append(
            f"- length: the chosen answer is the longer one in {length.longer_rate:.0%}"
            f" {_bounds(length.interval)} of pairs{word}"
        )
    lines += [
        f"  - {one.source}: {one.length.longer_rate:.0%}"
        for one in facts.sources
        if one.length.is_biased and one.length.longer_rate is not None
    ]
    position = facts.position
    if position.first_rate is not None:
        lines.append(
            f"- position: annotators prefer the answer shown first in {position.first_rate:.0%}"
            f" {_bounds(position.interval)} of {position.n} labels"
        )
    order = facts.order
    if order and order["n"]:
        rate = order["first_rate"]
        lines.append(
            f"- the judge's verdict turned with the order in {order['n_inconsistent']} of"
            f" {order['n']} comparisons, which are left out"
            + (f"; it prefers the first in {rate:.0%}" if rate is not None else "")
        )
    return "\n".join(lines) + "\n"


def _left_out(facts: CardFacts) -> str:
    rows = [f"| {reason} | {n} pairs |" for reason, n in sorted(facts.left_out.items())]
    rows += [f"| {why} | {n} answers |" for why, n in sorted(facts.rewards_left_out.items())]
    if not rows:
        return ""
    return "## Left out\n\n| why | how many |\n|---|---|\n" + "\n".join(rows) + "\n"


def _personal(facts: CardFacts) -> str:
    told = ", ".join(f"{n} × {kind}" for kind, n in sorted(facts.masked.items()))
    return (
        "## Personal data and secrets\n\n"
        f"Masked in the texts: {told or 'nothing was found'}. What holds a secret is left out. A"
        " scan finds what\nhas a form (addresses, numbers, keys), and no names of people.\n"
    )


def _pins(facts: CardFacts) -> str:
    golden = ", ".join(f"{name} {version or '(empty)'}" for name, version in facts.golden.items())
    lines = [
        f"- decontaminated against the golden sets: {golden or 'there are none'}",
        *(f"- rubric {name}: {pin}" for name, pin in sorted(facts.rubrics.items())),
    ]
    return "## Pins\n\n" + "\n".join(lines) + "\n"


def _figure(figure: Agreement) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:.2f} {_bounds(figure.interval)}".rstrip()


def _bounds(interval: Interval | None) -> str:
    return f"[{interval.low:.2f}, {interval.high:.2f}]" if interval else ""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
