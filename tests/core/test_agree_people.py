"""Who disagrees with whom on what, under which section, and what may be promoted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from krippendorff import alpha as reference_alpha
from sklearn.metrics import cohen_kappa_score

from gitloop.core.agree import Rulebook, agree, hold_back, standings
from gitloop.params import AgreementFloor, LabelForm, Section
from gitloop.stats.consensus import consensus
from tests.labelled import label, labels

STARS = Rulebook(forms={"grounded": LabelForm(type="star")})
GUIDANCE = (
    Section("dates", "Dates", "Every date and deadline stands in the context."),
    Section("promises", "Promises", "No promise or voucher that the context does not make."),
    Section("courtesy", "Courtesy", "A polite opening needs no support whatever."),
)
RULES = Rulebook(sections={"grounded": GUIDANCE})


def said(**people: Sequence[str | None]) -> pl.DataFrame:
    """Labels of people on t0, t1, …; None is no label."""
    rows = []
    for name, column in people.items():
        for n, verdict in enumerate(column):
            if verdict is not None:
                score = None if verdict.isdecimal() else {"pass": 1.0, "fail": 0.0}.get(verdict)
                rows.append(label(f"t{n}", verdict, name, score=score))
    return labels(rows)


GRADES = st.lists(
    st.tuples(*[st.sampled_from(["1", "2", "3", "4", "5"])] * 2), min_size=3, max_size=30
)


@settings(max_examples=40)
@given(pairs=GRADES)
def test_weighted_kappas_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    """On stars the linear, the plain and the quadratic kappa are what scikit-learn gives."""
    one, other = (list(column) for column in zip(*pairs, strict=True))
    (found,) = agree(said(amara=[*one], bo=[*other]), seed=0, rules=STARS)
    scale = ["1", "2", "3", "4", "5"]
    (pair,) = found.pairs
    for figure, weights in zip(
        (pair.kappa, *pair.further), ("linear", None, "quadratic"), strict=True
    ):
        if figure.value is not None and len({*one, *other}) > 1:
            expected = cohen_kappa_score(one, other, labels=scale, weights=weights)
            assert figure.value == pytest.approx(expected, abs=1e-9)


def test_alpha_is_given_at_every_level() -> None:
    """Stars have an alpha at all four levels, each the reference implementation's."""
    people: dict[str, list[str | None]] = {
        "amara": ["1", "2", "3", "5", "4", None],
        "bo": ["1", "3", "3", "5", "2", "1"],
        "chen": [None, "2", "4", "5", "4", "2"],
    }
    (found,) = agree(said(**people), seed=0, rules=STARS)
    table = [[np.nan if v is None else float(v) for v in column] for column in people.values()]
    for alpha in found.alphas:
        level = alpha.name.removeprefix("krippendorff-alpha-")
        kind: Any = level
        expected = reference_alpha(reliability_data=table, level_of_measurement=kind)
        assert alpha.value == pytest.approx(expected, abs=1e-9)
        assert alpha.interval is not None
    assert len(found.alphas) == 4
    assert (found.level, found.alpha.name) == ("ordinal", "krippendorff-alpha-ordinal")
    assert found.ac1.name == "gwet-ac2-linear"


def test_who_stands_against_the_others_is_told() -> None:
    """Chen says pass where the others say fail; where the others differ there is no majority."""
    found = agree(
        said(
            amara=["fail", "fail", "pass", "fail"],
            bo=["fail", "fail", "pass", "pass"],
            chen=["pass", "pass", "pass", "pass"],
        ),
        seed=0,
    )[0]
    chen = found.people[2]
    assert (chen.annotator, chen.n_items, chen.n_against) == ("chen", 3, 2)
    assert [(d.first, d.second, d.n) for d in chen.leans] == [("pass", "fail", 2)]
    assert chen.interval.low < 2 / 3 < chen.interval.high
    pair = next(pair for pair in found.pairs if pair.annotators == ("amara", "bo"))
    assert [(d.first, d.second, d.n) for d in pair.differences] == [("fail", "pass", 1)]


def test_a_section_that_is_read_in_two_ways_comes_first() -> None:
    """Two people who cite one section and say different things read it in two ways."""
    rows = [
        label("t0", "fail", sections=["promises"]),
        label("t0", "pass", "bo", sections=["promises"]),
        label("t1", "fail", sections=["promises"]),
        label("t1", "pass", "bo", sections=["courtesy"]),
        label("t2", "fail", sections=["dates"]),
        label("t2", "fail", "bo", sections=["dates"]),
    ]
    promises, *others = agree(labels(rows), seed=0, rules=RULES)[0].clauses
    assert (promises.section_id, promises.title) == ("promises", "Promises")
    counts = (promises.n_items, promises.n_disputed, promises.n_two_ways, promises.n_guessed)
    assert counts == (2, 2, 1, 0)
    assert (promises.rate, promises.elsewhere) == (1.0, 0.0)
    assert [(other.section_id, other.n_disputed) for other in others] == [
        ("courtesy", 1),
        ("dates", 0),
    ]


def test_a_comment_may_speak_of_a_section() -> None:
    """Without a tick the comment's words connect a label with a section, and that is a guess."""
    rows = [
        label("t0", "fail", comment="That promise of a voucher is invented."),
        label("t0", "pass", "bo", comment="Fine."),
    ]
    (found,) = agree(labels(rows), seed=0, rules=RULES)[0].clauses
    assert (found.section_id, found.n_guessed, found.n_disputed) == ("promises", 1, 1)


def test_a_section_that_is_gone_is_still_counted() -> None:
    """Labels may cite an older guidance; its section has no title any more."""
    rows = [label("t0", "fail", sections=["tone"]), label("t0", "pass", "bo")]
    (found,) = agree(labels(rows), seed=0, rules=RULES)[0].clauses
    assert (found.section_id, found.title, found.n_disputed) == ("tone", "", 1)


def test_labels_that_the_form_does_not_take_make_it_nominal() -> None:
    """A hand-written "great" under a star rubric is counted, and told, and no error."""
    (found,) = agree(said(amara=["4", "great"], bo=["5", "4"]), seed=0, rules=STARS)
    assert found.level == "nominal"
    assert "1 labels are none that the rubric takes (great)" in found.warnings[0]


def test_words_have_no_agreement() -> None:
    """Answers in words are counted and not compared."""
    rules = Rulebook(forms={"grounded": LabelForm(type="text")})
    (found,) = agree(said(amara=["too long"], bo=["rude"]), seed=0, rules=rules)
    assert (found.n_labels, found.n_disputed, found.raw.value) == (2, 0, None)
    assert "in words" in found.warnings[0]


def test_kinds_are_measured_apart() -> None:
    """A label of a tool call does not agree with a label of its trace."""
    rows = [
        label("t0", "pass"),
        label("t0", "fail", "bo", item_kind="tool_call", item_id="t0/s1"),
        label("t0", "fail", "amara", item_kind="tool_call", item_id="t0/s1", label_id="x"),
    ]
    found = agree(labels(rows), seed=0)
    assert [(part.kind, part.n_items, part.raw.value) for part in found] == [
        ("tool_call", 1, 1.0),
        ("trace", 1, None),
    ]


def test_very_many_annotators_are_counted() -> None:
    """Of very many pairs only those who share most are listed, and all are counted."""
    found = agree(said(**{f"p{n:02}": ["pass", "fail"] for n in range(30)}), seed=0)[0]
    assert (found.n_pairs, len(found.pairs)) == (435, 300)


def strata(rows: list[dict[str, Any]], **routes: str) -> pl.DataFrame:
    """The labels with the route of each trace."""
    return labels(rows).with_columns(route=pl.col("trace_id").replace_strict(routes, default="a"))


def alike(n: int, *, start: int = 0, differ: int = 0) -> list[dict[str, Any]]:
    """Two people on n traces, who differ on the first few."""
    rows = []
    for place in range(start, start + n):
        verdict = "fail" if place % 2 else "pass"
        other = {"fail": "pass", "pass": "fail"}[verdict] if place - start < differ else verdict
        rows += [label(f"t{place}", verdict), label(f"t{place}", other, "bo")]
    return rows


def test_a_stratum_under_the_floor_is_not_promoted() -> None:
    """People agree on one route and not on the other: only the first one's rows pass."""
    rows = alike(12) + alike(12, start=12, differ=8)
    routes = {f"t{n}": "b" for n in range(12, 24)}
    floor = AgreementFloor(measure="ac1", least=0.6, min_items=10)
    found = standings(strata(rows, **routes), floor, seed=0)
    assert [(one.stratum, one.is_met) for one in found] == [("", False), ("a", True), ("b", False)]
    verdicts = consensus(labels(rows), 2, 0.6)
    kept = hold_back(verdicts, {f"t{n}": "b" if n > 11 else "a" for n in range(24)}, found)
    passed = kept.filter(pl.col("verdict").is_not_null())["trace_id"].to_list()
    assert sorted(passed) == sorted(f"t{n}" for n in range(12))
    held = kept.filter(trace_id="t23")["reason"].item()
    assert held.startswith("ac1 -")
    assert held.endswith("in route=b is under the floor 0.6")


def test_a_senior_settles_below_the_floor_too() -> None:
    """What a senior has looked at is what such a stratum waits for."""
    rows = [*alike(12, differ=8), label("t0", "fail", "chen", role="senior")]
    found = standings(strata(rows), AgreementFloor(), seed=0)
    kept = hold_back(consensus(labels(rows), 2, 0.6), {}, found)
    assert kept.filter(pl.col("verdict").is_not_null())["trace_id"].to_list() == ["t0"]


def test_a_small_stratum_borrows_the_whole_rubrics_figure() -> None:
    """Three items say little about a route; the rubric's own figure stands in, and it is told."""
    rows = alike(12) + alike(3, start=12, differ=3)
    found = standings(strata(rows, t12="b", t13="b", t14="b"), AgreementFloor(), seed=0)
    (small,) = [one for one in found if one.stratum == "b"]
    assert (small.is_borrowed, small.is_met) == (True, True)


@pytest.mark.parametrize("measure", ["raw", "fleiss", "alpha", "ac1"])
def test_the_lower_bound_is_stricter(measure: Any) -> None:  # noqa: ANN401 -- a literal
    """Agreement that is good but not sure does not pass where the lower bound must."""
    rows = strata(alike(12, differ=1))
    easy = AgreementFloor(measure=measure, least=0.7)
    strict = AgreementFloor(measure=measure, least=0.7, on="lower_bound")
    assert standings(rows, easy, seed=0)[0].is_met
    assert not standings(rows, strict, seed=0)[0].is_met


def test_no_figure_never_passes() -> None:
    """One annotator alone agrees with nobody: that is not enough."""
    rows = strata([label(f"t{n}", "pass") for n in range(12)])
    (whole, _) = standings(rows, AgreementFloor(), seed=0)
    assert not whole.is_met
    assert "no ac1" in whole.reason


def test_unanimity_passes() -> None:
    """All twenty say fail: AC1 is 1, though kappa and alpha are undefined."""
    rows = strata([label(f"t{n}", "fail", who) for n in range(12) for who in ("amara", "bo")])
    assert all(one.is_met for one in standings(rows, AgreementFloor(least=0.9), seed=0))
