"""What a person is shown next."""

from __future__ import annotations

import polars as pl
import pytest

from gitloop.core.label import (
    Given,
    Queue,
    Session,
    annotator_name,
    annotator_queue,
    disputes,
    label_row,
    representatives,
    sample,
    senior_queue,
    trace_cases,
)
from gitloop.params import LabelForm
from gitloop.tables import CLUSTERS
from tests.labelled import START, label, labels, traces


def session(annotator: str = "amara", role: str = "annotator", **other: object) -> Session:
    """A session under guidance "1" and version 3 of the rubric "grounded"."""
    known = {"guidance_version": "1", "rubrics": {"grounded": "3"}, "min_agreement": 0.6}
    return Session(annotator=annotator, role=role, **(known | other))  # type: ignore[arg-type]


def clusters(**representatives: list[str]) -> pl.DataFrame:
    """One cluster per name, as heavy as it has representatives."""
    rows = [
        {
            "cluster_id": name,
            "name": f"about {name}",
            "size": len(ids),
            "weight": float(len(ids)),
            "medoid_trace_id": ids[0],
            "medoid_line": "",
            "representatives": ids,
            "cohesion": 0.5,
            "routes": [],
            "user_cohorts": [],
            "prompt_versions": [],
        }
        for name, ids in representatives.items()
    ]
    return pl.DataFrame(rows, schema=CLUSTERS.schema)


def asked(
    session: Session, clusters: pl.DataFrame, known: pl.DataFrame, given: pl.DataFrame
) -> Queue:
    """What an annotator is asked about the clusters' representatives."""
    shown = representatives(clusters)
    there = known["trace_id"].to_list()
    gone = [name for name in shown if name not in there]
    return annotator_queue(session, trace_cases(known, shown), given, gone)


def settling(session: Session, known: pl.DataFrame, given: pl.DataFrame) -> Queue:
    """What a senior is asked."""
    shown = dict.fromkeys(known["trace_id"].to_list(), (None, None))
    return senior_queue(disputes(session, given), trace_cases(known, shown))


def test_the_heaviest_cluster_comes_first() -> None:
    """Items follow the clusters' weight, then the rank of the representative, then the rubric."""
    queue = asked(
        session(rubrics={"grounded": "1", "polite": "1"}),
        clusters(small=["t9"], large=["t2", "t1"]),
        traces(["t1", "t2", "t9"]),
        labels([]),
    )
    assert [(item.trace_id, item.rubric, item.case.cluster_id) for item in queue.items] == [
        ("t2", "grounded", "large"),
        ("t2", "polite", "large"),
        ("t1", "grounded", "large"),
        ("t1", "polite", "large"),
        ("t9", "grounded", "small"),
        ("t9", "polite", "small"),
    ]


def test_what_they_labelled_is_done() -> None:
    """An annotator is not asked twice under one guidance, and is asked again under the next."""
    given = labels([label("t1", "pass")])
    args = (clusters(c=["t1", "t2"]), traces(["t1", "t2"]), given)
    now = asked(session(), *args)
    later = asked(session(guidance_version="2"), *args)
    assert ([item.trace_id for item in now.items], now.n_done) == (["t2"], 1)
    assert [item.trace_id for item in later.items] == ["t1", "t2"]


def test_annotators_see_nothing_of_each_other() -> None:
    """Another person's labels change nothing in an annotator's queue."""
    args = (clusters(c=["t1"]), traces(["t1"]))
    alone = asked(session(), *args, labels([]))
    after = asked(session(), *args, labels([label("t1", "fail", "bo", comment="bad")]))
    assert alone == after
    assert alone.items[0].opinions == ()


def test_a_trace_that_is_gone_is_counted() -> None:
    """A representative without a trace is named, not asked about and not silently dropped."""
    queue = asked(session(), clusters(c=["t1", "t2"]), traces(["t2"]), labels([]))
    assert ([item.trace_id for item in queue.items], queue.gone) == (["t2"], ("t1",))


def test_a_senior_sees_disputes_with_both_verdicts() -> None:
    """Only items without a majority reach the senior, with what everybody said."""
    given = labels(
        [
            label("t1", "pass"),
            label("t1", "fail", "bo", comment="invented"),
            label("t2", "pass"),
            label("t2", "pass", "bo"),
            label("t3", "pass"),
        ]
    )
    queue = settling(session("chen", "senior"), traces(["t1", "t2", "t3"]), given)
    (item,) = queue.items
    said = [(opinion.annotator, opinion.label, opinion.comment) for opinion in item.opinions]
    assert (item.trace_id, said) == ("t1", [("amara", "pass", None), ("bo", "fail", "invented")])


def test_a_settled_dispute_is_done() -> None:
    """What one senior settled is not put before another."""
    given = labels(
        [label("t1", "pass"), label("t1", "fail", "bo"), label("t1", "fail", "chen", role="senior")]
    )
    queue = settling(session("dana", "senior"), traces(["t1"]), given)
    assert (queue.items, queue.n_done) == ((), 1)


def test_a_majority_needs_no_senior() -> None:
    """Two of three suffice where params.yaml asks for 60 %."""
    given = labels([label("t1", "pass"), label("t1", "pass", "bo"), label("t1", "fail", "carol")])
    assert settling(session("chen", "senior"), traces(["t1"]), given).items == ()


def test_ratings_are_compared_as_verdicts() -> None:
    """Three and four stars both pass from .5 on; one and four do not agree."""
    rules = {"forms": {"grounded": LabelForm(type="star")}, "pass_from": {"grounded": 0.5}}
    senior = session("chen", "senior", **rules)
    given = [
        label("t1", "3", score=0.5), label("t1", "4", "bo", score=0.75),
        label("t2", "1", score=0.0), label("t2", "4", "bo", score=0.75),
    ]  # fmt: skip
    found = settling(senior, traces(["t1", "t2"]), labels(given))
    assert [item.trace_id for item in found.items] == ["t2"]


def test_a_stricter_line_makes_a_dispute() -> None:
    """Where only five stars pass, four and five disagree."""
    senior = session("chen", "senior", pass_from={"grounded": 1.0})
    given = labels([label("t1", "5", score=1.0), label("t1", "4", "bo", score=0.75)])
    assert len(settling(senior, traces(["t1"]), given).items) == 1


def test_words_are_no_dispute() -> None:
    """Two people never write the same sentence, and none of the two is wrong."""
    senior = session("chen", "senior", forms={"grounded": LabelForm(type="text")})
    given = labels([label("t1", "too long", score=None), label("t1", "rude", "bo", score=None)])
    assert settling(senior, traces(["t1"]), given).items == ()


def test_an_abstention_stands_against_a_verdict() -> None:
    """One who is unsure and one who is not bring the item before the senior."""
    given = labels([label("t1", "unsure", score=None), label("t1", "pass", "bo")])
    assert len(settling(session("chen", "senior"), traces(["t1"]), given).items) == 1


def test_a_dispute_over_a_retired_trace_is_counted() -> None:
    """What cannot be shown any more is named, not asked and not dropped."""
    given = labels([label("t1", "pass"), label("t1", "fail", "bo")])
    found = settling(session("chen", "senior"), traces(["t2"]), given)
    assert (found.items, found.gone) == ((), ("t1",))


def test_a_sample_grows_without_changing() -> None:
    """The first two of a sample are among the first four; the seed decides which."""
    names = [f"t{n}" for n in range(9)]
    assert sample(names, 2, 7) == sample(reversed(names), 9, 7)[:2]
    assert sample(names, 9, 7) != sample(names, 9, 8)


def test_an_answer_makes_a_label() -> None:
    """A label knows who, what, under which rubric version and guidance, and why."""
    item = asked(session(), clusters(c=["t1"]), traces(["t1"]), labels([])).items[0]
    row = label_row(session(), item, Given("fail", "invented", "30 days"), at=START)
    expected = {
        "trace_id": "t1",
        "rubric": "grounded",
        "label": "fail",
        "comment": "invented",
        "reference": "30 days",
        "annotator": "amara",
        "role": "annotator",
        "guidance_version": "1",
        "rubric_version": "3",
        "cluster_id": "c",
    }
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ("Ada Lovelace", "ada-lovelace"),
        ("ada@example.org", "ada@example.org"),
        ("  Zoë  O'Neil ", "zo-o-neil"),
        ("…", ""),
    ],
)
def test_a_git_user_has_a_file_name(identity: str, name: str) -> None:
    """A person's name becomes the stem of their label file."""
    assert annotator_name(identity) == name
