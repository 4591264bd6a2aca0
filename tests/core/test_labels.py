"""Labels in other tools' files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitloop.core.labels import Dialect, drafts_from_argilla, drafts_from_label_studio
from gitloop.errors import DataError

DIALECT = Dialect({"3": "amara", "u-1": "amara"})


def task(*regions: dict[str, Any], **annotation: Any) -> str:  # noqa: ANN401 -- JSON values
    """A Label Studio export with one annotation."""
    given = {"id": 11, "completed_by": 3, "was_cancelled": False, "result": list(regions)}
    return json.dumps([{"id": 1, "data": {"trace_id": "t1"}, "annotations": [given | annotation]}])


def region(name: str, kind: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON values
    """One answer of a Label Studio annotation."""
    return {"from_name": name, "to_name": "output", "type": kind, "value": {kind: value}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (region("grounded", "choices", ["fail"]), {"label": "fail"}),
        (region("grounded", "choices", ["thumbs_up"]), {"label": "pass"}),
        (region("grounded", "rating", 4), {"label": "4", "score": 0.75}),
        (region("grounded", "number", 1), {"label": "1", "score": 0.0}),
        (region("grounded", "choices", ["unsure"]), {"label": "unsure"}),
    ],
)
def test_label_studio_answers(answer: dict[str, Any], expected: dict[str, Any]) -> None:
    """Choices, ratings and numbers of Label Studio become labels; grades get a score."""
    (draft,) = drafts_from_label_studio(task(answer), source="x.json", dialect=DIALECT)
    common = {"trace_id": "t1", "rubric": "grounded", "annotator": "amara"}
    assert dict(draft.values) == common | expected


def test_label_studio_words_belong_to_their_rubric() -> None:
    """`comment` goes to every rubric, `<rubric>_comment` to one."""
    text = task(
        region("grounded", "choices", ["fail"]),
        region("polite", "choices", ["pass"]),
        region("comment", "text", ["hm"]),
        region("grounded_comment", "text", ["invented"]),
        region("grounded_reference", "text", ["30 days"]),
        created_at="2026-05-18T08:00:00Z",
    )
    drafts = drafts_from_label_studio(text, source="x.json", dialect=DIALECT)
    said = {
        draft.values["rubric"]: (draft.values["comment"], draft.values.get("reference"))
        for draft in drafts
    }
    assert said == {"grounded": ("invented", "30 days"), "polite": ("hm", None)}
    assert drafts[0].values["created_at"] == "2026-05-18T08:00:00Z"


def test_a_cancelled_annotation_is_no_label() -> None:
    """What an annotator skipped in Label Studio is not a verdict."""
    text = task(region("grounded", "choices", ["fail"]), was_cancelled=True)
    assert drafts_from_label_studio(text, source="x.json", dialect=DIALECT) == []


def test_label_studio_people_by_address() -> None:
    """An export with user records names the person by their address."""
    text = task(region("g", "choices", ["pass"]), completed_by={"id": 3, "email": "a@b.org"})
    (draft,) = drafts_from_label_studio(text, source="x.json", dialect=DIALECT)
    assert draft.values["annotator"] == "a@b.org"


def test_argilla_responses() -> None:
    """Each user's response to each question becomes a label of that person."""
    record = {
        "id": "r1",
        "metadata": {"trace_id": "t1"},
        "responses": {
            "grounded": [{"value": "fail", "user_id": "u-1"}, {"value": "pass", "user_id": "u-2"}],
            "comment": [{"value": "invented", "user_id": "u-1"}],
        },
    }
    drafts = drafts_from_argilla(json.dumps([record]), source="x.json", dialect=DIALECT)
    assert [dict(draft.values) for draft in drafts] == [
        {
            "trace_id": "t1",
            "annotator": "amara",
            "rubric": "grounded",
            "label": "fail",
            "comment": "invented",
        },
        {"trace_id": "t1", "annotator": "u-2", "rubric": "grounded", "label": "pass"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '[{"id": 1}]',
        "{",
        "[" * 100_000,
        '[{"data": {}, "annotations": [1], "responses": {"a": [1]}}]',
        '[{"data": {}, "annotations": 7, "responses": {"a": 7}}]',
    ],
)
def test_a_file_of_another_kind_is_told(text: str) -> None:
    """What is no export of the tool is refused, with the entry."""
    for read in (drafts_from_label_studio, drafts_from_argilla):
        with pytest.raises(DataError, match=r"x\.json"):
            read(text, source="x.json", dialect=DIALECT)
