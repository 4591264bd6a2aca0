"""Labels in other tools' files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitloop.core.labels import (
    Dialect,
    argilla_records,
    drafts_from_argilla,
    drafts_from_label_studio,
    label_studio_tasks,
    strangers,
)
from gitloop.errors import DataError
from tests.labelled import label, labels, traces

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


def test_label_studio_texts_of_one_box_are_lines() -> None:
    """A box that took several texts gives one label; each Enter there adds another text."""
    text = task(
        region("words", "text", ["no office", "no number"]),
        region("words_comment", "text", ["a", "b"]),
    )
    (draft,) = drafts_from_label_studio(text, source="x.json", dialect=DIALECT)
    assert (draft.values["label"], draft.values["comment"]) == ("no office\nno number", "a\nb")


def test_label_studio_tasks_are_such_as_it_takes() -> None:
    """No text is null, and nobody's word is called the truth: import refuses or assumes it."""
    given = labels([label("t1", "fail"), label("t1", "pass", "bo"), label("t1", "pass", "cy")])
    dialect = Dialect({"3": "amara", "bo@example.org": "bo"})
    (found,) = label_studio_tasks(traces(["t1"], context=None, route=None), given, dialect)
    assert [found["data"][name] for name in ("input", "context", "output")] == [
        "question t1",
        "",
        "answer t1",
    ]
    assert [(one["completed_by"], one["ground_truth"]) for one in found["annotations"]] == [
        (3, False),
        ({"email": "bo@example.org"}, False),
        ({"email": "cy"}, False),
    ]
    assert strangers("label-studio", ["amara", "bo", "cy"], dialect) == ("cy",)
    assert strangers("jsonl", ["cy"], dialect) == ()


def test_argilla_records_are_submitted_by_its_own_users() -> None:
    """A response without a status would be a draft, and one of no UUID is refused."""
    user = "0f8f3d8a-2f0a-4f9e-9a52-6a1a4a4f3c11"
    dialect = Dialect({user: "amara"})
    (record,) = argilla_records(traces(["t1"]), labels([label("t1", "fail")]), dialect)
    assert record["responses"] == {
        "grounded": [{"value": "fail", "user_id": user, "status": "submitted"}]
    }
    assert strangers("argilla", ["amara", "bo"], dialect) == ("bo",)


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


def test_argilla_flat_records() -> None:
    """Of `to_list(flatten=True)` what was submitted counts; drafts and discarded ones do not."""
    record = {
        "id": "r1",
        "status": "completed",
        "_server_id": "7d0c",
        "output": "Within 90 days.",
        "trace_id": "t1",
        "grounded.responses": ["fail", "pass", "pass"],
        "grounded.responses.users": ["u-1", "u-2", "u-3"],
        "grounded.responses.status": ["submitted", "draft", "discarded"],
        "grounded_comment.responses": ["invented"],
        "grounded_comment.responses.users": ["u-1"],
        "grounded_comment.responses.status": ["submitted"],
    }
    bare = {name: None for name in record if "." in name} | {"id": "t2", "output": "Hm."}
    drafts = drafts_from_argilla(json.dumps([record, bare]), source="x.json", dialect=DIALECT)
    assert [dict(draft.values) for draft in drafts] == [
        {
            "trace_id": "t1",
            "annotator": "amara",
            "rubric": "grounded",
            "label": "fail",
            "comment": "invented",
        }
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '[{"id": 1}]',
        '[{"id": 1, "a.responses": [1, 2], "a.responses.users": ["u"]}]',
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
