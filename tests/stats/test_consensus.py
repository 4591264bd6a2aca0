"""What people agree on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.stats.consensus import consensus

BEGIN = datetime(2026, 5, 1, tzinfo=UTC)


def label(annotator: str, verdict: str, **changes: object) -> dict[str, Any]:
    """A label of trace t under the rubric r."""
    usual = {
        "label_id": f"{annotator}-{verdict}",
        "trace_id": "t",
        "rubric": "r",
        "label": verdict,
        "score": {"pass": 1.0, "fail": 0.0}.get(verdict),
        "reference": None,
        "annotator": annotator,
        "role": "annotator",
        "guidance_version": "1",
        "created_at": BEGIN,
    }
    return usual | changes


def settle(*labels: dict[str, Any], n: int = 2, least: float = 0.6) -> dict[str, Any]:
    """The consensus of one item."""
    return consensus(pl.DataFrame(labels, infer_schema_length=None), n, least).row(0, named=True)


def test_two_who_agree_settle_an_item() -> None:
    """Two equal verdicts are a unanimous consensus."""
    found = settle(label("a", "fail"), label("b", "fail"))
    assert (found["verdict"], found["agreement"], found["is_unanimous"], found["reason"]) == (
        "fail",
        1.0,
        True,
        None,
    )


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([label("a", "fail")], "1 of 2 annotators"),
        ([label("a", "fail"), label("b", "pass")], "1 of 2 annotators agree"),
        ([label("a", "fail"), label("b", "unsure")], "1 of 2 annotators"),
        (
            [label("s", "fail", role="senior"), label("t", "pass", role="senior")],
            "seniors disagree",
        ),
    ],
)
def test_doubt_has_its_reason(labels: list[dict[str, Any]], reason: str) -> None:
    """Without a consensus there is no verdict, and the reason is told."""
    found = settle(*labels)
    assert (found["verdict"], found["reason"]) == (None, reason)


def test_majority_below_the_least_share_does_not_settle() -> None:
    """Two of three are not enough where three quarters are asked for."""
    labels = [label("a", "fail"), label("b", "fail"), label("c", "pass")]
    assert settle(*labels, least=0.75)["reason"] == "2 of 3 annotators agree"
    assert settle(*labels)["verdict"] == "fail"


def test_senior_settles_alone() -> None:
    """A senior's word decides, is named, and does not hide how many disagreed."""
    found = settle(label("a", "fail"), label("b", "pass"), label("s", "pass", role="senior"))
    assert (found["verdict"], found["settled_by"], found["is_unanimous"]) == ("pass", "s", False)
    assert found["agreement"] == pytest.approx(2 / 3)


def test_newest_word_of_a_person_counts() -> None:
    """A later label of the same person replaces the earlier one."""
    later = label("a", "pass", created_at=BEGIN + timedelta(days=1))
    assert settle(label("a", "fail"), later, label("b", "pass"))["verdict"] == "pass"


def test_graded_labels_are_verdicts_by_their_score() -> None:
    """A grade counts as pass from half of the scale on."""
    found = settle(label("a", "4", score=0.75), label("b", "3", score=0.5))
    assert found["verdict"] == "pass"


def test_reference_comes_from_who_decided() -> None:
    """The senior's reference outranks a newer one of somebody else."""
    later = BEGIN + timedelta(days=1)
    found = settle(
        label("a", "fail", reference="theirs", created_at=later),
        label("s", "fail", reference="senior's", role="senior"),
    )
    assert found["reference"] == "senior's"


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["pass", "fail"])), min_size=1))
def test_order_of_labels_does_not_matter(votes: list[tuple[str, str]]) -> None:
    """Any order of the same labels gives the same verdict, and it is a majority's."""
    labels = [
        label(name, verdict, label_id=f"{number:03}", created_at=BEGIN + timedelta(hours=number))
        for number, (name, verdict) in enumerate(votes)
    ]
    forward = consensus(pl.DataFrame(labels, infer_schema_length=None), 2, 0.6)
    backward = consensus(pl.DataFrame(labels[::-1], infer_schema_length=None), 2, 0.6)
    assert forward.equals(backward)
    found = forward.row(0, named=True)
    current = dict(votes)
    share = list(current.values()).count(str(found["verdict"])) / len(current)
    assert found["verdict"] is None or (share >= 0.6 and len(current) >= 2)


def test_no_labels_are_no_items() -> None:
    """An empty table gives an empty one."""
    empty = pl.DataFrame([label("a", "fail")], infer_schema_length=None).clear()
    assert consensus(empty, 2, 0.6).height == 0


@pytest.mark.parametrize(
    ("pass_from", "verdict"), [({}, "pass"), ({"r": 0.8}, "fail"), ({"other": 0.8}, "pass")]
)
def test_a_rubric_says_from_which_rating_people_pass(
    pass_from: dict[str, float], verdict: str
) -> None:
    """Two ratings of 3 of 4 are a pass from one half, and a fail where only a 4 is good enough."""
    rated = [label(name, "3", score=0.666667) for name in ("a", "b")]
    found = consensus(pl.DataFrame(rated), 2, 0.6, pass_from).row(0, named=True)
    assert found["verdict"] == verdict
