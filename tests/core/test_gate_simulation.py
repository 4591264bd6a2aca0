"""The gate's promise by simulation: what changes nothing is blocked at most alpha often."""

from __future__ import annotations

import pytest

from benchmarks.gate_simulation import Scenario, simulate

SEED = 20260823


@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("three rubrics, slices, a large set", 1000, n_rubrics=3),
        Scenario("hard rows promoted", 200, n_new=20),
        Scenario("rows that share their luck", 200, group_size=4),
    ],
)
def test_no_change_is_blocked_at_most_alpha_often(scenario: Scenario) -> None:
    """Deltas, routes and cohorts together keep the nominal five percent."""
    rates = simulate(scenario, 150, SEED)
    assert rates.gate <= 0.05 + 2 * rates.error(0.05)


@pytest.mark.slow
def test_a_cohort_loss_is_seen_where_an_average_hides_it() -> None:
    """Thirty points lost in one cohort of four: the gate sees what one McNemar test misses."""
    rates = simulate(Scenario("a cohort's loss", 200, cohort_loss=0.30), 60, SEED)
    assert rates.gate > rates.mcnemar
    assert rates.gate > 0.8
