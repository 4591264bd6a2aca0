"""Cases become rows, or are left out with a reason; a promotion describes itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitloop.core.promote import (
    Agreement,
    Cases,
    Finding,
    LeftOut,
    Promotion,
    agreement,
    assign_splits,
    build_cases,
    choose,
    commit_message,
    pull_request,
)
from gitloop.core.promote.description import MAX_CHARACTERS
from gitloop.stats.consensus import SCHEMA
from gitloop.stats.holdout import is_held_out
from gitloop.stats.intervals import wilson_interval
from gitloop.tables import GOLDEN, TRACES


def verdict(rubric: str = "r", said: str | None = "fail", **changes: object) -> dict[str, Any]:
    """What people agree on for trace t."""
    usual = {
        "trace_id": "t",
        "rubric": rubric,
        "verdict": said,
        "annotators": ["a", "b"],
        "agreement": 1.0,
        "is_unanimous": True,
        "settled_by": None,
        "reference": None,
        "guidance_version": "1",
        "reason": None if said else "1 of 2 annotators",
    }
    return usual | changes


def cases(
    *verdicts: dict[str, Any],
    trace: dict[str, Any] | None = None,
    feedback: int = 1,
    outdated: Sequence[str] = (),
) -> Cases:
    """The cases of one member, t."""
    members = pl.DataFrame(
        {
            "trace_id": ["t"],
            "cluster_id": ["c"],
            "feedback_ids": [[f"f{n}" for n in range(feedback)]],
        },
        schema_overrides={"feedback_ids": pl.List(pl.String)},
    )
    usual = {"trace_id": "t", "session_id": "s", "input": "?", "output": "!", "status": "ok"}
    traces = TRACES.complete(pl.DataFrame([usual | (trace or {})], schema_overrides=TRACES.schema))
    if trace == {}:
        traces = traces.clear()
    said = pl.DataFrame(verdicts, schema=SCHEMA)
    return build_cases(members, said, traces, {"t": outdated})


def test_failed_case_keeps_its_output_as_bad() -> None:
    """A case that fails a rubric becomes a row with its output, labels and trail."""
    row = cases(verdict(reference="ok"), verdict("q", "pass")).rows.row(0, named=True)
    assert (row["bad_output"], row["reference"]) == ("!", "ok")
    assert row["labels"] == [
        {"rubric": "q", "expected": "pass"},
        {"rubric": "r", "expected": "fail"},
    ]
    assert (row["source_trace_id"], row["source_feedback_ids"], row["cluster_id"]) == (
        "t",
        ["f0"],
        "c",
    )
    assert (row["group_id"], row["annotators"]) == ("s", ["a", "b"])


def test_passed_case_keeps_its_output_as_reference() -> None:
    """A case that passes every rubric is a good example: its output is the reference."""
    row = cases(verdict(said="pass")).rows.row(0, named=True)
    assert (row["bad_output"], row["reference"]) == (None, "!")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"verdicts": []}, "not labelled"),
        ({"verdicts": [], "outdated": ["1"]}, "labelled under another guidance only"),
        ({"verdicts": [verdict(), verdict("q", None)]}, "no agreement"),
        ({"verdicts": [verdict()], "trace": {}}, "its trace is gone"),
        ({"verdicts": [verdict()], "feedback": 0}, "no feedback started it"),
        ({"verdicts": [verdict()], "trace": {"output": None}}, "its trace has no output"),
    ],
)
def test_unfit_case_is_left_out_with_its_reason(arguments: dict[str, Any], reason: str) -> None:
    """A case without label, agreement, trace, feedback or output is counted, never dropped."""
    found = cases(*arguments.pop("verdicts"), **arguments)
    assert found.rows.height == 0
    assert [(case.trace_id, case.reason) for case in found.left_out] == [("t", reason)]


def test_clusters_are_chosen_by_any_clear_beginning() -> None:
    """A beginning that fits one cluster names it; one that fits two or none does not."""
    clusters = pl.DataFrame({"cluster_id": ["abc", "abd", "xyz"]})
    assert choose(["x", "abd", "ab", "q", ""], clusters) == (["abd", "xyz"], ["ab", "q", ""])


def test_agreement_counts_what_two_people_saw() -> None:
    """Items with one voice say nothing about agreement; disputed ones count against it."""
    found = agreement(
        pl.DataFrame(
            [
                verdict(),
                verdict("q", None, is_unanimous=False),
                verdict("p", None, is_unanimous=None),
            ],
            schema=SCHEMA,
        )
    )
    assert (found.n_items, found.n_unanimous, found.rate) == (2, 1, 0.5)
    assert found.interval == wilson_interval(1, 2)


@given(st.lists(st.text(min_size=1, max_size=8), unique=True, min_size=1, max_size=40))
def test_split_follows_from_the_group_alone(groups: list[str]) -> None:
    """Whatever company a group is promoted in, its split is the same, and kept once given."""
    rates = {"val_rate": 0.3, "holdout_rate": 0.3}
    together = assign_splits(pl.DataFrame({"group_id": groups}), {}, **rates)["split"].to_list()
    alone = [
        assign_splits(pl.DataFrame({"group_id": [group]}), {}, **rates)["split"][0]
        for group in groups
    ]
    assert together == alone
    kept = assign_splits(pl.DataFrame({"group_id": groups}), dict.fromkeys(groups, "val"), **rates)
    assert set(kept["split"]) == {"val"}


def test_splits_have_the_shares_asked_for() -> None:
    """Over many groups the shares come out near the rates."""
    groups = pl.DataFrame({"group_id": [str(n) for n in range(5000)]})
    splits = assign_splits(groups, {}, val_rate=0.3, holdout_rate=0.1)["split"].to_list()
    shares = {name: splits.count(name) / 5000 for name in ("train", "val", "holdout")}
    assert shares == pytest.approx({"train": 0.6, "val": 0.3, "holdout": 0.1}, abs=0.02)


def test_pinned_groups_are_no_ones_to_learn_from() -> None:
    """Whoever is in the pinned human holdout goes to the holdout split, but for old rows."""
    names = [f"g{n}" for n in range(200)]
    groups = pl.DataFrame({"group_id": names})
    rates = {"val_rate": 0.3, "holdout_rate": 0.1}
    free = assign_splits(groups, {}, **rates)["split"].to_list()
    found = assign_splits(groups, {}, **rates, pinned_rate=0.3)["split"].to_list()
    for name, before, after in zip(names, free, found, strict=True):
        assert after == ("holdout" if is_held_out(name, 0.3) else before)
    old = assign_splits(groups, dict.fromkeys(names, "train"), **rates, pinned_rate=0.3)
    assert set(old["split"]) == {"train"}


def promotion(n: int = 5, **changes: object) -> Promotion:
    """A promotion of n rows."""
    rows = [
        {
            "row_id": f"{number:016x}",
            "set": "support",
            "split": "train",
            "input": "SECRET TEXT OF A USER",
            "context": None,
            "reference": "ref",
            "bad_output": "bad",
            "labels": [{"rubric": "r", "expected": "fail"}],
            "route": "bil|ling <b>@team</b>",
            "user_cohort": "x" * 500,
            "prompt_version": "1",
            "annotators": ["a"],
            "guidance_version": "1",
            "source_trace_id": f"t{number}",
            "source_feedback_ids": ["f"],
            "cluster_id": f"c{number % 100}",
            "group_id": "g",
            "created_at": datetime(2026, 5, 1, tzinfo=UTC),
            "promoted_in": "v",
        }
        for number in range(n)
    ]
    usual: dict[str, Any] = {
        "set_name": "support",
        "version": "2026.05-abcdef",
        "record": "2026.05-abcdef-1234",
        "parents": ("2026.04-123456",),
        "n_before": 7,
        "rows": pl.DataFrame(rows, schema=GOLDEN.schema),
        "left_out": tuple(LeftOut(f"u{k}", "no agreement", "r: 1 of 2") for k in range(4)),
        "fixes": {f"c{number % 100}": None for number in range(n)},
        "agreement": Agreement(10, 9, 0.9, wilson_interval(9, 10)),
        "masked": (Finding("t0", "input", "email", 2),),
    }
    return Promotion(**(usual | changes))


def test_body_tells_counts_before_samples() -> None:
    """The pull request's body starts with the counts and shows at most three samples each."""
    body = pull_request(promotion(), ("route", "labels"))
    assert body.index("| rows | +5 (7 → 12) |") < body.index("### Samples")
    assert "- **4** no agreement" in body
    assert body.count("`u") == 3
    assert "… and 1 more" in body
    assert "2 × email in input" in body


def test_body_shows_review_columns_only_and_inert() -> None:
    """Users' text stays out, and what is shown can neither mention, link nor mark up."""
    body = pull_request(promotion(), ("route", "user_cohort", "labels", "split"))
    assert "SECRET TEXT" not in body
    assert "<b>" not in body
    assert "@team" not in body
    assert "bil|ling" not in body
    assert "x" * 200 not in body


def test_body_stays_below_the_limit() -> None:
    """However much is promoted, the body fits a forge, and says what it leaves out."""
    body = pull_request(promotion(5000), ("input", "user_cohort", "bad_output", "reference") * 5)
    assert len(body) < MAX_CHARACTERS
    assert "left out" in body
    hostile = {f"c{number}{'*' * 160}": "*" * 500 for number in range(100)}
    body = pull_request(promotion(200, fixes=hostile), ("route",))
    assert len(body) < MAX_CHARACTERS
    assert "more would not fit" in body
    assert body.rstrip().endswith("Gitloop-Parent: 2026.04-123456")


def test_a_cluster_bears_the_name_of_its_brief() -> None:
    """Where a model or a person named a cluster the body says so, as inert text."""
    made = replace(promotion(2, fixes={"c1": None}), names={"c1": "Promises | *sixty* days"})
    body = pull_request(made, ())
    (line,) = [line for line in body.splitlines() if line.startswith("| `c1`")]
    assert "Promises" in line
    assert line.count("|") == 4 + line.count("\\|")


def test_ids_out_of_the_data_are_inert() -> None:
    """A trace id that holds Markdown is shown as text, on one line."""
    case = LeftOut("a`\n# Approved by [the boss](http://evil) @team", "not labelled")
    body = pull_request(promotion(left_out=(case,)), ())
    assert "[the boss]" not in body
    assert "@team" not in body
    assert "\n# " not in body


def test_commit_message_has_a_short_subject_and_trailers() -> None:
    """The message reads like one, and repeats the record's names as trailers."""
    lines = commit_message(promotion()).splitlines()
    assert lines[0] == "Promote 5 rows into support"
    assert lines[1] == ""
    assert lines[-4:] == [
        "Gitloop-Dataset: support",
        "Gitloop-Version: 2026.05-abcdef",
        "Gitloop-Record: 2026.05-abcdef-1234",
        "Gitloop-Parent: 2026.04-123456",
    ]
