"""The recorded judge: scores from a table, on their own scale; what is not there is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gitloop.errors import ConfigError, DataError
from gitloop.judges.recorded import RecordedJudge
from gitloop.params import JudgePin, Rubric
from gitloop.records import Case, Judgement

Rows = Sequence[dict[str, Any]]


def judge(root: Path, rows: Rows, name: str = "scores.jsonl", **parameters: Any) -> RecordedJudge:  # noqa: ANN401
    """A judge that looks up these rows."""
    if name.endswith(".parquet"):
        pl.DataFrame(list(rows)).write_parquet(root / name)
    else:
        (root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    rubric = Rubric(name="tone", version="1", scorer={"recorded": {}})
    return RecordedJudge(
        rubric, JudgePin(use="recorded", parameters={"table": name, **parameters}), root
    )


def judged(made: RecordedJudge, item_id: str = "a", replicate: int = 0) -> Judgement:
    """The judgement of one case."""
    case = Case(item_id, "q", output="o", replicate=replicate)
    return made.read(made.call([made.request(case)])[0])


@pytest.mark.parametrize("name", ["scores.jsonl", "scores.parquet"])
@pytest.mark.parametrize("key", ["item_id", "trace_id"])
def test_scores_are_looked_up(tmp_path: Path, name: str, key: str) -> None:
    """Parquet and JSON lines, keyed by item_id or trace_id."""
    made = judge(tmp_path, [{key: "a", "score": 0.5}, {key: "b", "score": 1.0}], name)
    assert (judged(made, "a").score, judged(made, "b").score) == (0.5, 1.0)


def test_another_scale_is_brought_to_0_1(tmp_path: Path) -> None:
    """Scale names the worst and the best recorded score; the best may be the lower one."""
    rows = [{"item_id": "a", "score": 4}, {"item_id": "b", "score": 1}]
    up = judge(tmp_path, rows, scale={"min": 1, "max": 5})
    down = judge(tmp_path, rows, scale={"min": 5, "max": 1})
    assert (judged(up, "a").score, judged(up, "b").score) == (0.75, 0.0)
    assert (judged(down, "a").score, judged(down, "b").score) == (0.25, 1.0)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"item_id": "z", "score": 1}, Judgement("missing", None, "no score was recorded")),
        (
            {"item_id": "a", "score": None},
            Judgement("unparsed", None, "the recorded score is None, not a number"),
        ),
        (
            {"item_id": "a", "score": float("nan")},
            Judgement("unparsed", None, "the recorded score is nan, not a number"),
        ),
        (
            {"item_id": "a", "score": 1.7},
            Judgement("error", None, "the recorded score is 1.7, outside 0 … 1"),
        ),
        (
            {"item_id": "a", "score": None, "status": "timeout"},
            Judgement("timeout", None, "recorded as timeout"),
        ),
        ({"item_id": "a", "score": 1, "rationale": "good"}, Judgement("ok", 1.0, "good")),
        (
            {"item_id": "a", "score": 1, "rubric": "other"},
            Judgement("missing", None, "no score was recorded"),
        ),
    ],
)
def test_what_is_no_score_has_a_status(
    tmp_path: Path, row: dict[str, Any], expected: Judgement
) -> None:
    """Missing, unparsed and out of range are told apart, and none of them is 0."""
    assert judged(judge(tmp_path, [row])) == expected


def test_where_and_rubric_choose_rows(tmp_path: Path) -> None:
    """Rows of other judges and rubrics do not count; where may name the table's own rubric."""
    rows = [
        {"item_id": "a", "judge": judge_, "rubric": rubric, "score": score}
        for judge_, rubric, score in [("x", "tone", 0.1), ("y", "tone", 0.2), ("y", "style", 0.3)]
    ]
    assert judged(judge(tmp_path, rows, where={"judge": "y"})).score == 0.2
    assert judged(judge(tmp_path, rows, where={"judge": "y", "rubric": "style"})).score == 0.3


def test_replicates_have_scores_of_their_own(tmp_path: Path) -> None:
    """A column replicate tells several judgements of one item apart."""
    rows = [{"item_id": "a", "replicate": r, "score": r / 2} for r in (0, 1)]
    made = judge(tmp_path, rows)
    assert [judged(made, "a", r).score for r in (0, 1)] == [0.0, 0.5]


def test_two_scores_for_one_item_are_an_error(tmp_path: Path) -> None:
    """The judge never picks one of two scores by itself."""
    rows = [{"item_id": "a", "score": 0.1}, {"item_id": "a", "score": 0.9}]
    with pytest.raises(DataError, match=r"scores\.jsonl has two scores for a, replicate 0"):
        judge(tmp_path, rows)


@pytest.mark.parametrize(
    ("rows", "parameters", "error", "words"),
    [
        ([{"id": "a", "score": 1}], {}, DataError, "has no column item_id"),
        ([{"item_id": "a"}], {}, DataError, "has no column score"),
        ([{"item_id": "a", "score": 1}], {"where": {"by": "x"}}, DataError, "has no column by"),
        ([{"item_id": "a", "score": 1}], {"table": "no.jsonl"}, DataError, "does not exist"),
        ([], {"scale": {"min": 1, "max": 1}}, ConfigError, "min and max are equal"),
        ([], {"tabel": "x"}, ConfigError, "did you mean table?"),
    ],
)
def test_a_table_or_pin_that_does_not_fit_is_refused(
    tmp_path: Path, rows: Rows, parameters: dict[str, Any], error: type[Exception], words: str
) -> None:
    """The missing column, file or parameter is named."""
    with pytest.raises(error, match=words):
        judge(tmp_path, rows, **parameters)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[1]\n"])
def test_a_broken_table_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is no table of rows is an error of data."""
    made = Rubric(name="tone", version="1", scorer={"recorded": {}})
    (tmp_path / "broken.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.jsonl"):
        RecordedJudge(made, JudgePin(parameters={"table": "broken.jsonl"}), tmp_path)


def test_a_score_counts_for_the_output_that_it_was_given_for(tmp_path: Path) -> None:
    """Where the table tells outputs, two answers to one row have a score each, a third has none."""
    rows = [
        {"item_id": "a", "output": "yes", "score": 1.0},
        {"item_id": "a", "output": "no", "score": 0.0},
    ]
    made = judge(tmp_path, rows)
    cases = [Case("a", "q", output=output) for output in ("yes", "no", "perhaps")]
    found = [made.read(answer) for answer in made.call([made.request(case) for case in cases])]
    assert found == [
        Judgement("ok", 1.0),
        Judgement("ok", 0.0),
        Judgement("missing", None, "no score was recorded for this output"),
    ]
