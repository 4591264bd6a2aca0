"""The pure part of `gitloop score`: which case meets which rubric, and what the scores come to."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.score import (
    blamed,
    cases_of,
    outputs_of,
    rubrics_of,
    selected,
    summarise,
    unknown_rubrics,
)
from gitloop.records import Answer, Case
from gitloop.tables import GOLDEN, OUTPUTS, SCORES, STATUSES


def golden(**labels: list[str]) -> pl.DataFrame:
    """One golden row per argument, labelled with these rubrics."""
    rows = [
        {
            "row_id": row_id,
            "set": "support",
            "split": "train",
            "input": f"question {row_id}",
            "context": "known",
            "reference": "right",
            "bad_output": "wrong",
            "labels": [{"rubric": rubric, "expected": "fail"} for rubric in rubrics],
            "annotators": ["a"],
            "guidance_version": "1",
            "source_trace_id": "t",
            "source_feedback_ids": ["f"],
            "group_id": f"group {row_id}",
            "promoted_in": "p",
        }
        for row_id, rubrics in labels.items()
    ]
    return GOLDEN.complete(pl.DataFrame(rows, schema_overrides=GOLDEN.schema))


def scores(*rows: tuple[str, str, float | None]) -> pl.DataFrame:
    """Scores of rubric "tone": (item_id, status, score)."""
    return pl.DataFrame(
        [
            {
                "item_id": item_id,
                "rubric": "tone",
                "rubric_version": "1",
                "rubric_sha256": "0",
                "judge": "local/1",
                "replicate": 0,
                "status": status,
                "score": score,
            }
            for item_id, status, score in rows
        ],
        schema=SCORES.schema,
    )


def test_a_case_never_shows_the_bad_output() -> None:
    """The target is given the row's input, and the judge its reference; no output is known yet."""
    assert cases_of(golden(a=["tone"])) == [
        Case("a", "question a", context="known", reference="right", output=None)
    ]


def test_each_rubric_judges_the_rows_that_are_labelled_with_it() -> None:
    """A case is selected once per label, rubrics in order."""
    rows = golden(a=["tone", "brief"], b=["tone"])
    cases = cases_of(rows)
    assert rubrics_of(rows) == {"a": ["brief", "tone"], "b": ["tone"]}
    assert selected(cases, rubrics_of(rows)) == {"brief": [cases[0]], "tone": cases}


def test_rubrics_that_no_pin_knows_are_named_with_a_row() -> None:
    """The first row of each unknown rubric is named."""
    rows = golden(b=["tone", "style"], a=["style", "brief"])
    assert unknown_rubrics(rows, {"tone"}) == {"brief": "a", "style": "a"}
    assert unknown_rubrics(rows, {"tone", "style", "brief"}) == {}


def test_outputs_carry_status_set_and_group() -> None:
    """One row per answer; an error has no output, and an output no error."""
    rows = golden(a=["tone"], b=["tone"])
    cases = cases_of(rows)
    answers = [Answer("ok", {"output": "x"}), Answer("timeout", error="slow")]
    found = outputs_of(rows, [Case("a", "q", output="x"), cases[1]], answers)
    assert OUTPUTS.problems(found) == []
    assert found.select("item_id", "status", "output", "error", "group_id").rows() == [
        ("a", "ok", "x", None, "group a"),
        ("b", "timeout", None, "slow", "group b"),
    ]


def test_a_missing_output_is_blamed_on_the_target() -> None:
    """A score of a row without output has the target's own status and words."""
    rows = golden(a=["tone"], b=["tone"])
    answers = [Answer("ok", {"output": "x"}), Answer("timeout", error="slow")]
    outputs = outputs_of(rows, cases_of(rows), answers)
    found = blamed(scores(("a", "ok", 1.0), ("b", "missing", None)), outputs)
    assert found.select("item_id", "status", "score", "reason").sort("item_id").rows() == [
        ("a", "ok", 1.0, None),
        ("b", "timeout", None, "the target gave no output: slow"),
    ]


@given(
    st.lists(
        st.sampled_from(STATUSES).flatmap(
            lambda s: st.tuples(st.just(s), st.floats(0, 1) if s == "ok" else st.none())
        ),
        min_size=1,
    )
)
def test_nothing_is_dropped_without_being_counted(given_: list[tuple[str, float | None]]) -> None:
    """N is every judgement, n_errors every one without a score, and the mean is over the rest."""
    rows = [(f"{i}", status, score) for i, (status, score) in enumerate(given_)]
    (found,) = summarise(scores(*rows))
    values = [score for _, score in given_ if score is not None]
    assert found.n == len(given_)
    assert found.n_errors == len(given_) - len(values)
    assert sum(found.statuses.values()) == len(given_)
    expected = sum(values) / len(values) if values else None
    assert found.mean is None if expected is None else abs((found.mean or 0) - expected) < 1e-5


@given(st.permutations([("a", "ok", 0.1), ("b", "ok", 0.2), ("c", "ok", 0.7)]))
def test_the_mean_does_not_depend_on_the_order(rows: list[tuple[str, str, float]]) -> None:
    """The same scores in another order have the same mean, to the bit."""
    assert summarise(scores(*rows))[0].mean == 0.333333
