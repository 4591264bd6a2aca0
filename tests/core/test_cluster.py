"""Every failure ends in exactly one cluster or in the noise, whatever the input looks like."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from gitloop.core.cluster import NOISE, Clustering, ClusterSettings, cluster
from gitloop.embedders.tfidf import TfidfEmbedder
from gitloop.errors import ConfigError, DataError

_TOPICS = {
    "card": "my card was {} stolen near the {} yesterday",
    "rate": "the exchange rate for {} is wrong in the {} report",
    "code": "please {} reset the forgotten passcode of my {}",
}
_FILLERS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda".split()  # noqa: SIM905


def _corpus(per_topic: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Return texts of three topics with changing words, and the topics."""
    chance = random.Random(seed)
    texts, topics = [], []
    for topic, template in _TOPICS.items():
        for _ in range(per_topic):
            texts.append(template.format(*chance.sample(_FILLERS, 2)))
            topics.append(topic)
    return texts, topics


def _run(
    texts: list[str],
    weights: list[float] | None = None,
    known: dict[str, str] | None = None,
    **options: Any,  # noqa: ANN401
) -> Clustering:
    """Return the clustering of texts with ids in the order of the rows."""
    ids = [f"t{row:04}" for row in range(len(texts))]
    masses = np.ones(len(texts)) if weights is None else np.array(weights)
    vectors = TfidfEmbedder(64).embed(texts)
    return cluster(texts, vectors, ids, masses, ClusterSettings(**options), known)


def _fingerprint(result: Clustering) -> dict[str, object]:
    """Return all that is said about each item and cluster, by trace_id."""
    rows = zip(
        result.trace_ids,
        result.labels.tolist(),
        result.membership.tolist(),
        result.runner_up.tolist(),
        map(repr, result.margin.tolist()),
        strict=True,
    )
    return {"clusters": result.clusters, "metrics": result.metrics} | {
        row[0]: row[1:] for row in rows
    }


def test_topics_are_found() -> None:
    """No cluster mixes topics, every topic has one, and little is left over."""
    texts, topics = _corpus(20)
    result = _run(texts)
    found = {(topic, label) for topic, label in zip(topics, result.labels.tolist(), strict=True)}
    pure = {pair for pair in found if pair[1] != NOISE}
    assert len(pure) == result.metrics.n_clusters
    assert {topic for topic, _ in pure} == set(_TOPICS)
    assert result.metrics.noise_rate < 0.2


@given(
    st.lists(
        st.text("abc ", max_size=12) | st.sampled_from(_corpus(4)[0]), min_size=0, max_size=25
    ),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_every_item_is_accounted_for(texts: list[str], soft: bool) -> None:
    """Sizes, weights, membership, names and representatives fit together for any texts."""
    result = _run(texts, soft_assignment=soft)
    sizes = np.bincount(result.labels[result.labels >= 0], minlength=len(result.clusters))
    assert sizes.tolist() == [one.n_items for one in result.clusters]
    assert (sizes == result.metrics.sizes).all()
    assert sizes.sum() + (result.labels == NOISE).sum() == len(texts) == result.metrics.n_items
    assert ((result.membership >= 0) & (result.membership <= 1)).all()
    assert (result.membership[result.labels == NOISE] == 0).all()
    assert len({one.cluster_id for one in result.clusters}) == len(result.clusters)
    own = dict(zip(result.trace_ids, result.labels.tolist(), strict=True))
    for label, one in enumerate(result.clusters):
        assert one.name
        assert one.line
        assert {own[trace_id] for trace_id in one.representatives} == {label}
        assert len(set(one.representatives)) == len(one.representatives)
        assert one.representatives[0] == one.medoid_trace_id
        assert min(5, one.n_items - one.n_soft) <= len(one.representatives) <= 10
    assert (result.runner_up != np.where(result.labels == NOISE, -2, result.labels)).all()


@given(st.randoms(), st.booleans())
@settings(max_examples=15, deadline=None)
def test_row_order_does_not_matter(shuffler: random.Random, soft: bool) -> None:
    """Shuffled items get the same clusters, ids, names and numbers."""
    texts, _ = _corpus(12)
    texts += ["zebra crossing", "quantum flux", "", "sourdough"]
    ids = [f"t{row:04}" for row in range(len(texts))]
    weights = np.linspace(0.5, 3.0, len(texts))
    vectors = TfidfEmbedder(32).embed(texts)
    options = ClusterSettings(soft_assignment=soft)
    before = cluster(texts, vectors, ids, weights, options)
    rows = list(range(len(texts)))
    shuffler.shuffle(rows)
    after = cluster(
        [texts[row] for row in rows],
        vectors[rows],
        [ids[row] for row in rows],
        weights[rows],
        options,
    )
    assert list(after.trace_ids) == [ids[row] for row in rows]
    assert _fingerprint(after) == _fingerprint(before)


def test_threads_do_not_matter() -> None:
    """One and two threads give the same bytes for vectors with many dimensions."""
    chance = np.random.default_rng(0)
    centres = chance.standard_normal((12, 384))
    vectors = centres[np.arange(900) % 12] + chance.standard_normal((900, 384))
    ids = [f"t{row:04}" for row in range(900)]
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            result = cluster(ids, vectors, ids, np.ones(900), ClusterSettings())
        results.append(_fingerprint(result))
    assert results[0] == results[1]
    assert result.metrics.n_clusters == 12


@pytest.mark.parametrize("texts", [[], ["one failure"], ["one failure", "and another thing"]])
def test_hardly_anything_is_noise(texts: list[str]) -> None:
    """None, one or two failures make no cluster, and no error."""
    result = _run(texts)
    assert result.labels.tolist() == [NOISE] * len(texts)
    assert result.metrics.validity is None


def test_identical_failures_are_one_cluster() -> None:
    """Forty times the same text is one cluster, also when it comes as one text of weight 40."""
    many, heavy = _run(["wrong answer"] * 40), _run(["wrong answer"], [40.0])
    assert many.labels.tolist() == [0] * 40
    assert heavy.labels.tolist() == [0]
    assert many.clusters[0].weight == heavy.clusters[0].weight == 40.0
    assert many.clusters[0].cluster_id == heavy.clusters[0].cluster_id


def test_empty_texts_have_a_name() -> None:
    """Failures without any text form a cluster that says so."""
    result = _run([""] * 12)
    assert [one.name for one in result.clusters] == ["(empty text)"]


def test_unrelated_failures_stay_noise() -> None:
    """Texts that share nothing end in the noise, not in clusters of leftovers."""
    chance = random.Random(1)
    texts = [
        " ".join("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(8))
        for _ in range(60)
    ]
    assert _run(texts).metrics.noise_rate == 1.0


def test_one_topic_with_strays_is_one_cluster() -> None:
    """Where density has nothing to compare with, the connected topic is the cluster."""
    texts = [f"my card number {word} was stolen yesterday" for word in _FILLERS]
    result = _run([*texts, "zebra crossing", "quantum flux", "sourdough loaf"])
    assert result.labels.tolist() == [0] * len(texts) + [NOISE] * 3


def test_weight_counts_as_points() -> None:
    """A few often-reported wordings are as dense as many rarely reported ones."""
    texts = [f"refund {word} never arrived" for word in _FILLERS[:3]]
    others = [f"the {word} page is slow to load" for word in _FILLERS]
    light = _run(texts + others, min_cluster_size=6)
    heavy = _run(texts + others, [4.0] * 3 + [1.0] * len(others), min_cluster_size=6)
    assert light.labels[:3].tolist() == [NOISE] * 3
    assert len(set(heavy.labels[:3].tolist()) - {NOISE}) == 1


def test_soft_assignment_only_adds_members() -> None:
    """Soft members are marked; hard members and identities stay."""
    texts, _ = _corpus(25, seed=3)
    chance = random.Random(0)
    texts += [
        f"{first.split(maxsplit=4)[-1]} and {second}"
        for first, second in (chance.sample(texts, 2) for _ in range(15))
    ]
    hard, soft = _run(texts), _run(texts, soft_assignment=True)
    same = ~soft.soft
    assert (hard.labels[same] == soft.labels[same]).all()
    assert (hard.labels[soft.soft] == NOISE).all()
    assert [one.cluster_id for one in hard.clusters] == [one.cluster_id for one in soft.clusters]
    assert sum(one.n_soft for one in soft.clusters) == soft.soft.sum()


def test_smoothing_can_be_turned_off() -> None:
    """Without smoothing the topics are found by density alone, and no row is lost."""
    texts, _ = _corpus(20)
    result = _run(texts, smoothing_neighbours=0)
    assert result.metrics.n_clusters >= 3
    assert result.metrics.validity != _run(texts).metrics.validity


def test_known_members_stay_together() -> None:
    """A known cluster that density alone would split by wording is kept in one piece."""
    texts, _ = _corpus(20)
    result = _run(texts)
    known = {
        trace_id: result.clusters[label].cluster_id if label != NOISE else ""
        for trace_id, label in zip(result.trace_ids, result.labels.tolist(), strict=True)
    }
    again = _run(texts, known=known)
    inside = result.labels != NOISE
    assert (again.labels[inside] == result.labels[inside]).all()


def test_every_bad_row_is_named() -> None:
    """NaN vectors, weights that are no weights and repeated ids are all reported at once."""
    vectors = np.ones((4, 3))
    vectors[1, 2] = np.nan
    weights = np.array([1.0, 1.0, -1.0, 1.0])
    with pytest.raises(DataError) as caught:
        cluster(["a"] * 4, vectors, ["t0", "t1", "t2", "t0"], weights, ClusterSettings())
    assert "row 1 (t1): the embedding holds NaN" in caught.value.message
    assert "row 2 (t2): the weight is -1.0" in caught.value.message
    assert "row 3 (t0): the trace_id stands in row 0" in caught.value.message


def test_columns_must_fit_together() -> None:
    """Fewer vectors than texts are refused."""
    with pytest.raises(DataError, match="2 trace_ids"):
        cluster(["a", "b"], np.ones((1, 3)), ["t0", "t1"], np.ones(2), ClusterSettings())


def test_settings_out_of_range_are_refused_together() -> None:
    """Every setting that cannot work is named in one error."""
    with pytest.raises(ConfigError) as caught:
        ClusterSettings(min_cluster_size=1, pca_dimensions=0, anchor=1.0)
    assert all(
        name in caught.value.message for name in ("min_cluster_size", "pca_dimensions", "anchor")
    )


@pytest.mark.parametrize(
    ("n_failures", "expected"), [(0, 4), (40, 4), (100, 4), (300, 6), (6_000, 16), (50_000, 32)]
)
def test_smallest_cluster_grows_with_the_failures(n_failures: int, expected: int) -> None:
    """The default asks for more members where there are more failures."""
    assert ClusterSettings().cluster_size(n_failures) == expected


def test_vectors_of_any_scale_and_type_work() -> None:
    """Length does not matter, only direction does."""
    texts, _ = _corpus(10)
    ids = [f"t{row:04}" for row in range(len(texts))]
    vectors = TfidfEmbedder(32).embed(texts).astype(np.float64)
    plain = cluster(texts, vectors, ids, np.ones(len(ids)), ClusterSettings())
    scaled = cluster(texts, vectors * 2.0**600, ids, np.ones(len(ids)), ClusterSettings())
    assert scaled.labels.tolist() == plain.labels.tolist()
