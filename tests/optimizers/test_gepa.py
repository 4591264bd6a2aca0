"""GEPA: candidate by candidate what the package does, and a thread that ends with its search."""

from __future__ import annotations

import threading

import pytest

from benchmarks.optimizers import GepaReference
from benchmarks.simulated_task import SimulatedTask
from gitloop.optimizers.gepa import GepaOptimizer
from gitloop.protocols import Reply
from gitloop.records import Ask


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_it_tries_what_the_package_tries(seed: int) -> None:
    """Driven directly with an adapter of its own, the package comes to the same candidates."""
    reference = GepaReference(SimulatedTask(seed))
    ours, theirs = reference.ours(800), reference.theirs(800)
    n = min(len(ours), len(theirs))
    assert n >= 8
    assert ours[:n] == theirs[:n]


def test_a_closed_search_leaves_no_thread() -> None:
    """However early it is closed, gepa's thread ends with it."""
    before = threading.active_count()
    for n_wishes in (0, 1, 5):
        search = GepaOptimizer({}).search(SimulatedTask(0).task(400))
        task = SimulatedTask(0)
        reply: Reply = None
        for n in range(n_wishes):
            wish = next(search) if n == 0 else search.send(reply)
            reply = task.evaluate(wish) if isinstance(wish, Ask) else "```\n- a\n```"
        search.close()
    assert threading.active_count() == before


def test_what_goes_wrong_in_the_evaluator_is_raised_where_it_is_driven() -> None:
    """An error of ours is not swallowed by the package."""

    def broken(_text: str) -> str | None:
        raise RuntimeError("the store is gone")

    task = SimulatedTask(0, teaches=broken)
    with pytest.raises(RuntimeError, match="the store is gone"):
        task.search(GepaOptimizer({}), 400)
