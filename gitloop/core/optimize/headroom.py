"""What there is to gain, and how much of it the holdout could show: it stands by the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gitloop.core.optimize.running import Trial
from gitloop.stats.power import mde_paired_binary

_LEAST_DISCORDANCE = 0.2
"""Share of rows that two prompts are taken to differ on."""


@dataclass(frozen=True, slots=True)
class Headroom:
    """Whether a search is worth its cost.

    Attributes:
        room: What the incumbent falls short of a perfect validation score, [0, 1]; None unscored.
        least: The least gain that would be proposed: min_delta, or the judges' noise if larger.
        detectable: Gain that the holdout shows four times in five; None where it can show none.
        is_worth_it: Whether the room reaches the least gain.
    """

    room: float | None
    least: float
    detectable: float | None
    is_worth_it: bool


def headroom_of(incumbent: Trial, n_holdout: int, least: float) -> Headroom:
    """What there is to gain over the incumbent.

    Args:
        incumbent: Its trial on the whole validation split.
        n_holdout: Rows of the holdout.
        least: The least gain that would be proposed.
    """
    room = None if incumbent.mean is None else round(1.0 - incumbent.mean, 6)
    found = mde_paired_binary(n_holdout, _LEAST_DISCORDANCE)
    detectable = None if found.effect is None or found.reason else round(found.effect, 6)
    return Headroom(room, least, detectable, room is not None and room >= least)


def spend(alpha: float, number: int) -> float:
    """The level of the nth look at the same holdout; over all looks the levels add up to alpha.

    Spends alpha · 6 / (π² n²): a first look keeps three fifths, and no number of later ones can
    make a false alarm likelier than alpha in all.

    Args:
        alpha: The level over all looks, (0, 1).
        number: From 1.
    """
    return round(alpha * 6.0 / (math.pi**2 * number**2), 12)
