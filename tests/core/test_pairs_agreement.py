"""Agreement per stratum decides what may train; a pair is held to its own majority."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.pairs.agreement import (
    StratumAgreement,
    band_of,
    measure,
    position_report,
    sides_said,
    units_of,
    units_of_votes,
)
from gitloop.core.pairs.fates import fates, settled_by
from gitloop.core.pairs.labelling import (
    by_side,
    chosen_side,
    pair_labels,
    sample,
    wanted_of,
)
from gitloop.params import PairAgreement
from gitloop.stats.agreement import Agreement
from gitloop.tables import LABELS, PAIRS
from tests.paired import built, label, labels, pair_rows, preference, trace, votes

POLICY = PairAgreement(min_items=4)
Said = dict[str, dict[str, str]]


def all_say(rows: list[dict[str, Any]], *, backed: bool = True, n: int = 2) -> Said:
    """Everybody prefers the chosen answer of each pair, or the other."""
    said: Said = {}
    for row in rows:
        side = chosen_side(row["chosen"], row["rejected"])
        other = "b" if side == "a" else "a"
        said[row["pair_id"]] = {f"p{k}": side if backed else other for k in range(n)}
    return said


def coins(rows: list[dict[str, Any]]) -> Said:
    """Two people who never agree."""
    return {row["pair_id"]: {"p0": "ab"[n % 2], "p1": "ba"[n % 2]} for n, row in enumerate(rows)}


def decided(rows: list[dict[str, Any]], said: Said, policy: PairAgreement = POLICY) -> list[Any]:
    """The fates of the rows."""
    strata = measure(units_of(rows), said, policy, seed=0)
    return fates(rows, said, {}, strata, policy)


def states(found: list[Any]) -> set[tuple[str, str]]:
    """State and reason of each fate."""
    return {(one.state, one.reason) for one in found}


def test_strata_are_measured_apart() -> None:
    """All pairs, each source, cluster and route; the chosen answers' backing stands beside."""
    rows = pair_rows(6)
    strata = measure(units_of(rows), all_say(rows), POLICY, seed=0)
    assert [(one.kind, one.name, one.n_labelled) for one in strata] == [
        ("all", "", 6), ("source", "clusters", 6), ("cluster", "c", 6), ("route", "refund", 6),
    ]  # fmt: skip
    assert (strata[0].n_backed, strata[0].n_judged, strata[0].band) == (6, 6, "train")


@pytest.mark.parametrize(
    ("value", "band"),
    [(0.49, "drop"), (0.5, "review"), (0.69, "review"), (0.7, "train"), (None, "unmeasured")],
)
def test_the_bands_are_the_policys(value: float | None, band: str) -> None:
    """Below 0.5 dropped, below 0.7 review, else training; what is undefined measures nothing."""
    figure = Agreement("alpha", value, None, 9, 2, 0, "" if value is not None else "undefined")
    assert band_of(figure, 9, POLICY)[0] == band
    assert band_of(figure, 3, POLICY)[0] == "unmeasured"


def test_a_stratum_of_coin_flips_is_dropped() -> None:
    """Pairs that nobody labelled go with the stratum that the labelled ones measured."""
    rows = pair_rows(12)
    assert states(decided(rows, coins(rows[:8]))) == {
        ("dropped", "agreement too low: source clusters")
    }


def test_the_worst_stratum_decides() -> None:
    """A route on which people disagree drops its pairs, though their source as a whole is fine."""
    good = pair_rows(40)
    bad = [row | {"pair_id": f"x{n}", "route": "other"} for n, row in enumerate(pair_rows(6))]
    rows = [*good, *bad]
    found = decided(rows, all_say(good) | coins(bad))
    assert {one.stratum for one in found if one.state == "dropped"} == {"route other"}
    assert sum(one.state == "train" for one in found) == 40


def test_unmeasured_pairs_wait() -> None:
    """Missing agreement never trains, unless params.yaml says that it need not be there."""
    rows = pair_rows(3)
    assert states(decided(rows, {})) == {("review", "no stratum's agreement is measured")}
    free = PairAgreement(required=False)
    assert states(decided(rows, {}, free)) == {("train", "")}


def test_pairs_without_a_majority_never_train() -> None:
    """In a good stratum a split pair, a tie and an overruled pair are dropped one by one."""
    rows = pair_rows(40)
    said = all_say(rows)
    first, second, third = (row["pair_id"] for row in rows[:3])
    said[first] = {"p0": "a", "p1": "b"}
    said[second] = {"p0": "tie", "p1": "tie"}
    said[third] = all_say(rows[2:3], backed=False)[third]
    found = {one.pair_id: one for one in decided(rows, said)}
    assert [found[key].reason for key in (first, second, third)] == [
        "no majority", "people see a tie", "people prefer the other answer",
    ]  # fmt: skip
    assert sum(one.state == "train" for one in found.values()) == 37


@pytest.mark.parametrize("said", ["the other", "tie"])
def test_one_label_against_a_pair_keeps_it_waiting(said: str) -> None:
    """In a stratum that trains, somebody doubts this pair: a second person is asked."""
    rows = pair_rows(40)
    labels = all_say(rows)
    side = chosen_side(rows[0]["chosen"], rows[0]["rejected"])
    other = "b" if side == "a" else "a"
    labels[rows[0]["pair_id"]] = {"p0": "tie" if said == "tie" else other}
    labels[rows[1]["pair_id"]] = {"p0": chosen_side(rows[1]["chosen"], rows[1]["rejected"])}
    found = {one.pair_id: one for one in decided(rows, labels)}
    doubted = found[rows[0]["pair_id"]]
    assert (doubted.state, doubted.reason) == ("review", "the one label so far does not back it")
    assert found[rows[1]["pair_id"]].state == "train"


def test_low_margins_wait_until_people_agree() -> None:
    """A pair within the noise goes to review; with a majority of its own it trains."""
    rows = pair_rows(40)
    rows[0]["review"] = rows[1]["review"] = "the margin is within the noise"
    said = all_say(rows[1:])
    found = {one.pair_id: one.state for one in decided(rows, said)}
    assert (found[rows[0]["pair_id"]], found[rows[1]["pair_id"]]) == ("review", "train")


def test_a_senior_settles_and_is_no_annotator() -> None:
    """A senior's word decides a pair and enters no kappa; two who differ settle nothing."""
    side = chosen_side("good0", "bad0")
    other = "b" if side == "a" else "a"
    (row,) = pair_rows(1)
    key = row["pair_id"]
    said = labels(label(key, side, "kim", role="senior"))
    assert (sides_said(said), settled_by(said)) == ({}, {key: side})
    strata = measure(units_of([row]), {}, POLICY, seed=0)
    assert states(fates([row], {}, settled_by(said), strata, POLICY)) == {("train", "")}
    torn = labels(label(key, side, "kim", role="senior"), label(key, other, "lee", role="senior"))
    assert settled_by(torn) == {}


def test_votes_are_measured_with_their_ties() -> None:
    """A comparison without a majority makes no pair and still counts in the agreement."""
    units, said = units_of_votes(votes(("x", "a"), ("y", "tie")), {"a": trace("a", None)})
    (stratum, *_) = measure(units, said, POLICY, seed=0)
    assert (stratum.n_labelled, stratum.n_majority, stratum.n_judged) == (1, 0, 0)
    (duo,) = stratum.duos
    assert (duo.n_items, duo.n_agreed, duo.n_decided) == (1, 0, 0)


def test_mean_kappa_is_weighed_by_shared_pairs() -> None:
    """With three annotators it is the mean over every two, with an interval that can decide."""
    rows = pair_rows(8)
    (stratum, *_) = measure(units_of(rows), all_say(rows, n=3), POLICY, seed=0)
    assert len(stratum.duos) == 3
    assert stratum.cohen.name == "cohen-kappa-mean"
    assert stratum.cohen.value == pytest.approx(1.0)
    assert stratum.cohen.interval is not None
    by_bound = PairAgreement(min_items=4, statistic="cohen", on="lower_bound")
    assert band_of(stratum.cohen, 8, by_bound)[1].endswith("(lower bound) is below 0.5")


@given(st.text(min_size=1), st.text(min_size=1))
def test_sides_do_not_tell_which_is_chosen(one: str, other: str) -> None:
    """Sides follow from the texts alone: swapping chosen and rejected swaps nothing else."""
    assert by_side(one, other) == by_side(other, one)
    if one != other:
        assert {chosen_side(one, other), chosen_side(other, one)} == {"a", "b"}


def test_everybody_is_asked_in_an_order_of_their_own() -> None:
    """Full pairs are counted and not asked; one's own are asked, so that they can be changed."""
    ids = [f"p{n}" for n in range(30)]
    given = labels(label("p0", "a", "amara"), label("p1", "b", "bo"), label("p1", "b", "cy"))
    found = wanted_of(ids, given, who="amara", needed=2)
    assert (len(found.pair_ids), found.n_full) == (29, 1)
    assert "p0" in found.pair_ids
    others = wanted_of(ids, given, who="dee", needed=2).pair_ids
    assert sorted(others) == sorted(found.pair_ids)
    assert others != found.pair_ids


def test_the_sample_grows_without_changing() -> None:
    """The first of a larger sample are the smaller one; a small source keeps its least."""
    many = [preference(f"p{n}", f"g{n}", f"b{n}") for n in range(60)]
    few = [preference(f"q{n}", f"g{n}", f"b{n}", source="thumbs") for n in range(5)]
    pairs = built(*many, *few).pairs
    small, large = (sample(pairs, n=n, least=0, seed=1) for n in (10, 30))
    assert large[:10] == small
    with_least = sample(pairs, n=5, least=5, seed=1)
    sources = dict(pairs.select("pair_id", "source").iter_rows())
    assert sum(sources[one] == "thumbs" for one in with_least) == 5


def test_position_bias_of_annotators_is_told() -> None:
    """Somebody who always takes the first answer is seen to."""
    said = {f"p{n}": {"amara": "ab"[n % 2], "bo": "tie"} for n in range(30)}
    found = position_report(said, lambda pair_id, _: "ab"[int(pair_id[1:]) % 2])
    assert (found.n, found.first_rate) == (30, 1.0)
    assert found.interval is not None
    assert found.interval.low > 0.5


def test_only_labels_of_pairs_count() -> None:
    """Labels of traces, and words that are no side, are left alone."""
    given = labels(
        label("p", "a", "amara"),
        label("t", "pass", "amara", item_kind="trace"),
        label("q", "unsure", "amara"),
        label("r", "a", "amara", guidance_version="0"),
    )
    assert pair_labels(given, "1")["item_id"].to_list() == ["p"]
    assert pair_labels(LABELS.empty()).is_empty()


def test_no_pairs_have_no_strata() -> None:
    """Nothing to measure is no error."""
    found: list[StratumAgreement] = measure(units_of(PAIRS.empty().to_dicts()), {}, POLICY, seed=0)
    assert found == []
