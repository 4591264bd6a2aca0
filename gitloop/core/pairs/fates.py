"""What becomes of each pair: it trains, it waits for review, or it is dropped, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from gitloop.core.pairs.agreement import Said, StratumAgreement, majority, strata_of
from gitloop.core.pairs.labelling import chosen_side
from gitloop.params import PairAgreement as Policy

AGAINST = "the one label so far does not back it"
_WORST_FIRST = ("drop", "review", "train")


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a pair.

    Attributes:
        pair_id: The pair.
        state: "train", "review" or "dropped".
        reason: Why it does not train, or "".
        stratum: The stratum that decided, e.g. "source clusters", or "" where none is measured.
        agreement: The deciding figure of that stratum, or None.
        annotators: Who labelled it, sorted.
    """

    pair_id: str
    state: str
    reason: str
    stratum: str
    agreement: float | None
    annotators: tuple[str, ...]


def settled_by(labels: pl.DataFrame) -> dict[str, str]:
    """pair_id → the side that seniors settled on; seniors who differ settle nothing.

    Args:
        labels: As `labelling.pair_labels` gives them.
    """
    seniors = labels.filter(pl.col("role") == "senior").sort("item_id", "annotator")
    found: dict[str, set[str]] = {}
    for pair_id, label in seniors.select("item_id", "label").iter_rows():
        found.setdefault(pair_id, set()).add(label)
    return {pair_id: min(sides) for pair_id, sides in found.items() if len(sides) == 1}


def fates(
    pairs: Iterable[Mapping[str, Any]],
    said: Said,
    settled: Mapping[str, str],
    strata: Sequence[StratumAgreement],
    policy: Policy,
) -> list[Fate]:
    """What becomes of each pair, in their order.

    The worst band of a pair's measured strata decides: source, cluster, route, and all pairs
    together where none of those is measured. A pair that people looked at themselves is held to
    what they say: a majority for the chosen answer lets it train even from the review band, and
    anything else never trains. A single label against it is no majority, and sends it to review. A
    dropped stratum stays dropped, senior or not.

    Args:
        pairs: Rows of `tables.PAIRS`.
        said: What annotators said.
        settled: What seniors settled.
        strata: As `agreement.measure` gives them.
        policy: Whether unmeasured pairs are kept back, and how many labels settle a pair.
    """
    known = {(one.kind, one.name): one for one in strata}
    return [_fate(pair, said.get(pair["pair_id"], {}), settled, known, policy) for pair in pairs]


def _fate(
    pair: Mapping[str, Any],
    by: Mapping[str, str],
    settled: Mapping[str, str],
    known: Mapping[tuple[str, str], StratumAgreement],
    policy: Policy,
) -> Fate:
    stratum = _deciding(pair, known)
    name = f"{stratum.kind} {stratum.name}".rstrip() if stratum else ""
    state, reason = "train", ""
    word = _word(pair, by, settled)
    if stratum is not None and stratum.band == "drop":
        state, reason = "dropped", f"agreement too low: {name}"
    elif word in ("no majority", "people prefer the other answer", "people see a tie"):
        state, reason = "dropped", word
    elif word == AGAINST:
        state, reason = "review", word
    elif word != "people agree":
        if stratum is not None and stratum.band == "review":
            state, reason = "review", f"agreement in the middle band: {name}"
        elif pair["review"]:
            state, reason = "review", pair["review"]
        elif stratum is None and policy.required:
            state, reason = "review", "no stratum's agreement is measured"
    figure = getattr(stratum, policy.statistic).value if stratum else None
    return Fate(pair["pair_id"], state, reason, name, figure, tuple(sorted(by)))


def _deciding(
    pair: Mapping[str, Any], known: Mapping[tuple[str, str], StratumAgreement]
) -> StratumAgreement | None:
    """The measured stratum with the worst band; all pairs together only where no other is."""
    own = [known[one] for one in strata_of(pair) if one in known]
    measured = [one for one in own if one.band != "unmeasured"]
    narrow = [one for one in measured if one.kind != "all"] or measured
    return min(narrow, key=lambda one: _WORST_FIRST.index(one.band), default=None)


def _word(pair: Mapping[str, Any], by: Mapping[str, str], settled: Mapping[str, str]) -> str:
    """What people say of this pair; "" where no senior did, and at most one looked and backs it."""
    side = settled.get(pair["pair_id"])
    chosen = chosen_side(pair["chosen"], pair["rejected"])
    if side is None:
        if len(by) < 2:
            return AGAINST if set(by.values()) - {chosen} else ""
        side = majority(by.values())
    if side is None:
        return "no majority"
    if side == "tie":
        return "people see a tie"
    is_backed = side == chosen
    return "people agree" if is_backed else "people prefer the other answer"


def counted(found: Iterable[Fate]) -> dict[str, dict[str, int]]:
    """State → reason → pairs; pairs that train have the reason ""."""
    counts = Counter((one.state, one.reason) for one in found)
    states: dict[str, dict[str, int]] = {}
    for (state, reason), n in sorted(counts.items()):
        states.setdefault(state, {})[reason] = n
    return states
