"""Samples, incremental nights and stability: cheaper runs that agree with the full one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from gitloop.core.cluster import (
    Clustering,
    ClusterSettings,
    Continuation,
    NightLine,
    Outputs,
    cluster,
    continuation,
    is_due,
    parse_nights,
    render,
    whereabouts,
)
from gitloop.core.cluster.identity import Change
from gitloop.errors import DataError

BASE = ClusterSettings(stability_draws=0)


class World:
    """Topics as directions in space, each failure near one, and strays near none."""

    def __init__(self, n_topics: int, n_each: int, n_strays: int) -> None:
        dice = np.random.default_rng(11)
        centres = dice.normal(size=(n_topics, 48))
        rows = np.repeat(centres, n_each, axis=0) + 0.45 * dice.normal(size=(n_topics * n_each, 48))
        strays = dice.normal(size=(n_strays, 48)) * 2.0
        order = dice.permutation(len(rows) + n_strays)
        self.vectors = np.vstack([rows, strays])[order].astype(np.float32)
        self.topics = np.append(np.repeat(np.arange(n_topics), n_each), -np.ones(n_strays))[order]
        self.ids = [f"t{row:05}" for row in range(len(order))]

    def run(
        self, rows: np.ndarray, settings: ClusterSettings, known: dict[str, str] | None = None
    ) -> Clustering:
        """A clustering of some rows."""
        ids = [self.ids[row] for row in rows.tolist()]
        return cluster(ids, self.vectors[rows], ids, np.ones(len(rows)), settings, known)


@pytest.fixture(scope="module")
def world() -> World:
    """Forty topics of thirty failures, and 200 strays."""
    return World(40, 30, 200)


def homes(found: Clustering) -> dict[str, str]:
    """trace_id → cluster_id, "" for noise."""
    names = [one.cluster_id for one in found.clusters] + [""]
    return {t: names[label] for t, label in zip(found.trace_ids, found.labels, strict=True)}


def test_a_sample_with_assignment_finds_what_the_full_run_finds(world: World) -> None:
    """Half of the failures clustered and the others assigned: AMI within .03 of the full run."""
    everyone = np.arange(len(world.ids))
    full, part = (
        adjusted_mutual_info_score(world.topics, world.run(everyone, settings).labels)
        for settings in (BASE, replace(BASE, sample=700))
    )
    assert full > 0.8
    assert part > full - 0.03


def test_an_incremental_night_agrees_with_the_full_one(world: World) -> None:
    """A night of 10 % new failures: AMI of the two runs at least .8, known failures stay."""
    n = len(world.ids)
    last = homes(world.run(np.arange(int(0.9 * n)), BASE))
    tonight = np.arange(n // 10, n)
    full = world.run(tonight, BASE, last)
    quick = world.run(tonight, replace(BASE, is_incremental=True), last)
    assert adjusted_mutual_info_score(full.labels, quick.labels) >= 0.8
    together: dict[str, set[int]] = {}
    for trace_id, label in zip(quick.trace_ids, quick.labels.tolist(), strict=True):
        if last.get(trace_id):
            together.setdefault(last[trace_id], set()).add(label)
    assert max(map(len, together.values())) == 1


def test_an_incremental_night_sees_a_new_topic(world: World) -> None:
    """A topic that nobody knew becomes one cluster; strays of many nights become none."""
    is_new = world.topics == 0
    before = np.flatnonzero(~is_new)
    first = world.run(before, BASE)
    quick = world.run(np.arange(len(world.ids)), replace(BASE, is_incremental=True), homes(first))
    labels, counts = np.unique(quick.labels[is_new], return_counts=True)
    assert counts.max() >= 0.9 * is_new.sum()
    born = int(labels[counts.argmax()])
    assert set(world.topics[quick.labels == born]) <= {0.0, -1.0}
    assert quick.metrics.n_clusters <= first.metrics.n_clusters + 2


@pytest.mark.parametrize("change", [{"sample": 700}, {"is_incremental": True}, {}])
def test_the_order_of_the_failures_changes_nothing(world: World, change: dict[str, int]) -> None:
    """Sampled, incremental and full: the same failures in another order, the same clusters."""
    rows = np.arange(len(world.ids))
    last = homes(world.run(rows[:900], BASE))
    settings = replace(BASE, stability_draws=2, **change)  # type: ignore[arg-type]
    one, other = (world.run(own, settings, last) for own in (rows, rows[::-1]))
    assert one.clusters == other.clusters
    assert homes(one) == homes(other)


def test_stability_tells_topics_from_chance(world: World) -> None:
    """Clear topics come back in half samples; clusters in pure noise do not."""
    clear = world.run(np.flatnonzero(world.topics >= 0), replace(BASE, stability_draws=3))
    assert clear.metrics.stability is not None
    assert clear.metrics.stability > 0.8
    dice = np.random.default_rng(5)
    noise = dice.normal(size=(400, 6)).astype(np.float32)
    ids = [f"n{row:03}" for row in range(400)]
    blurred = replace(BASE, stability_draws=3, min_similarity=-1.0)
    chance = cluster(ids, noise, ids, np.ones(400), blurred).metrics.stability
    assert chance is None or chance < clear.metrics.stability - 0.2


@pytest.mark.parametrize("settings", [{"sample": 99}, {"stability_draws": -1}])
def test_settings_out_of_range_are_refused(settings: dict[str, int]) -> None:
    """A sample too small to hold clusters, and draws below none."""
    with pytest.raises(Exception, match="must be at least"):
        ClusterSettings(**settings)  # type: ignore[arg-type]


# --- the ledger ---------------------------------------------------------------------------------

A, B = Outputs("a" * 32, "b" * 32), Outputs("c" * 32, "d" * 32)


def line(
    inputs: str, previous: Outputs | None = None, mode: str = "full", **other: object
) -> NightLine:
    """A night."""
    return NightLine(inputs, previous, 10, 2, mode, **other)  # type: ignore[arg-type]


def test_the_ledger_is_read_as_it_was_written() -> None:
    """Rendering and parsing are inverse, changes and all."""
    lines = [
        line("x", births=("c-1", "c-2")),
        line("y", A, "incremental", deaths=("c-2",), splits=(Change("c-1", ("c-1", "c-3")),)),
    ]
    assert parse_nights(render(lines), source="nights.jsonl") == lines


@pytest.mark.parametrize("text", ["{}", "null", "<<<<<<< HEAD", '{"schema": "gitloop.night/v9"}'])
def test_a_line_that_is_none_is_named(text: str) -> None:
    """Whatever stands there, the line is named."""
    with pytest.raises(DataError, match=r"nights\.jsonl:2"):
        parse_nights(render([line("x")]) + text + "\n", source="nights.jsonl")


def test_a_night_run_again_continues_what_it_continued() -> None:
    """The same inputs find their own line, in the work tree first, then in the commit."""
    old, mine = line("x"), line("y", A)
    again = Continuation((old,), A)
    assert continuation([old, mine], [old], "y", B) == again
    assert continuation([], [old, mine], "y", B) == again
    assert continuation([old], [old, mine], "z", B) == Continuation((old, mine), B)


def test_every_nth_night_is_a_full_one() -> None:
    """With full_every 3: full, incremental, incremental, full."""
    nights: list[NightLine] = []
    for expected in ("full", "incremental", "incremental", "full", "incremental"):
        mode = "full" if is_due(nights, 3) else "incremental"
        assert mode == expected
        nights.append(line("x", mode=mode))


def test_the_trail_follows_splits_and_merges() -> None:
    """c-1 splits into c-1 and c-3; c-1 merges into c-2: its failures are in c-2 and c-3."""
    nights = [
        line("a", births=("c-1", "c-2")),
        line("b", births=("c-3",), splits=(Change("c-1", ("c-1", "c-3")),)),
        line("c", deaths=("c-1",), merges=(Change("c-2", ("c-1", "c-2")),)),
    ]
    found = whereabouts(nights, "c-1")
    assert (found.born_in, found.died_in, found.heirs) == (1, 3, ("c-2", "c-3"))
    assert whereabouts(nights, "c-9").born_in is None
