"""How far annotators agree."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from gitloop.core.agree import agree
from tests.labelled import label, labels
from tests.stats.published import read_expected, read_rows

VERDICTS = st.sampled_from(["pass", "fail"])


def two_people(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    """Labels of amara and bo on as many traces as there are pairs."""
    rows = []
    for n, (one, other) in enumerate(pairs):
        rows += [label(f"t{n}", one), label(f"t{n}", other, "bo")]
    return labels(rows)


def test_raw_agreement_stands_beside_kappa() -> None:
    """Nine of ten alike with one rare verdict: agreement .9, kappa at chance, AC1 high."""
    (found,) = agree(two_people([("pass", "pass")] * 9 + [("pass", "fail")]), seed=0)
    figures = (found.raw.value, found.pairs[0].kappa.value, found.ac1.value)
    assert figures == pytest.approx((0.9, 0.0, 0.8895), abs=1e-3)
    assert [(share.category, share.n) for share in found.prevalence] == [("fail", 1), ("pass", 19)]


@given(pairs=st.lists(st.tuples(VERDICTS, VERDICTS), min_size=2, max_size=40))
def test_kappa_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    """Cohen's kappa of two annotators is what scikit-learn gives, wherever it is defined."""
    (found,) = agree(two_people(pairs), seed=0)
    one, other = zip(*pairs, strict=True)
    if len({*one, *other}) > 1:
        expected = cohen_kappa_score(one, other)
        assert found.pairs[0].kappa.value == pytest.approx(expected, abs=1e-9)


def test_disputes_are_listed_with_reasons() -> None:
    """An item on which people differ shows who said what, why, and how it was settled."""
    rows = labels(
        [
            label("t1", "pass"),
            label("t1", "fail", "bo", comment="invented"),
            label("t1", "fail", "chen", role="senior"),
        ]
    )
    (dispute,) = agree(rows, seed=0)[0].disputes
    assert (dispute.labels, dispute.comments, dispute.settled) == (
        {"amara": "pass", "bo": "fail"},
        {"bo": "invented"},
        "fail",
    )


def test_seniors_do_not_count_as_raters() -> None:
    """A senior saw what the others said, so agreement with them says nothing."""
    rows = labels([label("t1", "pass"), label("t1", "pass", "chen", role="senior")])
    (found,) = agree(rows, seed=0)
    assert found.raw.value is None
    assert found.warnings == ("amara is the only annotator: agreement is undefined",)


def test_strata_follow_the_whole() -> None:
    """With a column given, each of its values is shown apart."""
    rows = two_people([("pass", "pass"), ("pass", "fail")]).with_columns(
        route=pl.col("trace_id").replace({"t0": "refund", "t1": "status"})
    )
    found = agree(rows, seed=0, by="route")
    assert [(part.stratum, part.raw.value) for part in found] == [
        ("", 0.5),
        ("route=refund", 1.0),
        ("route=status", 0.0),
    ]


def test_mixed_guidance_is_told() -> None:
    """Labels under two versions of the guidance are a warning."""
    rows = labels([label("t1", "pass"), label("t1", "fail", "bo", guidance_version="2")])
    assert "2 versions of the guidance (1, 2)" in agree(rows, seed=0)[0].warnings[0]


def test_grades_are_ordinal() -> None:
    """Labels that are numbers get ordinal figures, and 10 is above 9."""
    given = [("9", "10"), ("1", "2"), ("5", "5")]
    (found,) = agree(two_people(given), seed=0)
    assert found.alpha.name == "krippendorff-alpha-ordinal"
    assert [share.category for share in found.prevalence] == [1.0, 2.0, 5.0, 9.0, 10.0]


def test_mtrag_agreement_is_the_published_reference() -> None:
    """Ordinal alpha of MTRAG's raters on four rubrics, gaps and all, is the independent figure."""
    raw = [row for row in read_rows("mtrag/labels.jsonl") if row["rubric"] != "win-rate"]
    rows = labels(
        [
            label(row["trace_id"], row["label"], row["annotator"], rubric=row["rubric"])
            for row in raw
        ]
    )
    expected = read_expected()["per_dataset"]["mtrag"]
    for found in agree(rows, seed=0):
        figure = expected[f"alpha_ordinal_{found.rubric}"]
        assert found.alpha.value == pytest.approx(figure, abs=1e-3)
