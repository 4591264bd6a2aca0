"""Can the gate fail? Outputs are broken in ways that matter, and the gate has to notice.

A gate that nothing fails is worth nothing, and a judge that scores an empty answer like a good one
makes such a gate. Broken outputs are compared with the run they were made from.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from gitloop.core.gate.cells import verdicts
from gitloop.core.gate.decide import decide, judged_cells
from gitloop.core.gate.inputs import BaselineRun, GateInputs
from gitloop.errors import DataError, ExitCode

MUTATIONS = {
    "empty": "every answer is empty",
    "swapped": "every row gets another row's answer",
    "facts": "the facts of the reference are cut out of the answer",
}
_FACT = re.compile(r"\w*\d[\w.,:/%-]*\w|\d|\w{4,}")


@dataclass(frozen=True, slots=True)
class RubricProof:
    """What a rubric's judge made of broken outputs.

    Attributes:
        rubric: The rubric.
        n_passed: Rows that pass as they are and were broken.
        n_noticed: Those of them that fail when broken, or that the judge cannot judge then.
    """

    rubric: str
    n_passed: int
    n_noticed: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What the gate made of one way to break the outputs.

    Attributes:
        mutation: One of `MUTATIONS`.
        n_rows: Rows that could be broken so.
        is_caught: Whether the gate lets them through no more when all of them are.
        n_smallest: Fewest broken rows that it stops at, in a seeded order; None if it never does.
        rubrics: By name.
    """

    mutation: str
    n_rows: int
    is_caught: bool
    n_smallest: int | None
    rubrics: tuple[RubricProof, ...]


def broken(outputs: pl.DataFrame, golden: pl.DataFrame, mutation: str) -> dict[str, str]:
    """row_id → its broken output, for the rows that can be broken so; the first replicate counts.

    Args:
        outputs: This run's outputs.
        golden: The golden rows.
        mutation: One of `MUTATIONS`.
    """
    good = outputs.filter((pl.col("status") == "ok") & (pl.col("replicate") == 0))
    said = dict(good.sort("item_id").select("item_id", "output").iter_rows())
    facts = {
        row_id: reference or context or ""
        for row_id, reference, context in golden.select(
            "row_id", "reference", "context"
        ).iter_rows()
    }
    ids = [row_id for row_id in said if row_id in facts]
    half = max(1, len(ids) // 2)
    others = dict(zip(ids, ids[half:] + ids[:half], strict=True))
    if mutation == "empty":
        found = dict.fromkeys(ids, "")
    elif mutation == "swapped":
        found = {row_id: said[others[row_id]] for row_id in ids}
    else:
        found = {row_id: _without_facts(said[row_id], facts[row_id]) for row_id in ids}
    return {row_id: text for row_id, text in found.items() if text != said[row_id]}


def _without_facts(text: str, reference: str) -> str:
    """The text without the numbers and longer words that the reference has too."""
    facts = {word.casefold() for word in _FACT.findall(reference)}
    cut = _FACT.sub(lambda found: "" if found[0].casefold() in facts else found[0], text)
    return " ".join(cut.split()) if cut != text else text


def prove(inputs: GateInputs, mutation: str, rejudged: pl.DataFrame) -> Proof:
    """What the gate makes of the broken outputs' scores.

    Args:
        inputs: What the gate reads; its own run is the baseline.
        mutation: One of `MUTATIONS`.
        rejudged: Scores of the broken outputs, fitting `tables.SCORES`, replicate 0.

    Raises:
        DataError: The gate stops at the unbroken outputs already.
    """
    start = replace(inputs, baseline=(BaselineRun(inputs.scores),))
    if decide(start).exit_code != ExitCode.OK:
        raise DataError(
            "the gate stops at the outputs as they are: what it makes of broken ones shows nothing",
            hint="run: gitloop gate, and mend what it names",
        )
    ids = rejudged["item_id"].unique().sort().to_list()
    order = [ids[i] for i in np.random.default_rng(inputs.seed).permutation(len(ids))]

    def fails(n: int) -> bool:
        return _fails(start, rejudged, order[:n])

    smallest = _fewest(len(order), fails)
    return Proof(
        mutation=mutation,
        n_rows=len(ids),
        is_caught=smallest is not None,
        n_smallest=smallest,
        rubrics=_noticed(inputs, rejudged),
    )


def _fails(inputs: GateInputs, rejudged: pl.DataFrame, ids: list[str]) -> bool:
    """Whether the gate stops when just these rows are broken, by a no or for want of a verdict."""
    chosen = pl.col("item_id").is_in(ids)
    mixed = pl.concat(
        [
            inputs.scores.join(rejudged.filter(chosen), on=["item_id", "rubric"], how="anti"),
            rejudged.filter(chosen),
        ]
    )
    return decide(replace(inputs, scores=mixed)).exit_code != ExitCode.OK


def _fewest(n: int, fails: Callable[[int], bool]) -> int | None:
    """The fewest rows at which it fails, by bisection; None if not even with all of them."""
    if n == 0 or not fails(n):
        return None
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return high


def _noticed(inputs: GateInputs, rejudged: pl.DataFrame) -> tuple[RubricProof, ...]:
    judged = judged_cells(inputs)
    before = judged.cells.filter(pl.col("verdict") >= 0.5).select("row_id", "rubric")
    after = verdicts(rejudged, judged.lines)
    both = before.join(after, left_on=["row_id", "rubric"], right_on=["item_id", "rubric"])
    return tuple(
        RubricProof(name, mine.height, mine.filter(pl.col("passes").ne_missing(1.0)).height)
        for name in judged.usable
        for mine in [both.filter(pl.col("rubric") == name)]
    )
