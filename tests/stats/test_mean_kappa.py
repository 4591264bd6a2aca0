"""Cohen's kappa of several raters: the mean over every two, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from gitloop.errors import ConfigError
from gitloop.stats.agreement import cohen_kappa, mean_kappa

SCALE = ("a", "b", "tie")
ITEMS = st.lists(
    st.dictionaries(st.sampled_from(["r0", "r1", "r2"]), st.sampled_from(SCALE), max_size=3),
    max_size=12,
)


def drawn(rng: np.random.Generator, n: int, skills: tuple[float, ...]) -> list[dict[str, str]]:
    """Items on which raters are right so often, and guess otherwise."""
    items = []
    for truth in rng.choice(3, size=n, p=[0.45, 0.45, 0.1]):
        said = [truth if rng.random() < skill else rng.choice(3) for skill in skills]
        items.append({f"r{k}": SCALE[one] for k, one in enumerate(said)})
    return items


def test_it_is_the_mean_of_scikit_learns_kappas() -> None:
    """Where all share all items, every two raters count alike."""
    items = drawn(np.random.default_rng(0), 50, (0.9, 0.8, 0.6))
    said = [[item[f"r{k}"] for item in items] for k in range(3)]
    expected = [
        sklearn.metrics.cohen_kappa_score(said[i], said[j]) for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    found = mean_kappa(items, categories=SCALE)
    assert found.value == pytest.approx(np.mean(expected))
    assert (found.n_items, found.n_raters, found.n_skipped) == (50, 3, 0)


def test_the_interval_is_the_jackknifes() -> None:
    """Each item left out once, with everything that was said of it."""
    items = drawn(np.random.default_rng(1), 30, (0.9, 0.7, 0.7))
    del items[3]["r0"], items[7]["r2"]
    found = mean_kappa(items, categories=SCALE)
    less = [
        mean_kappa(items[:n] + items[n + 1 :], categories=SCALE).value or 0.0
        for n in range(len(items))
    ]
    error = np.sqrt((len(items) - 1) * np.var(less))
    assert found.interval is not None
    half = (found.interval.high - found.interval.low) / 2
    assert half == pytest.approx(2.04523 * error, rel=1e-4)
    assert found.interval.method == "jackknife"


def test_it_covers() -> None:
    """Nineteen of twenty intervals hold the value that many items come to."""
    rng = np.random.default_rng(2)
    skills = (0.9, 0.8, 0.7)
    truth = mean_kappa(drawn(rng, 5000, skills), categories=SCALE).value
    assert truth is not None
    hits = 0
    for _ in range(150):
        interval = mean_kappa(drawn(rng, 40, skills), categories=SCALE).interval
        assert interval is not None
        hits += interval.low <= truth <= interval.high
    assert 0.9 <= hits / 150 <= 0.99


def test_two_raters_have_cohens_kappa() -> None:
    """With its own interval; a third one who shares no item changes nothing."""
    items = [*drawn(np.random.default_rng(3), 40, (0.9, 0.7)), {"r2": "a"}, {}]
    first, second = ([item.get(who) for item in items] for who in ("r0", "r1"))
    assert mean_kappa(items, categories=SCALE) == cohen_kappa(first, second, categories=SCALE)


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([], "no two people share an item"),
        ([{"r0": "a"}, {"r1": "b"}], "no two people share an item"),
        ([{"r0": "a", "r1": "a", "r2": "a"}] * 3, "every two raters used one category only"),
        ([{"r0": "a", "r1": "b", "r2": "a"}], "too few items to tell how far the mean would vary"),
    ],
)
def test_what_is_undefined_says_why(items: list[dict[str, str]], reason: str) -> None:
    """Nothing shared, nothing to tell apart, too little to vary."""
    found = mean_kappa(items, categories=SCALE)
    assert found.reason == reason
    assert found.interval is None


def test_full_agreement_is_not_certainty() -> None:
    """Three who always agree have kappa 1, and an interval that few items leave wide."""
    found = mean_kappa([{f"r{k}": "ab"[n % 2] for k in range(3)} for n in range(10)])
    assert found.value == 1.0
    assert found.interval is not None
    assert found.interval.low < 0.8


def test_weights_on_words_need_a_scale() -> None:
    """The alphabet is no scale."""
    with pytest.raises(ConfigError, match="categories"):
        mean_kappa([{"r0": "a", "r1": "b"}], weights="linear")


def test_the_mean_lies_in_its_interval_where_no_item_moves_it() -> None:
    """The bounds are those of all pairs in one table, which has another kappa."""
    items = [{"r0": "a", "r1": "b"}, {"r0": "b", "r1": "a", "r2": "tie"}]
    found = mean_kappa(items, categories=("a", "b", "tie"))
    assert found.value == pytest.approx(-0.5)
    assert found.interval is not None
    assert found.interval.low <= -0.5 <= found.interval.high


@settings(deadline=None, max_examples=60)
@given(ITEMS, st.randoms(use_true_random=False))
def test_the_order_of_items_and_names_has_no_meaning(
    items: list[dict[str, str]], random: object
) -> None:
    """Shuffled items and swapped names come to the same figure, inside its interval."""
    found = mean_kappa(items, categories=SCALE)
    shuffled = [dict(reversed(item.items())) for item in items]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = mean_kappa(shuffled, categories=SCALE)
    assert again.value == (None if found.value is None else pytest.approx(found.value))
    if found.interval is not None and found.value is not None:
        assert found.interval.low - 1e-9 <= found.value <= found.interval.high + 1e-9
