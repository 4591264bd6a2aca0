"""How many rows a gate needs to see a loss of a given size, per rubric, route and cohort."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gitloop.core.gate.changes import KIND_OF_SLICE
from gitloop.core.gate.decide import judged_cells
from gitloop.core.gate.inputs import GateInputs
from gitloop.stats.power import (
    Plan,
    mde_paired_binary,
    n_paired_binary,
    planning_discordance,
)

GUESSED_DISCORDANCE = 0.1
"""Share of pairs that differ, where no baseline tells it."""


@dataclass(frozen=True, slots=True)
class RowsNeeded:
    """What a comparison can see, and what it would take to see a given loss.

    Attributes:
        kind: "delta", "route", "cohort" or "cluster".
        rubric: The rubric.
        slice: The route, cohort or cluster, or None.
        n: Golden rows now.
        discordance: Share of pairs that differ, measured or guessed.
        is_measured: Whether a baseline told the discordance.
        mde: Loss that n rows show with the wanted power; None above 1.
        n_needed: Rows that show the wanted loss; never fewer than `gate.min_rows`.
    """

    kind: str
    rubric: str
    slice: str | None
    n: int
    discordance: float
    is_measured: bool
    mde: float | None
    n_needed: int


def rows_needed(inputs: GateInputs, *, loss: float, power: float) -> tuple[RowsNeeded, ...]:
    """One line per rubric and per value of each sliced column.

    The level is the one that the first check of each family has to meet, after its correction.

    Args:
        inputs: What the gate reads.
        loss: The loss to be seen, (0, 1).
        power: With what chance, (0, 1).
    """
    judged = judged_cells(inputs)
    cells = judged.cells.filter(pl.col("rubric").is_in(judged.usable))
    wholes = [("delta", name, None, _of(cells, name)) for name in judged.usable]
    slices = [
        (KIND_OF_SLICE[column], name, str(value), rows)
        for _, name, _, whole in wholes
        for column in inputs.policy.slices
        for (value,), rows in sorted(
            whole.filter(pl.col(column).is_not_null())
            .partition_by(column, as_dict=True, maintain_order=True)
            .items()
        )
        if rows.height < whole.height
    ]
    share = inputs.policy.alpha / (2 if slices else 1)
    found = []
    for family, level in ((wholes, share), (slices, min(share, inputs.policy.cell_alpha))):
        plan = Plan(alpha=level / max(1, len(family)), power=power, sides=1)
        found += [_line(inputs, entry, loss, plan) for entry in family]
    return tuple(found)


def _of(cells: pl.DataFrame, rubric: str) -> pl.DataFrame:
    return cells.filter((pl.col("rubric") == rubric) & pl.col("verdict").is_not_null())


def _line(
    inputs: GateInputs,
    entry: tuple[str, str, str | None, pl.DataFrame],
    loss: float,
    plan: Plan,
) -> RowsNeeded:
    kind, rubric, value, rows = entry
    paired = rows.filter(pl.col("baseline").is_not_null())
    is_measured = paired.height >= inputs.policy.min_rows
    discordance = GUESSED_DISCORDANCE
    if is_measured:
        moved = paired.filter(pl.col("verdict") != pl.col("baseline")).height
        discordance = planning_discordance(moved, paired.height)
    planned = max(discordance, loss)  # a loss cannot exceed the share of rows that change
    mde = mde_paired_binary(rows.height, discordance, plan=plan).effect
    needed = n_paired_binary(loss, planned, plan=plan).n or 0
    return RowsNeeded(
        kind=kind,
        rubric=rubric,
        slice=value,
        n=rows.height,
        discordance=discordance,
        is_measured=is_measured,
        mde=mde if mde is not None and mde <= 1.0 else None,
        n_needed=max(needed, inputs.policy.min_rows),
    )
