"""Rates over repeated trials against enumeration."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import ConfigError, DataError
from gitloop.stats.repeats import flip_rate, pass_at_k, pass_hat_k


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.booleans(), min_size=2, max_size=6), min_size=1, max_size=8))
def test_rates_equal_enumeration(tasks: list[list[bool]]) -> None:
    """All three equal the share of draws of trials, and lie in their intervals."""
    successes, trials = [sum(task) for task in tasks], [len(task) for task in tasks]
    picks = [list(itertools.combinations(task, 2)) for task in tasks]
    for got, holds in (
        (pass_hat_k(successes, trials, 2), all),
        (pass_at_k(successes, trials, 2), any),
        (flip_rate(successes, trials), lambda pair: len(set(pair)) == 2),
    ):
        per_task = [sum(holds(pair) for pair in pairs) / len(pairs) for pairs in picks]
        assert got.value == pytest.approx(sum(per_task) / len(per_task), abs=1e-9)
        assert got.interval is not None
        assert got.interval.low - 1e-12 <= (got.value or 0.0) <= got.interval.high + 1e-12


def test_short_tasks_are_counted() -> None:
    """A task with fewer than k trials is left out and counted."""
    got = pass_hat_k([2, 1], [4, 1], 2)
    assert (got.n_tasks, got.n_skipped, got.name) == (1, 1, "pass^2")
    assert pass_hat_k([1], [1], 2).value is None


def test_no_flip_in_two_runs_is_not_certain() -> None:
    """No flip among twenty rows judged twice leaves up to 16 % open."""
    got = flip_rate([2] * 20, [2] * 20)
    assert got.value == 0.0
    assert got.interval is not None
    assert got.interval.high == pytest.approx(0.161, abs=5e-4)


def test_impossible_trials_are_refused() -> None:
    """A k below one, more successes than trials and unpaired counts are refused."""
    with pytest.raises(ConfigError, match="k must"):
        pass_hat_k([1], [1], 0)
    with pytest.raises(DataError, match="3 of 2"):
        pass_hat_k([3], [2], 1)
    with pytest.raises(DataError, match="for 2 tasks"):
        pass_hat_k([1], [1, 1], 1)
