"""The permutation of runs: exact, McNemar's for one run, honest where averages are not."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.core.gate.exchange import FloatArray, permute_runs
from gitloop.stats.paired import mcnemar, paired_graded, sign_flip

VERDICTS = st.sampled_from([0.0, 1.0])


def by_hand(runs: FloatArray) -> tuple[float, float]:
    """(P(sum ≤ observed), P(sum ≥ observed)) over every choice of one run per row."""
    sums = [sum(choice) for choice in product(*(row[~np.isnan(row)] for row in runs))]
    observed = runs[:, 0].sum()
    lower = sum(total <= observed + 1e-9 for total in sums) / len(sums)
    upper = sum(total >= observed - 1e-9 for total in sums) / len(sums)
    return lower, upper


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(VERDICTS, VERDICTS), min_size=1, max_size=40))
def test_one_run_is_mcnemars_test(pairs: list[tuple[float, float]]) -> None:
    """With a single baseline run it gives McNemar's exact p to the last digit."""
    runs = np.asarray(pairs)
    worse, better = int((runs[:, 0] < runs[:, 1]).sum()), int((runs[:, 0] > runs[:, 1]).sum())
    found = permute_runs(runs, None, seed=0)
    p_worse, p_two_sided = mcnemar(worse, better)
    assert found.p_worse == pytest.approx(p_worse, abs=1e-12)
    assert found.p_two_sided == pytest.approx(p_two_sided, abs=1e-12)
    assert found.least == pytest.approx(0.5 ** (worse + better))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(VERDICTS, min_size=4, max_size=4), min_size=1, max_size=6))
def test_the_exact_sum_is_the_enumeration(rows: list[list[float]]) -> None:
    """Three baseline runs: the p-values are those of all 4^n choices."""
    runs = np.asarray(rows)
    lower, upper = by_hand(runs)
    found = permute_runs(runs, None, seed=0)
    assert found.p_worse == pytest.approx(lower, abs=1e-12)
    assert found.p_two_sided == pytest.approx(min(1.0, 2 * min(lower, upper)), abs=1e-12)


def test_a_row_that_a_run_lacks_has_fewer_choices() -> None:
    """Missing verdicts are no verdicts: the row chooses among the runs that have it."""
    runs = np.array([[0.0, 1.0, np.nan], [0.0, 1.0, 1.0], [1.0, np.nan, 0.0], [0.0, 0.0, 1.0]])
    assert permute_runs(runs, None, seed=0).p_worse == pytest.approx(by_hand(runs)[0])


def test_groups_are_permuted_whole() -> None:
    """Two rows of one group that move together are one witness, as in the grouped sign flip."""
    runs = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    codes = [0, 0, 1, 2]
    found = permute_runs(runs, codes, seed=0)
    expected = sign_flip([-2.0, -1.0, 1.0])
    assert found.p_worse == pytest.approx(expected.p_worse)


def test_draws_agree_with_the_exact_sum() -> None:
    """Scores without a lattice are drawn, within four standard errors of the exact value."""
    rng = np.random.default_rng(5)
    exact = rng.integers(0, 2, (40, 4)).astype(np.float64)
    scaled = exact * np.pi / 4  # on no lattice of decimals
    one, other = permute_runs(exact, None, seed=1), permute_runs(scaled, None, seed=1)
    assert other.method == "run-permutation-monte-carlo"
    assert other.p_worse == pytest.approx(one.p_worse, abs=4 * (0.25 / 20_000) ** 0.5)
    assert permute_runs(scaled, None, seed=1) == other


def test_thousands_of_rows_agree_with_the_exact_sum() -> None:
    """The normal approximation errs by less than a hundredth where it takes over."""
    rng = np.random.default_rng(6)
    runs = rng.integers(0, 2, (4000, 5)).astype(np.float64)
    exact = permute_runs(runs, None, seed=0)
    approximate = permute_runs(runs * np.pi / 4, None, seed=0)
    assert (exact.method, approximate.method) == (
        "run-permutation-exact",
        "run-permutation-normal",
    )
    assert approximate.p_worse == pytest.approx(exact.p_worse, abs=0.01)


def test_rare_passes_are_no_false_alarm() -> None:
    """Rows that pass one time in twenty: flipped averages cry wolf, the permutation does not."""
    rng = np.random.default_rng(7)
    flipped = permuted = 0
    for _ in range(400):
        runs = (rng.random((200, 8)) < 0.05).astype(np.float64)
        permuted += permute_runs(runs, None, seed=0).p_worse <= 0.05
        averaged = paired_graded(runs[:, 1:].mean(axis=1), runs[:, 0])
        flipped += averaged.p_worse is not None and averaged.p_worse <= 0.05
    assert permuted / 400 <= 0.05
    assert flipped / 400 > 0.06


def test_runs_that_never_differ_say_nothing() -> None:
    """Without a row that moves there is no evidence, and no way to fail."""
    found = permute_runs(np.ones((10, 4)), None, seed=0)
    assert (found.p_worse, found.p_two_sided, found.least) == (1.0, 1.0, 1.0)
