"""`from gitloop import evaluate, load_golden`, and the pytest plug-in, on real repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gitloop import evaluate, load_golden
from gitloop.errors import ApiError, ConfigError, DataError, StaleError
from tests.evaluated import evaluated, golden_rows, promote
from tests.repositories import Repository


@pytest.fixture
def repository_with_rows(repository: Repository) -> Repository:
    """A golden set with two rows of the route refunds and one of the route repairs."""
    evaluated(repository)
    rows = golden_rows(["refund", "exchange"], route="refunds", user_cohort="pro")
    promote(repository, rows)
    more = golden_rows(["repair"], route="repairs", split="holdout")
    promote(repository, more, part="2026.05-bbbbbb")
    return repository


def test_a_set_is_loaded_by_route_and_split(repository_with_rows: Repository) -> None:
    """Rows by row_id; a filter that leaves nothing is an error, since it would prove nothing."""
    root = repository_with_rows.root
    assert load_golden("support", directory=root).height == 3
    refunds = load_golden("support", route="refunds", directory=root)
    assert sorted(refunds["input"]) == ["exchange", "refund"]
    assert load_golden("support", split="holdout", directory=root)["input"].to_list() == ["repair"]
    with pytest.raises(DataError, match="no row with route refund") as caught:
        load_golden("support", route="refund", directory=root)
    assert caught.value.hint == "there are: refunds, repairs"
    with pytest.raises(ConfigError, match="did you mean support"):
        load_golden("suport", directory=root)


def test_an_older_version_is_loaded_by_revision(repository_with_rows: Repository) -> None:
    """The commit before the last promotion has two rows."""
    root = repository_with_rows.root
    assert load_golden("support", revision="HEAD~1", directory=root).height == 2


def test_rows_go_through_the_pinned_target_and_judges(repository_with_rows: Repository) -> None:
    """Pass rate, means, percentiles, slices and rubrics of one evaluation; a second is free."""
    root = repository_with_rows.root
    result = evaluate(load_golden("support", directory=root), directory=root)
    assert (result.n, result.n_errors, result.pass_rate, result.mean_score) == (3, 0, 1.0, 1.0)
    assert (result.p50_score, result.p90_score, result.percentile(5)) == (1.0, 1.0, 1.0)
    assert {name: part.n for name, part in result.slices("route").items()} == {
        "refunds": 2,
        "repairs": 1,
    }
    assert list(result.slices("user_cohort")) == ["", "pro"]
    assert result.rubrics == ("brief", "polite")
    assert result.rubric("brief").rubrics == ("brief",)
    assert result.failures == ()
    again = evaluate(load_golden("support", directory=root), directory=root, calls="replay")
    assert (again.n_called, again.n_recorded, again.rows) == (0, 6, result.rows)


def test_a_function_can_be_the_target(repository_with_rows: Repository) -> None:
    """Its failures are named in the summary; what it raises counts as failed, never as a score."""
    root = repository_with_rows.root
    repository_with_rows.gen(
        {"params.yaml": repository_with_rows.read("params.yaml") + "score: {max_error_rate: 0.5}\n"}
    )

    def application(row: Mapping[str, Any]) -> str:
        if row["input"] == "repair":
            raise RuntimeError("down")
        return "Dear, 3 days" if row["input"] == "refund" else "Hello"

    result = evaluate(load_golden("support", directory=root), application, directory=root)
    assert (result.pass_rate, result.n_errors) == (1 / 3, 1)
    assert result.mean_score == 0.5
    told = result.summary()
    assert told.startswith("1 of 3 rows pass (0.333)\n1 rows have no score")
    assert "brief 0.000: lacks “days”" in told
    assert "error: the target gave no output: RuntimeError: down" in told


def test_other_rubrics_can_be_named(repository_with_rows: Repository) -> None:
    """Every row is judged by just these; one that is not pinned is refused."""
    root = repository_with_rows.root
    rows = load_golden("support", directory=root)
    result = evaluate(rows, lambda _: "3 days", rubrics=["brief"], directory=root)
    assert (result.rubrics, result.pass_rate) == (("brief",), 1.0)
    with pytest.raises(ConfigError, match="pins no rubric other"):
        evaluate(rows, lambda _: "x", rubrics=["other"], directory=root)
    with pytest.raises(ConfigError, match="there are no slices by colour"):
        result.slices("colour")
    with pytest.raises(ConfigError, match="no row was judged by polite"):
        result.rubric("polite")


def test_nothing_is_no_evaluation(repository_with_rows: Repository) -> None:
    """No rows, a broken application and an unrecorded call are errors, not a rate."""
    root = repository_with_rows.root
    rows = load_golden("support", directory=root)
    with pytest.raises(DataError, match="no rows to evaluate"):
        evaluate(rows.clear(), directory=root)
    with pytest.raises(ApiError, match="target failed on 3 of 3"):
        evaluate(rows, lambda _: 7, directory=root)
    with pytest.raises(StaleError):
        evaluate(rows, directory=root, calls="replay")


PLUGIN = """\
import pytest
from gitloop import evaluate, load_golden


@pytest.mark.parametrize("route", ["refunds", "repairs"])
def test_regression(route):
    rows = load_golden("support", route=route)
    result = evaluate(rows)
    assert result.pass_rate >= 0.92, f"{route}: {result.summary()}"


@pytest.mark.gitloop(set="support", route="refunds")
def test_refunds(gitloop_result):
    assert gitloop_result.pass_rate >= 0.92, gitloop_result.summary()


@pytest.mark.gitloop(set="support")
def test_each_row(gitloop_row):
    assert gitloop_row["context"].endswith("30 days")


@pytest.mark.gitloop(set="support", rubrics=["brief"], calls="replay")
def test_worse(gitloop_rows, gitloop_result):
    assert gitloop_result.n == gitloop_rows.height == 3
    assert gitloop_result.pass_rate > 1, gitloop_result.summary()


def test_unmarked(gitloop_rows):
    pass


@pytest.mark.gitloop(set="support", route="returns")
def test_no_such_rows(gitloop_row):
    pass


@pytest.mark.gitloop(set="support", rout="refunds")
def test_misspelt(gitloop_rows):
    pass
"""


def test_the_regression_test_of_ten_lines_runs(repository_with_rows: Repository) -> None:
    """The guide's test, the mark with its fixtures, one test per row, and each way to misuse it."""
    repository_with_rows.gen({"test_golden.py": PLUGIN})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE"]
    done = subprocess.run(
        [*command, "test_golden.py"],
        cwd=repository_with_rows.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200"},
    )
    assert "6 passed, 1 failed, 3 errors" in done.stdout.replace(
        "1 failed, 6 passed", "6 passed, 1 failed"
    ), done.stdout
    assert "AssertionError: 3 of 3 rows pass (1.000)" in done.stdout
    assert 'mark the test with @pytest.mark.gitloop(set="…")' in done.stdout
    assert "DataError: golden set support has no row with route returns" in done.stdout
    assert "the mark gitloop takes no rout" in done.stdout
